"""Direct convolution against Graph.run: shapes on the host under the sanitizers, both boards, what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph, Output, Shape
from mcusim.kernels import direct
from mcusim.kernels.direct.tap_reuse import Window, schedule
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.kernels.memory import USUAL
from mcusim.line.lower import program_of, running_layers
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.affine import affine_graph
from tests.kernels.measured import Measured, assert_priced, differing, forced, measure

BOARDS = ("nucleo_l452re_p", "sparkfun_edge")


def convolve(builder: Builder, filters: int, window: Shape, *inputs: str, groups: int = 1, **config: Any) -> str:
    """Like Builder.conv, with a window of any shape."""
    channels = (builder.layer(inputs[0]) if inputs else builder.last).shape[-1] // groups
    fan_in = int(np.prod(window)) * channels
    arrays = (builder.weights(*window, channels, filters, fan_in=fan_in), builder.bias(filters))
    return builder.add(f"Conv{len(window)}D", *inputs, arrays=arrays, groups=groups, **config)


LONG = "Q6.9"  # one format for all numbers of int16: sums of large weights need 64 bits


def on_integers(graph: Graph, samples: Array, data_type: str) -> Graph:
    if data_type == LONG:
        return quantize(optimize(graph), samples, "int16", scheme="per-network", fraction=9)
    return quantize(optimize(graph), samples, data_type, weights="rounded")


def quantized(builder: Builder, data_type: str) -> tuple[Graph, Array]:
    """And two samples, of which one saturates."""
    graph = on_integers(builder.graph(), builder.samples(8), data_type)
    samples = builder.samples(2)
    samples[-1] *= 1000
    return graph, samples


def side_by_side(shape: Shape, convolutions: list[dict[str, Any]], data_type: str) -> tuple[Graph, Array]:
    """Layers that read the same input, all of them outputs: one build and one run for many."""
    builder = Builder(shape, spread=30.0 if data_type == LONG else 1.0)
    names = [convolve(builder, c.pop("filters"), c.pop("window"), "input", **c) for c in convolutions]
    graph = Graph(tuple(builder.layers), "side_by_side", outputs=tuple(Output(name, name) for name in names))
    return on_integers(graph, builder.samples(8), data_type), builder.samples(2) * 2


def test_a_schedule_makes_each_product_once() -> None:
    """From registers that hold what it says, whatever order is the cheapest."""
    for window in (Window(f, p, k, s) for f, p in ((1, 8), (2, 3), (1, 5)) for k in range(1, 8) for s in (1, 2)):
        held: dict[int, object] = {}
        made = []
        for burst in schedule(window):
            held.update(zip(burst.registers, burst.loads, strict=True))
            for product, weight, column in burst.products:
                assert (held[weight], held[column]) == (product.weight, product.column)
                assert product.column.place == window.stride * product.position + product.weight.place
                made.append((product.filter_, product.position, product.weight.place))
        assert len(set(made)) == len(made) == window.sums * window.taps
        assert max(held) < window.operands


def test_columns_are_reused() -> None:
    """Cycles for a product of the shapes that matter: the fewest that anybody found."""
    best = {(3, 1): 32 / 36, (5, 1): 51 / 60, (7, 1): 58 / 70, (3, 2): 34 / 36}
    for (taps, stride), bound in best.items():
        sizes = [(filters, positions) for filters in (1, 2) for positions in range(1, 8 // filters + 1)]
        found = min(Window(f, p, taps, stride).cycles / (2 * f * p * taps) for f, p in sizes)
        assert found <= bound


@st.composite
def cases(draw: st.DrawFn) -> tuple[Builder, str, Variant]:
    """One or two layers, so that the second reads what the first wrote: with a sign or without."""
    channels, rank = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 9])), draw(st.integers(1, 2))
    sides = [draw(st.integers(5, 33 if rank == 1 else 15)) for _ in range(rank)]
    builder = Builder((*sides, channels), draw(st.integers(0, 2**16)), spread=draw(st.sampled_from([1.0, 1.0, 30.0])))
    for _ in range(draw(st.integers(1, 2))):
        sides = list(builder.last.shape[:-1])
        window = tuple(draw(st.integers(1, min(7, side))) for side in sides)
        if draw(st.booleans()):
            ends = [draw(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))) for n in window]
            builder.add(f"ZeroPadding{rank}D", padding=ends[0] if rank == 1 else tuple(ends))
        groups = draw(st.sampled_from([g for g in (1, 1, 2, 3) if builder.last.shape[-1] % g == 0]))
        convolve(
            builder,
            groups * draw(st.integers(1, 4)),
            window,
            groups=groups,
            strides=tuple(draw(st.integers(1, 2)) for _ in sides),
            padding=draw(st.sampled_from(["same", "valid"])),
            activation=draw(st.sampled_from(["linear", "relu", "relu6"])),
        )
    variant = Variant(draw(st.sampled_from([1, 1, 2, 3, 5])), draw(st.booleans()))
    return builder, draw(st.sampled_from(["int8", "int8", "int16", "int12", "w8a16", LONG])), variant


@settings(max_examples=8, deadline=None)
@given(cases())
def test_on_the_host(case: tuple[Builder, str, Variant]) -> None:
    builder, data_type, variant = case
    graph, x = quantized(builder, data_type)
    chosen = forced(graph, direct, variant)
    assert np.array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))


def shapes_1d() -> list[dict[str, Any]]:
    return [
        {"filters": 4, "window": (3,), "padding": "same", "activation": "relu"},
        {"filters": 1, "window": (3,), "padding": "same"},
        {"filters": 5, "window": (3,), "padding": "same", "strides": 2, "activation": "relu6"},
        {"filters": 3, "window": (5,), "padding": "same"},
        {"filters": 2, "window": (7,), "padding": "same", "activation": "relu"},
        {"filters": 3, "window": (4,), "padding": "same", "strides": 2},
        {"filters": 4, "window": (2,)},
        {"filters": 6, "window": (3,), "padding": "same", "groups": 2},
    ]


def shapes_2d() -> list[dict[str, Any]]:
    return [
        {"filters": 4, "window": (3, 3), "padding": "same", "activation": "relu"},
        {"filters": 3, "window": (3, 3), "padding": "same", "strides": 2},
        {"filters": 2, "window": (5, 4), "padding": "same", "strides": (2, 1), "activation": "relu6"},
        {"filters": 2, "window": (7, 1), "padding": "same", "strides": (1, 2)},
        {"filters": 1, "window": (2, 7)},
        {"filters": 4, "window": (3, 3), "padding": "same", "groups": 2},
    ]


def shapes_3() -> list[dict[str, Any]]:
    """Of three channels: the first layers of networks that see."""
    return [
        {"filters": 4, "window": (3, 3), "padding": "same", "activation": "relu"},
        {"filters": 8, "window": (3, 3), "padding": "same", "strides": 2, "activation": "relu6"},
        {"filters": 3, "window": (5, 4), "padding": "same", "strides": (2, 1)},
        {"filters": 2, "window": (2, 3), "strides": 2},
    ]


GRIDS: list[tuple[Shape, list[dict[str, Any]], Variant]] = [
    ((31, 20), shapes_1d(), DEFAULT),
    ((26, 6), shapes_1d(), Variant(3, True)),
    ((9, 13, 2), shapes_2d(), Variant(2)),
    ((11, 10, 12), shapes_2d(), Variant(1, True)),
]
WHERE = [(BOARDS[0], grid, data_type) for grid in GRIDS for data_type in ("int8", "int16")]
WHERE += [(BOARDS[0], GRIDS[3], LONG), (BOARDS[1], GRIDS[0], "int16"), (BOARDS[1], GRIDS[3], "int8")]


def prices(graph: Graph, measured: Measured, variant: Variant) -> list[tuple[float, float]]:
    """Of each layer, and the cycles that it took."""
    return [
        (direct.cost(layer, graph.inputs_of(layer), variant, USUAL), measured.cycles[layer.name])
        for layer in running_layers(graph)
    ]


@pytest.mark.parametrize(("board", "grid", "data_type"), WHERE)
def test_on_boards(board: str, grid: Any, data_type: str, tmp_path: Path) -> None:
    """Bits, and on the L452 the cycles that it says, where the C around does not weigh more than all else."""
    shape, convolutions, variant = grid
    graph, x = side_by_side(shape, [dict(each) for each in convolutions], data_type)
    chosen = forced(graph, direct, variant)
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"direct"}
    measured = measure(graph, x, tmp_path, chosen, board)
    assert differing(measured, graph, x) == 0
    if board == BOARDS[0]:
        assert_priced(prices(graph, measured, variant))


def test_sums_of_64_bits_are_tried() -> None:
    graph, _ = side_by_side((11, 10, 12), shapes_2d(), LONG)
    assert sum(layer.accumulator_peak > ACCUMULATOR_LIMIT for layer in running_layers(graph)) >= 4


@pytest.mark.parametrize("data_type", ["int8", "int16"])
def test_it_is_as_fast_as_it_says(data_type: str, tmp_path: Path) -> None:
    """At most 0.96 cycles a product, with all that goes with it, where a layer is long enough."""
    builder = Builder((128, 80))
    builder.conv(80, 3, padding="same", activation="relu")
    graph, x = quantized(builder, data_type)
    measured = measure(graph, x, tmp_path, forced(graph, direct))
    (layer,) = running_layers(graph)
    assert differing(measured, graph, x) == 0
    assert measured.cycles[layer.name] / layer.macs < 0.96
    assert direct.cost(layer, graph.inputs_of(layer), DEFAULT, USUAL) == pytest.approx(
        measured.cycles[layer.name], rel=0.02
    )


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_folded_copy_takes_no_more_than_it_says(channels: int, tmp_path: Path) -> None:
    """Of 16 bits with 4 channels the compiler once made a call of memmove for each column: half as long again."""
    builder = Builder((12, 12, channels))
    builder.conv(8, 3, padding="same")
    graph, x = quantized(builder, "int16")
    measured = measure(graph, x, tmp_path, forced(graph, direct))
    (layer,) = running_layers(graph)
    assert differing(measured, graph, x) == 0
    assert measured.cycles[layer.name] <= 1.05 * direct.cost(layer, graph.inputs_of(layer), DEFAULT, USUAL)


@pytest.mark.parametrize(
    ("shape", "config", "data_type", "why"),
    [
        ((40, 4), {"window": (9,)}, "int8", "up to 7 wide"),
        ((40, 4), {"window": (3,), "strides": 3}, "int8", "strides up to 2"),
        ((40, 4), {"window": (3,), "dilation_rate": 2}, "int8", "without gaps"),
        ((10, 4000), {"window": (3,)}, "int8", "too far apart"),
    ],
)
def test_what_it_cannot_run_says_why(shape: Shape, config: dict[str, Any], data_type: str, why: str) -> None:
    builder = Builder(shape)
    convolve(builder, 2, **config)
    graph, _ = quantized(builder, data_type)
    (layer,) = running_layers(graph)
    assert why in (direct.fits(layer, graph.inputs_of(layer)) or "")


@settings(max_examples=6, deadline=None)
@given(cases(), st.booleans())
def test_affine_layers_on_the_host(case: tuple[Builder, str, Variant], unsigned: bool) -> None:
    builder, _, variant = case
    graph, x = quantized(builder, "int8")
    graph = affine_graph(graph, seed=len(builder.layers), unsigned=unsigned)
    chosen = forced(graph, direct, Variant(variant.stripes))
    assert np.array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))


AFFINE = [((31, 12), shapes_1d()), ((9, 10, 12), shapes_2d()), ((9, 13, 3), shapes_3())]


@pytest.mark.parametrize(("board", "zero"), [(BOARDS[0], 0), (BOARDS[0], -128), (BOARDS[1], 7)])
@pytest.mark.parametrize(("shape", "convolutions"), AFFINE)
def test_affine_layers_on_boards(
    board: str, zero: int, shape: Shape, convolutions: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Zeros of the input are taken off where it is copied."""
    graph, x = side_by_side(shape, [dict(each) for each in convolutions], "int8")
    graph = affine_graph(graph, seed=3 + abs(zero), unsigned=zero != 7, inputs_zero=zero)
    chosen = forced(graph, direct)
    compiled, wanted = run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x)
    assert all(np.array_equal(compiled[name], wanted[name]) for name in wanted.dtype.names or ())
    measured = measure(graph, x, tmp_path, chosen, board)
    assert differing(measured, graph, x) == 0
    assert {step.kernel for step in measured.program.steps} == {direct.NAME}
    if board == BOARDS[0]:
        assert_priced(prices(graph, measured, DEFAULT))
