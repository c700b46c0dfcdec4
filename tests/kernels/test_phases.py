"""Transposed convolutions as convolutions of their phases: bit for bit what the graph computes, at the price told."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.kernels import phases, plain
from mcusim.kernels.memory import USUAL
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.store_unsigned import store_unsigned
from mcusim.models import read_model
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.grid import Case, compare, side_by_side
from tests.kernels.measured import differing, forced, measure
from tests.tflite_cases import SAME, VALID, transposed
from tests.tflite_files import Integers

FEW = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# (input, filters, window, stride, padding): as large as the stride, larger, smaller; one row; rows that end in part
SHAPES = [
    *(((8, 8, 8), 8, 2, 2, "same"), ((8, 8, 8), 8, 3, 2, "same"), ((6, 7, 4), 5, 3, 2, "valid")),
    *(((5, 6, 3), 4, 4, 2, "same"), ((12, 6), 7, 3, 2, "same"), ((4, 4, 16), 16, 5, 3, "same")),
    *(((9, 5, 12), 1, 2, 3, "same"), ((20, 8), 8, 4, 4, "valid"), ((6, 6, 8), 8, 3, 1, "same")),
]


def cases() -> list[Case]:
    def case(index: int) -> Case:
        shape, filters, size, stride, padding = SHAPES[index]
        source, activation = f"input_{index}" if index else "input", ("linear", "relu")[index % 2]
        own = {"strides": stride, "padding": padding, "activation": activation}
        return shape, lambda builder: builder.transposed(filters, size, source, **own)

    return [case(index) for index in range(len(SHAPES))]


@cache
def grid(data_type: str) -> tuple[Graph, Array]:
    return side_by_side(cases(), data_type)


@pytest.mark.parametrize("data_type", ["int8", "int16"])
def test_bits_and_cost_are_right_on_the_l452(data_type: str, tmp_path: Path) -> None:
    compared = compare(phases, *grid(data_type), tmp_path)
    assert len(compared) == len(SHAPES)
    for one in compared:
        assert one.told == pytest.approx(one.cycles, rel=0.05, abs=150), one.layer.name
        assert one.cycles < plain.cost(one.layer, grid(data_type)[0].inputs_of(one.layer), memory=USUAL)


# -- numbers of TFLite -------------------------------------------------------------------------------------------------

FILES = [
    ((1, 3, 4, 4), (3, 3, 3, 4), (1, 6, 8, 3), SAME, 2),
    ((1, 3, 4, 4), (5, 3, 2, 4), (1, 7, 8, 5), VALID, 2),
    ((1, 4, 3, 8), (4, 2, 2, 8), (1, 8, 6, 4), VALID, 2),
    ((1, 5, 5, 3), (6, 4, 4, 3), (1, 10, 10, 6), SAME, 2),
]


def affine(bits: int, folder: Path) -> tuple[Graph, Array]:
    """Layers of files, with zeros and factors by chance."""
    file, starts, ends = Integers(bits=bits, seed=bits, long=False), [], []
    for shape, kernel, output, padding, stride in FILES:
        start, end = transposed(shape, kernel, output, padding=padding, strideH=stride, strideW=stride)(file)
        starts += list(start)
        ends += list(end)
    path = folder / "m.tflite"
    path.write_bytes(file.written(starts, ends))
    graph = store_unsigned(read_model(path, "m").graph)
    random, x = np.random.default_rng(0), {}
    for layer in graph.inputs:
        assert layer.numbers is not None
        low, high = layer.numbers.minimum, layer.numbers.maximum
        q = random.integers(low, high + 1, (4, *layer.shape))
        q[0], q[1] = low, high
        x[layer.name] = layer.numbers.decode(q)
    return graph, records_of(x)


def test_numbers_of_tflite_on_the_board_and_here(tmp_path: Path) -> None:
    graph, x = affine(8, tmp_path)
    chosen = forced(graph, phases)
    assert sum(kernel is phases for kernel, _ in chosen.values()) == len(FILES)
    np.testing.assert_array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))
    assert differing(measure(graph, x, tmp_path, chosen), graph, x) == 0


# -- any shape ---------------------------------------------------------------------------------------------------------


@st.composite
def layers(draw: st.DrawFn) -> tuple[Graph, Array]:
    rank = draw(st.integers(1, 2))
    shape = (*(draw(st.integers(1, 6)) for _ in range(rank)), draw(st.integers(1, 6)))
    builder = Builder(shape, seed=draw(st.integers(0, 999)), spread=draw(st.sampled_from([1.0, 30.0])))
    size, stride = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    own = {"strides": stride, "padding": draw(st.sampled_from(["same", "valid"]))}
    builder.transposed(draw(st.integers(1, 5)), size, **own)
    x = builder.samples(6)
    graph = quantize(optimize(builder.graph()), x, draw(st.sampled_from(["int8", "int16", "w8a16"])), weights="rounded")
    x[-2:] *= 1e6
    return graph, x


@FEW
@given(layers())
def test_any_shape_is_bit_exact(made: tuple[Graph, Array]) -> None:
    graph, x = made
    compiled = run_compiled(graph, x, program=program_of(graph, forced(graph, phases)))
    np.testing.assert_array_equal(compiled, graph.run(x))


@pytest.mark.parametrize(
    ("config", "data_type", "why"),
    [({}, "float32", "for integers"), ({"dilation_rate": 2}, "int8", "dilation")],
)
def test_what_does_not_fit_says_why(config: dict[str, int], data_type: str, why: str) -> None:
    builder = Builder((4, 4, 4))
    builder.transposed(2, **config)
    graph = builder.graph()
    graph = quantize(graph, builder.samples(2), data_type) if data_type != "float32" else graph
    layer = graph.layers[-1]
    assert why in str(phases.fits(layer, graph.inputs_of(layer)))
    assert "convolutions" in str(phases.fits(graph.layers[0], ()))
