"""Exact Winograd against Graph.run: its matrices, shapes on the host and on boards, what it costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.boards.load import load_board
from mcusim.graph import Graph, Output
from mcusim.kernels import winograd
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.kernels.memory import USUAL
from mcusim.kernels.winograd.plan import _cells
from mcusim.kernels.winograd.points import (
    F23,
    F23_POSITIVE,
    F43,
    SCHEMES,
    Scheme,
    largest_sum,
    reach,
    scheme_for,
    why_not,
)
from mcusim.layers.convolution import Convolution
from mcusim.layers.input import Input
from mcusim.line.destination import memory_of
from mcusim.line.lower import program_of, running_layers
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.affine import affine_graph
from tests.kernels.measured import differing, forced, measure

BOARDS = ("nucleo_l452re_p", "sparkfun_edge")


def layer_of(graph: Graph) -> Convolution:
    return next(layer for layer in running_layers(graph) if isinstance(layer, Convolution))


def quantized(builder: Builder, data_type: str) -> tuple[Graph, Array]:
    """And two samples, of which one saturates."""
    graph = quantize(optimize(builder.graph()), builder.samples(8), data_type)
    samples = builder.samples(2)
    samples[-1] *= 1000
    return graph, samples


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.title)
def test_the_points_are_the_convolution(scheme: Scheme) -> None:
    """`whole` times the outputs, for every input and weight that is one and all others zero."""
    outputs = range(scheme.outputs_of_a_tile)
    for position in range(scheme.points):
        for tap in range(3):
            d, g = np.eye(scheme.points, dtype=int)[position], np.eye(3, dtype=int)[tap]
            made = scheme.outputs @ (scheme.scales * (scheme.inputs @ d) * (scheme.weights @ g))
            assert made.tolist() == [scheme.whole * int(np.dot(d[i : i + 3], g)) for i in outputs]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.title)
def test_the_bound_of_the_transform_is_reached(scheme: Scheme) -> None:
    made = scheme.inputs @ corners(-128, 127, scheme.points)
    made[1] -= scheme.offset
    assert (int(made.min()), int(made.max())) == reach(scheme.inputs, -128, 127, scheme.offset)


def test_what_has_no_proof_is_refused() -> None:
    kernel, none = np.ones((2, 1, 3, 4), np.int8), np.zeros(2, np.int64)
    assert why_not(F43, 0, 255, kernel, none + 2**28 - 256 * 12) is None
    assert "before the last shift" in (why_not(F43, 0, 255, kernel, none - 2**28) or "")
    assert "no room" in (why_not(F43, -(2**12), 2**12 - 1, kernel, none) or "")
    assert "its weights" in (why_not(F43, 0, 1, 5000 * kernel.astype(np.int16), none) or "")
    assert scheme_for(-(2**11), 2**11 - 1, kernel, none) is F43
    assert scheme_for(-(2**13), 2**13 - 1, kernel, none) is F23
    assert scheme_for(0, 2**15 - 1, kernel, none) is F23_POSITIVE
    assert "no room" in str(scheme_for(-1, 2**15 - 1, kernel, none))


def test_the_largest_sum_is_reached() -> None:
    kernel = np.random.default_rng(0).integers(-9, 9, (3, 1, 3, 2))
    bias = np.array([5, -700, 3])
    rows = kernel.reshape(3, -1)
    worst = max(abs(int(row @ x + one)) for row, one in zip(rows, bias, strict=True) for x in corners(-3, 11, 6).T)
    assert largest_sum(-3, 11, kernel, bias) == worst


def corners(minimum: int, maximum: int, count: int) -> Array:
    """(count, 2 ** count)"""
    return np.array(np.meshgrid(*[[minimum, maximum]] * count)).reshape(count, -1)


@pytest.mark.parametrize(
    ("shape", "config", "data_type", "why"),
    [
        ((40, 4), {"size": 5}, "int8", "windows of three"),
        ((40, 4), {"strides": 2}, "int8", "stride 1"),
        ((40, 4), {"dilation_rate": 2}, "int8", "dilation"),
        ((40, 4), {}, "int16", "no room"),
        ((12, 4), {}, "int8", "16 positions"),
        ((3, 9, 4), {"padding": "same"}, "int8", "4 rows"),
        ((40, 4), {"filters": 1}, "int8", "two filters"),
        ((20, 800), {"filters": 2}, "int8", "too far apart"),
    ],
)
def test_what_it_cannot_run_says_why(shape: tuple[int, ...], config: dict[str, int], data_type: str, why: str) -> None:
    builder = Builder(shape)
    builder.conv(**{"filters": 4, **config})
    graph, _ = quantized(builder, data_type)
    layer = layer_of(graph)
    assert why in (winograd.fits(layer, graph.inputs_of(layer)) or "")


@st.composite
def cases(draw: st.DrawFn) -> tuple[Builder, str, Variant]:
    """One or two layers, so that the second reads what the first wrote: with a sign or without."""
    channels, seed = draw(st.integers(1, 9)), draw(st.integers(0, 2**16))
    side = st.integers(6, 19)
    shape = (draw(st.integers(20, 70)), channels) if draw(st.booleans()) else (draw(side), draw(side), channels)
    builder = Builder(shape, seed=seed, spread=draw(st.sampled_from([1.0, 30.0])))
    rank = len(shape) - 1
    for _ in range(draw(st.integers(1, 2))):
        if draw(st.booleans()):
            builder.add("ReLU")
        if draw(st.booleans()):
            ends = st.tuples(st.integers(0, 2), st.integers(0, 2))
            builder.add(f"ZeroPadding{rank}D", padding=draw(ends) if rank == 1 else (draw(ends), draw(ends)))
        channels, filters = builder.last.shape[-1], draw(st.integers(2, 7))
        window = (3,) if rank == 1 else (draw(st.integers(1, 4)), 3)
        arrays = (builder.weights(*window, channels, filters, fan_in=9 * channels), builder.bias(filters))
        activation = draw(st.sampled_from(["linear", "relu", "relu6"]))
        padding = "same" if min(builder.last.shape[:-1]) < 7 else draw(st.sampled_from(["same", "valid"]))
        builder.add(f"Conv{rank}D", arrays=arrays, padding=padding, activation=activation)
    variant = Variant(draw(st.integers(1, 5)), draw(st.booleans()))
    return builder, draw(st.sampled_from(["int8", "int8", "int12", "int14", "int16", "w8a16"])), variant


@settings(max_examples=8, deadline=None)
@given(cases())
def test_on_the_host(case: tuple[Builder, str, Variant]) -> None:
    builder, data_type, variant = case
    graph, x = quantized(builder, data_type)
    chosen = forced(graph, winograd, variant)
    assert np.array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))


@pytest.mark.arm
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(("variant", "data_type"), [(DEFAULT, "int8"), (Variant(2, True), "int16")], ids=str)
def test_on_boards(board: str, variant: Variant, data_type: str, tmp_path: Path) -> None:
    builder = Builder((9, 23, 5))
    builder.conv(8, padding="same", activation="relu")
    builder.conv(7, padding="valid", activation="relu6")
    builder.add("Reshape", target_shape=(-1, 7))
    builder.conv(6, padding="same")
    graph, x = quantized(builder, data_type)
    measured = measure(graph, x, tmp_path, forced(graph, winograd, variant), board)
    assert {step.kernel for step in measured.program.steps} >= {winograd.NAME}
    assert differing(measured, graph, x) == 0


@pytest.mark.parametrize("ends", [((1, 1), (1, 1)), ((2, 0), (0, 2)), ((0, 1), (2, 1)), ((0, 0), (0, 0))], ids=str)
def test_tiles_begin_in_every_row_that_a_window_sees_and_in_no_other(ends: tuple[tuple[int, int], ...]) -> None:
    """Those around the input are copied, which is dear: they are a part of the price."""
    builder = Builder((25, 18, 4))
    builder.add("ZeroPadding2D", padding=ends)
    builder.conv(4, padding="valid")
    layer = layer_of(quantized(builder, "int8")[0])
    plan = winograd._plan(layer, F43, Variant(8))
    assert layer.padding == ends and 0 < plan.rows < layer.shape[0]
    every = [cell for block in range(plan.blocks) for cell in _cells(layer, plan, block)]
    (top, bottom), (left, right) = ends
    assert {row for row, _ in every} == set(range(-top, 25 + bottom))
    columns = {column for _, column in every}
    assert min(columns) == -left and max(columns) == 18 + right - F43.points


SHAPES = (  # input, filters, padding
    ((128, 16), 16, "same"),
    ((61, 24), 7, "valid"),
    ((37, 5), 9, "same"),
    ((40, 80), 12, "same"),
    ((16, 16, 32), 8, "same"),
    ((13, 9, 12), 6, "same"),
    ((25, 12, 3), 8, "valid"),
    ((57, 25), 6, "same"),
)


def side_by_side(data_type: str) -> tuple[Graph, Array]:
    """A convolution of each of SHAPES with an input of its own: one build and one run for all."""
    builder = Builder(SHAPES[0][0])
    outputs = []
    for index, (shape, filters, padding) in enumerate(SHAPES):
        if index:
            builder.layers.append(Input(name=f"input{index}", inputs=(), shape=shape))
        made = builder.conv(filters, 3, builder.last.name, padding=padding, activation="relu")
        outputs.append(Output(f"output{index}", made))
    graph = Graph(tuple(builder.layers), "model", outputs=tuple(outputs))
    x = {one.name: builder.random.normal(size=(2, *one.shape)).astype(np.float32) for one in graph.inputs}
    samples = records_of(x)
    return quantize(optimize(graph), samples, data_type), samples[:1]


@pytest.mark.arm
@pytest.mark.parametrize(
    ("board", "variant", "within"),
    [
        ("nucleo_l452re_p", DEFAULT, 0.05),
        ("nucleo_l452re_p", Variant(2, True), 0.05),
        ("sparkfun_edge", DEFAULT, 0.15),
    ],
)
def test_what_it_costs(board: str, variant: Variant, within: float, tmp_path: Path) -> None:
    graph, x = side_by_side("int8")
    measured = measure(graph, x, tmp_path, forced(graph, winograd, variant), board)
    for step in measured.program.steps:
        layer = graph[step.name]
        estimate = winograd.cost(layer, graph.inputs_of(layer), variant, memory_of(load_board(board)))
        assert estimate == pytest.approx(measured.cycles[step.name], rel=within), step.name


@pytest.mark.arm
@pytest.mark.parametrize(("board", "unsigned"), [("nucleo_l452re_p", True), ("sparkfun_edge", False)])
def test_affine_layers_have_their_bits_and_their_price(board: str, unsigned: bool, tmp_path: Path) -> None:
    graph, x = side_by_side("int8")
    graph = affine_graph(graph, seed=int(unsigned), unsigned=unsigned)
    chosen = forced(graph, winograd)
    compiled, wanted = run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x)
    assert all(np.array_equal(compiled[name], wanted[name]) for name in wanted.dtype.names or ())
    measured = measure(graph, x, tmp_path, chosen, board)
    assert differing(measured, graph, x) == 0
    assert sum(step.kernel == winograd.NAME for step in measured.program.steps) == len(SHAPES)
    for step in measured.program.steps if board == "nucleo_l452re_p" else ():
        told = winograd.cost(graph[step.name], graph.inputs_of(graph[step.name]), DEFAULT, USUAL)
        assert told == pytest.approx(measured.cycles[step.name], rel=0.05), step.name
