"""Depthwise convolution of channels where they lie: the bits of `Graph.run`, or in float32 those of plain C."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.kernels import abreast
from mcusim.kernels.memory import USUAL
from mcusim.layers.convolution import Convolution
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.affine import affine_graph
from tests.kernels.float32 import same
from tests.kernels.measured import assert_priced, differing, forced, measure
from tests.kernels.test_depthwise import FEW, Case, _side_by_side

FIXED: tuple[Case, ...] = (
    ((80, 9), 2, 1, "valid", "relu", 1),
    ((45, 16), 2, 2, "valid", "linear", 1),
    ((24, 30), 6, 2, "same", "relu6", 1),
    ((2, 5), 5, 1, "same", "relu", 1),
    ((6, 120), 3, 1, "valid", "linear", 1),
    ((3, 8, 30), 2, 1, "valid", "relu6", 1),
    ((6, 5, 24), 3, 2, "valid", "relu", 1),
    ((9, 7, 6), 3, 1, "valid", "linear", 1),
    ((3, 2, 300), 2, 1, "valid", "relu", 1),
    ((4, 180, 6), 2, 2, "valid", "relu", 1),
    ((7, 6, 8), 3, 1, "same", "relu", 1),
    ((9, 8, 6), 3, 2, "same", "linear", 1),
    ((3, 3, 40), 3, 1, "same", "relu6", 1),
    ((9, 1, 12), 3, 1, "same", "relu", 1),
    ((11, 4), 1, 1, "same", "linear", 1),
    ((61, 5), 7, 1, "same", "relu", 1),  # behind it others would not lie on whole words
)


def _network(cases: tuple[Case, ...], data_type: str) -> tuple[Graph, Array]:
    graph, x = _side_by_side(cases)
    graph = optimize(graph)
    if data_type == "float32":
        return graph, x
    graph = quantize(graph, x, "int8" if data_type == "affine" else data_type)
    return affine_graph(graph, 3) if data_type == "affine" else graph, x


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "int16", "affine", "float32"])
def test_assembly_computes_what_the_graph_does_for_what_it_costs(data_type: str, tmp_path: Path) -> None:
    graph, x = _network(FIXED, data_type)
    chosen = forced(graph, abreast)
    names = [name for name, (kernel, _) in chosen.items() if kernel is abreast]
    assert len(names) >= 5 if data_type == "affine" else len(names) >= len(FIXED) - 1  # its padding is no zeros
    measured = measure(graph, x[-2:], tmp_path, chosen)
    if data_type == "float32":
        assert same(measured.answers, run_compiled(graph, x[-2:]))
    else:
        assert differing(measured, graph, x[-2:]) == 0
    costs = {name: abreast.cost(graph[name], graph.inputs_of(graph[name]), memory=USUAL) for name in names}
    assert_priced((costs[name], measured.cycles[name]) for name in names)


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    size, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    is_map = draw(st.booleans())
    padding = draw(st.sampled_from(["same", "valid"]))
    side = st.integers(size if padding == "valid" else 1, size + 11)
    plane = (draw(side), draw(side)) if is_map else (draw(side),)
    activation = draw(st.sampled_from(["linear", "relu", "relu6"]))
    return (*plane, draw(st.integers(2, 9))), size, stride, padding, activation, 1


@FEW
@given(
    case=_cases(),
    spread=st.sampled_from([1.0, 1.0, 1e-3, 1e4]),
    data_type=st.sampled_from(["int8", "int12", "int16", "w8a16", "affine", "float32"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_twins_compute_what_the_graph_does(case: Case, spread: float, data_type: str, seed: int) -> None:
    """Two layers one after the other: what the second one reads may have no sign."""
    shape, size, stride, padding, activation, _ = case
    builder = Builder(shape, seed=seed, spread=spread)
    builder.depthwise(size, strides=stride, padding=padding, activation=activation)
    builder.depthwise(min(2, *builder.last.shape[:-1]), activation="relu")
    graph, x = optimize(builder.graph()), np.concatenate([builder.samples(2), builder.samples(1, 1e6)])
    if data_type != "float32":
        graph = quantize(graph, builder.samples(8), "int8" if data_type == "affine" else data_type)
    if data_type == "affine":
        graph = affine_graph(graph, seed % 1000)
    chosen = forced(graph, abreast)
    answers = run_compiled(graph, x, program=program_of(graph, chosen))
    assert same(answers, run_compiled(graph, x)) if data_type == "float32" else np.array_equal(answers, graph.run(x))


def _why_not(shape: tuple[int, ...], size: int, **changed: object) -> str | None:
    builder = Builder(shape)
    builder.depthwise(size, **{"padding": "same", **changed})  # type: ignore[arg-type]
    layer = optimize(builder.graph())[builder.last.name]
    return abreast.fits(layer, (builder.layers[0],))


def test_what_does_not_fit_says_why() -> None:
    assert "registers" in str(_why_not((40, 2), 40))
    assert "side by side" in str(_why_not((40, 2), 3, dilation_rate=2))
    assert _why_not((40, 2), 3) is None
    builder = Builder((8, 2))
    builder.depthwise(3)
    graph = quantize(optimize(builder.graph()), builder.samples(4), "int8")
    layer = graph[builder.last.name]
    assert isinstance(layer, Convolution)
    assert "32 bits" in str(abreast.fits(replace(layer, peak_sum=2**31), graph.inputs_of(layer)))
