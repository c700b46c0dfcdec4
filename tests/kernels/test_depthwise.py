"""Depthwise convolution in assembly, its twins on the host: the bits of `Graph.run`, or in float32 those of plain C."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph, Output
from mcusim.kernels import depthwise, plain
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.kernels.memory import USUAL
from mcusim.layers.convolution import Convolution
from mcusim.layers.input import Input
from mcusim.line.lower import program_of, running_layers
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.float32 import same
from tests.kernels.measured import Measured, differing, forced, measure

FEW = settings(max_examples=7, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# shape, taps, stride, padding, activation, multiplier
Case = tuple[tuple[int, ...], int, int, str, str, int]
FIXED: tuple[Case, ...] = (
    ((13, 5, 8), 3, 1, "same", "relu", 1),
    ((25, 6, 5), 3, 1, "same", "relu6", 1),
    ((9, 8, 6), 3, 2, "same", "relu6", 1),
    ((8, 11, 4), 3, 2, "valid", "linear", 1),
    ((9, 7, 6), 5, 1, "same", "relu", 1),
    ((11, 9, 7), 7, 1, "same", "linear", 1),
    ((10, 9, 4), 7, 2, "valid", "relu", 1),
    ((6, 7, 3), 3, 1, "same", "relu", 2),
    ((5, 6, 1), 2, 1, "same", "relu", 3),
    ((3, 3, 12), 3, 1, "same", "relu", 1),
    ((5, 4, 9), 2, 2, "same", "linear", 1),
    ((33, 6), 3, 1, "same", "relu", 1),
    ((40, 4), 5, 2, "same", "relu6", 1),
    ((61, 5), 7, 1, "valid", "linear", 1),
    ((2, 5), 5, 1, "same", "relu", 1),
    ((3, 5, 200), 3, 1, "same", "relu", 1),
    ((339, 4), 3, 1, "same", "relu6", 1),
    ((4, 280, 2), 3, 1, "same", "relu", 1),
)


def _side_by_side(cases: tuple[Case, ...]) -> tuple[Graph, Array]:
    """A model with an input and an output for each, and samples with one that is far too large."""
    builder = Builder((1, 1))
    builder.layers.clear()
    outputs = []
    for index, (shape, size, stride, padding, activation, multiplier) in enumerate(cases):
        builder.layers.append(Input(name=f"input{index}", inputs=(), shape=shape))
        name = builder.depthwise(size, multiplier, strides=stride, padding=padding, activation=activation)
        outputs.append(Output(f"output{index}", name))
    graph = Graph(tuple(builder.layers), "side_by_side", outputs=tuple(outputs))
    x = {layer.name: builder.random.normal(size=(4, *layer.shape)).astype(np.float32) for layer in graph.inputs}
    for values in x.values():
        values[-1] *= 1000
    return graph, records_of(x)


def _measured(
    cases: tuple[Case, ...], data_type: str, folder: Path, board: str = "nucleo_l452re_p", variant: Variant = DEFAULT
) -> tuple[Measured, Graph]:
    graph, x = _side_by_side(cases)
    graph = quantize(optimize(graph), x, data_type)
    chosen = forced(graph, depthwise, variant)
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"depthwise"}
    measured = measure(graph, x[-2:], folder, chosen, board)
    assert differing(measured, graph, x[-2:]) == 0
    return measured, graph


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    size, stride = draw(st.integers(2, 7)), draw(st.integers(1, 2))
    padding = draw(st.sampled_from(["same", "valid"]))
    least = size if padding == "valid" else 1
    side = st.integers(least, least + 11)
    plane = (draw(side), draw(side)) if draw(st.booleans()) else (draw(side),)
    channels = draw(st.integers(1, 9))
    activation = draw(st.sampled_from(["linear", "relu", "relu6"]))
    return (*plane, channels), size, stride, padding, activation, draw(st.sampled_from([1, 1, 2, 3]))


def _padded(case: Case, spread: float, padding: tuple[int, int], seed: int) -> Builder:
    """The layer of a case behind more padding."""
    shape, size, stride, own_padding, activation, multiplier = case
    builder = Builder(shape, seed=seed, spread=spread)
    rank = len(shape) - 1
    builder.add(f"ZeroPadding{rank}D", padding=padding if rank == 1 else (padding, padding[::-1]))
    builder.depthwise(size, multiplier, strides=stride, padding=own_padding, activation=activation)
    return builder


@FEW
@given(
    case=_cases(),
    spread=st.sampled_from([1.0, 1.0, 1e-3, 1e4]),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    data_type=st.sampled_from(["int8", "int8", "int12", "int16", "w8a16"]),
    stripes=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_twins_compute_what_the_graph_does(
    case: Case, spread: float, padding: tuple[int, int], data_type: str, stripes: int, seed: int
) -> None:
    """Two layers one after the other: what the second one reads may have no sign."""
    builder = _padded(case, spread, padding, seed)
    builder.depthwise(min(3, *builder.last.shape[:-1]), padding="same", activation="relu")
    graph = quantize(optimize(builder.graph()), builder.samples(8), data_type)
    x = np.concatenate([builder.samples(2), builder.samples(1, 1e6), -builder.samples(1, 1e6)])
    chosen = forced(graph, depthwise, Variant(stripes))
    np.testing.assert_array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))


@FEW
@given(
    case=_cases(),
    spread=st.sampled_from([1.0, 1e20]),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    stripes=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_twins_of_float32_have_the_bits_of_plain_c(
    case: Case, spread: float, padding: tuple[int, int], stripes: int, seed: int
) -> None:
    builder = _padded(case, spread, padding, seed)
    builder.depthwise(min(3, *builder.last.shape[:-1]), padding="same")
    graph = optimize(builder.graph())
    x = np.concatenate([builder.samples(2), builder.samples(1, 1e20), builder.samples(1, 0.0)])
    program = program_of(graph, forced(graph, depthwise, Variant(stripes)))
    assert same(run_compiled(graph, x, program=program), run_compiled(graph, x))


@pytest.mark.arm
@pytest.mark.parametrize(
    ("board", "data_type"),
    [("nucleo_l452re_p", "int8"), ("sparkfun_edge", "int8"), ("nucleo_l452re_p", "int16")],
)
def test_assembly_computes_what_the_graph_does(board: str, data_type: str, tmp_path: Path) -> None:
    _measured(FIXED, data_type, tmp_path, board)


@pytest.mark.arm
def test_assembly_of_float32_has_the_bits_of_plain_c(tmp_path: Path) -> None:
    graph, x = _side_by_side(FIXED)
    graph = optimize(graph)
    measured = measure(graph, x[-2:], tmp_path, forced(graph, depthwise), "sparkfun_edge")
    assert same(measured.answers, run_compiled(graph, x[-2:]))


FLOAT_COSTS: tuple[Case, ...] = (
    ((25, 5, 16), 3, 1, "same", "relu", 1),
    ((24, 24, 4), 3, 1, "same", "relu6", 1),
    ((12, 12, 8), 3, 2, "same", "relu", 1),
    ((12, 12, 4), 5, 1, "same", "linear", 1),
    ((6, 6, 32), 3, 1, "same", "relu", 1),
    ((3, 3, 64), 3, 1, "same", "relu", 1),
    ((14, 14, 5), 5, 2, "same", "linear", 1),
    ((64, 12), 3, 1, "same", "relu", 1),
    ((9, 9, 4), 3, 1, "same", "relu", 2),
    ((20, 20, 3), 3, 1, "same", "relu", 1),
    ((17, 13, 3), 7, 1, "valid", "relu", 1),
    ((63, 6), 7, 2, "valid", "relu", 1),
)


@pytest.mark.arm
@pytest.mark.parametrize("variant", [DEFAULT, Variant(3)], ids=str)
def test_cost_in_float32_is_what_it_takes(variant: Variant, tmp_path: Path) -> None:
    graph, x = _side_by_side(FLOAT_COSTS)
    graph = optimize(graph)
    measured = measure(graph, x[-2:], tmp_path, forced(graph, depthwise, variant))
    assert same(measured.answers, run_compiled(graph, x[-2:]))
    _demand_costs(measured, graph, variant)


COSTS: tuple[Case, ...] = (
    ((25, 5, 64), 3, 1, "same", "relu", 1),
    ((24, 24, 8), 3, 1, "same", "relu6", 1),
    ((24, 23, 12), 3, 2, "same", "relu", 1),
    ((12, 12, 16), 5, 1, "same", "relu", 1),
    ((6, 6, 64), 3, 1, "same", "relu6", 1),
    ((3, 3, 64), 3, 1, "same", "relu", 1),
    ((14, 14, 5), 5, 2, "same", "linear", 1),
    ((128, 12), 3, 1, "same", "relu", 1),
    ((9, 9, 8), 3, 1, "same", "relu", 2),
    ((20, 20, 3), 3, 1, "same", "relu", 1),
    # Behind these inputs others would not lie on whole words.
    ((127, 10), 7, 2, "valid", "relu", 1),
    ((17, 13, 7), 7, 1, "valid", "relu", 1),
)


@pytest.mark.arm
@pytest.mark.parametrize(
    ("data_type", "variant"), [("int8", DEFAULT), ("int16", DEFAULT), ("int8", Variant(3))], ids=str
)
def test_cost_is_what_it_takes(data_type: str, variant: Variant, tmp_path: Path) -> None:
    measured, graph = _measured(COSTS, data_type, tmp_path, variant=variant)
    _demand_costs(measured, graph, variant)


def _demand_costs(measured: Measured, graph: Graph, variant: Variant) -> None:
    for step in measured.program.steps:
        layer = graph[step.name]
        cost = depthwise.cost(layer, graph.inputs_of(layer), variant, memory=USUAL)
        assert cost == pytest.approx(measured.cycles[step.name], rel=0.05), f"{layer.kind} {layer.shape}"


def _why_not(builder: Builder, data_type: str = "int8") -> str | None:
    graph = optimize(builder.graph())
    graph = graph if data_type == "float32" else quantize(graph, builder.samples(4), data_type)
    layer = graph[builder.last.name]
    return depthwise.fits(layer, graph.inputs_of(layer))


def _why_not_of_sums() -> str | None:
    """Of a layer whose sums need more bits than it has."""
    builder = Builder((8, 8, 2))
    builder.depthwise(3)
    graph = quantize(optimize(builder.graph()), builder.samples(4), "int8")
    layer = graph[builder.last.name]
    assert isinstance(layer, Convolution)
    return depthwise.fits(replace(layer, peak_sum=2**31), graph.inputs_of(layer))


def test_what_does_not_fit_says_why() -> None:
    ordinary = Builder((8, 8, 2))
    ordinary.conv(4)
    assert "depthwise" in str(_why_not(ordinary))
    large = Builder((20, 20, 2))
    large.depthwise(9)
    assert "7 x 7" in str(_why_not(large))
    single = Builder((20, 20, 2))
    single.depthwise(1)
    assert "one tap" in str(_why_not(single))
    apart = Builder((20, 20, 2))
    apart.depthwise(3, dilation_rate=2)
    assert "side by side" in str(_why_not(apart))
    long = Builder((400, 2))
    long.depthwise(3)
    assert "too long" in str(_why_not(long, "float32")) and _why_not(long) is None
    far = Builder((4, 4, 1500))
    far.depthwise(3)
    assert "too far" in str(_why_not(far))
    fitting = Builder((8, 8, 2))
    fitting.depthwise(3)
    assert _why_not(fitting) is None and _why_not(fitting, "float32") is None
    assert "32 bits" in str(_why_not_of_sums())


PLAIN: tuple[Case, ...] = (
    ((12, 12, 8), 3, 1, "same", "relu", 1),
    ((12, 12, 8), 3, 1, "valid", "relu", 1),
    ((12, 12, 8), 3, 2, "same", "relu", 1),
    ((10, 10, 4), 5, 1, "same", "relu", 1),
    ((11, 12, 4), 7, 1, "valid", "relu", 1),
    ((64, 8), 3, 1, "same", "relu", 1),
    ((9, 9, 4), 3, 1, "same", "relu6", 2),
)


@pytest.mark.arm
def test_what_plain_c_takes_is_about_known(tmp_path: Path) -> None:
    """Else it would run where this kernel is faster, or this one where it is slower."""
    graph, x = _side_by_side(PLAIN)
    graph = quantize(optimize(graph), x, "int8")
    measured = measure(graph, x[-2:], tmp_path, {layer.name: (plain, DEFAULT) for layer in running_layers(graph)})
    for step in measured.program.steps:
        layer = graph[step.name]
        cost = plain.cost(layer, graph.inputs_of(layer), DEFAULT, memory=USUAL)
        assert cost == pytest.approx(measured.cycles[step.name], rel=0.2), f"{layer.kind} {layer.shape}"
