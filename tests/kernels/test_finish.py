"""What ends sums in assembly: every shift, storage and activation, for sums as large as 32 bits hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph, Output
from mcusim.kernels import pointwise
from mcusim.kernels.finish import finish_of
from mcusim.layers.convolution import Convolution
from mcusim.line.lower import program_of
from mcusim.line.quantize import quantize
from mcusim.numbers.formats import Format
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.numbers.power_of_two import Shift
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.measured import differing, forced, measure

CHANNELS, FILTERS = 4, 2
SHIFTS = (0, 9, 31)
ACTIVATIONS = (LINEAR, RELU, Activation(relu=True, ceiling=6.0), Activation(relu=True, ceiling=0.0))
STORED = {"int8": (Format(8, 0), Format(8, 0, signed=False), Format(16, 0)), "int12": (Format(12, 0), Format(16, 0))}


def finished(data_type: str, *, bias: str) -> tuple[Graph, Array]:
    """A layer for each way to end. `bias`: `large` for sums that reach both ends of 32 bits."""
    builder = Builder((5, CHANNELS))
    ways = list(product(SHIFTS, ACTIVATIONS, STORED[data_type]))
    for _ in ways:
        builder.conv(FILTERS, 1, "input")
    graph = quantize(builder.graph(), builder.samples(4), data_type, weights="rounded")
    layers = [layer for layer in graph if isinstance(layer, Convolution)]
    entry = graph.inputs[0].numbers
    assert entry is not None
    peak = (
        max(int(np.abs(layer.kernel.astype(np.int64)).sum(axis=(1, 2, 3)).max()) for layer in layers) * -entry.minimum
    )
    most = ACCUMULATOR_LIMIT - peak if bias == "large" else 1000
    made = [
        replace(
            layer,
            bias=np.array([most, -most], np.int32),
            peak_sum=peak + most,
            rescale=Shift(shift, numbers),
            numbers=numbers,
            activation=activation,
        )
        for layer, (shift, activation, numbers) in zip(layers, ways, strict=True)
    ]
    outputs = tuple(Output(f"out{index}", layer.name) for index, layer in enumerate(made))
    x = builder.samples(4)
    x[1:3] *= [[[1e9]], [[-1e9]]]
    return replace(graph, layers=(*graph.inputs, *made), outputs=outputs), x


@pytest.mark.parametrize(("data_type", "bias"), [("int8", "large"), ("int12", "small")])
def test_twins_end_sums_as_the_graph_does(data_type: str, bias: str) -> None:
    graph, x = finished(data_type, bias=bias)
    compiled = run_compiled(graph, x, program=program_of(graph, forced(graph, pointwise)))
    np.testing.assert_array_equal(compiled, graph.run(x))


@pytest.mark.parametrize(("data_type", "bias"), [("int8", "large"), ("int8", "small"), ("int12", "large")])
def test_assembly_ends_sums_as_the_graph_does(data_type: str, bias: str, tmp_path: Path) -> None:
    graph, x = finished(data_type, bias=bias)
    chosen = forced(graph, pointwise)
    assert [kernel for kernel, _ in chosen.values()] == [pointwise] * len(chosen)
    assert differing(measure(graph, x, tmp_path, chosen), graph, x) == 0


def test_a_ceiling_takes_one_instruction_where_sums_have_room() -> None:
    raised = [
        finish.raised > 0
        for bias in ("large", "small")
        for layer in finished("int8", bias=bias)[0]
        if isinstance(layer, Convolution) and (finish := finish_of(layer)) and finish.ceiling is not None
    ]
    assert any(raised) and not all(raised)


def test_a_shift_that_no_instruction_has_is_for_others() -> None:
    layer = finished("int8", bias="small")[0].layers[-1]
    assert isinstance(layer, Convolution)
    assert finish_of(replace(layer, rescale=Shift(32, Format(8, 0)))) is None
