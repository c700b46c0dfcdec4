"""Depthwise convolution of affine numbers: a factor for each channel, zeros of inputs, and what both cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.kernels import depthwise
from mcusim.kernels.finish import FactorFinish, ending_of
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.kernels.memory import USUAL
from mcusim.layers.convolution import Convolution
from mcusim.line.lower import Chosen, program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.kernels.affine import affine_graph
from tests.kernels.measured import differing, forced, measure
from tests.kernels.test_depthwise import COSTS, FEW, FIXED, Case, _cases, _padded, _side_by_side

LONG: tuple[Case, ...] = (  # windows of a series
    ((24, 8), 10, 1, "valid", "linear", 1),
    ((15, 6), 15, 1, "valid", "relu", 1),
    ((41, 5), 8, 2, "same", "relu", 1),
    ((30, 3), 21, 1, "same", "relu6", 2),
)
ENDS = ("relu", "linear")  # of which the sign of a sum is no matter, and of which it is


def _affine(cases: tuple[Case, ...], seed: int) -> tuple[Graph, Array]:
    graph, x = _side_by_side(cases)
    return affine_graph(quantize(optimize(graph), x[:-1], "int8"), seed), x


def _upright(graph: Graph, x: Array) -> tuple[Graph, Array]:
    """Series become maps of one column, and samples of them."""
    layers = []
    for layer in graph:
        shape = (layer.shape[0], 1, layer.shape[1]) if len(layer.shape) == 2 else layer.shape
        if isinstance(layer, Convolution) and shape != layer.shape:
            layer = replace(
                layer,
                input_shape=(layer.input_shape[0], 1, layer.input_shape[1]),
                kernel=layer.kernel.transpose(0, 2, 1, 3),
                strides=layer.strides[::-1],
                padding=layer.padding[::-1],
            )
        layers.append(replace(layer, shape=shape))
    graph = replace(graph, layers=tuple(layers))
    return graph, records_of({entry.name: x[entry.name].reshape(-1, *entry.shape) for entry in graph.inputs})


def _forced(graph: Graph, variant: Variant = DEFAULT) -> dict[str, Chosen]:
    chosen = forced(graph, depthwise, variant)
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"depthwise"}
    return chosen


def _ending(cases: tuple[Case, ...], activation: str) -> tuple[Case, ...]:
    return tuple((*case[:4], activation, case[5]) for case in cases)


@FEW
@given(
    case=_cases(),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    stripes=st.integers(1, 4),
    unsigned=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_twins_compute_what_the_graph_does(
    case: Case, padding: tuple[int, int], stripes: int, unsigned: bool, seed: int
) -> None:
    """Two layers one after the other: what the second one reads may have no sign."""
    builder = _padded(case, 1.0, padding, seed)
    builder.depthwise(min(3, *builder.last.shape[:-1]), padding="same", activation="relu")
    graph = quantize(optimize(builder.graph()), builder.samples(8), "int8")
    graph = affine_graph(graph, seed, unsigned=unsigned)
    x = np.concatenate([builder.samples(2), builder.samples(1, 1e6), -builder.samples(1, 1e6)])
    chosen = forced(graph, depthwise, Variant(stripes))
    assert depthwise in {kernel for kernel, _ in chosen.values()}
    np.testing.assert_array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))


@pytest.mark.arm
@pytest.mark.parametrize(
    ("board", "activation", "variant"),
    [
        ("nucleo_l452re_p", "relu", DEFAULT),
        ("sparkfun_edge", "linear", DEFAULT),
        ("nucleo_l452re_p", "relu6", Variant(2)),
    ],
    ids=str,
)
def test_assembly_computes_what_the_graph_does(board: str, activation: str, variant: Variant, tmp_path: Path) -> None:
    graph, x = _affine((*_ending(FIXED, activation), *_ending(LONG, activation)), seed=len(board) + len(activation))
    graph, x = _upright(graph, x) if board == "sparkfun_edge" else (graph, x)
    endings = [ending_of(layer) for layer in graph if isinstance(layer, Convolution)]
    assert all(isinstance(one, FactorFinish) for one in endings)
    above = [one.above_zero for one in endings if isinstance(one, FactorFinish)]
    assert all(above) == (activation != "linear")
    measured = measure(graph, x[-2:], tmp_path, _forced(graph, variant), board)
    assert differing(measured, graph, x[-2:]) == 0


@pytest.mark.arm
@pytest.mark.parametrize("activation", ENDS)
def test_cost_is_what_it_takes(activation: str, tmp_path: Path) -> None:
    graph, x = _affine(_ending(COSTS, activation), seed=3)
    measured = measure(graph, x[-2:], tmp_path, _forced(graph))
    assert differing(measured, graph, x[-2:]) == 0
    for step in measured.program.steps:
        layer = graph[step.name]
        cost = depthwise.cost(layer, graph.inputs_of(layer), DEFAULT, memory=USUAL)
        assert cost == pytest.approx(measured.cycles[step.name], rel=0.05, abs=150), f"{layer.kind} {layer.shape}"


@pytest.mark.parametrize("affine", [False, True])
def test_maps_of_one_column_run_as_one_row(affine: bool) -> None:
    series = (*(case for case in FIXED if len(case[0]) == 2), *LONG)
    graph, x = _affine(series, seed=1) if affine else _side_by_side(series)
    graph, x = _upright(graph if affine else quantize(optimize(graph), x[:-1], "int16"), x)
    program = program_of(graph, _forced(graph))
    np.testing.assert_array_equal(run_compiled(graph, x, program=program), graph.run(x))
    for layer in graph:
        if isinstance(layer, Convolution):
            lying = depthwise.lying(layer)
            inputs = graph.inputs_of(layer)
            assert lying.shape[0] == 1 and depthwise.cost(lying, inputs) == depthwise.cost(layer, inputs)
