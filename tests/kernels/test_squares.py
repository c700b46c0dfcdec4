"""Exact two-dimensional Winograd against Graph.run: its matrices and bounds, shapes on host and boards, its price."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.boards.load import load_board
from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.graph import Graph, Output
from mcusim.kernels import squares, squares_in_flash
from mcusim.kernels.choice import Destination, options
from mcusim.kernels.kernel import DEFAULT, Kernel, Variant
from mcusim.kernels.memory import USUAL
from mcusim.kernels.squares.plan import Plan
from mcusim.kernels.squares.points import NINTH, POINTS, SQUARE, flat
from mcusim.kernels.winograd.points import reach, why_not
from mcusim.kernels.winograd.tile import Layout
from mcusim.layers.convolution import Convolution
from mcusim.layers.input import Input
from mcusim.line.destination import memory_of
from mcusim.line.lower import program_of, running_layers
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.affine import affine_graph
from tests.kernels.measured import CORE, assert_priced, differing, forced, measure

BOARDS = ("nucleo_l452re_p", "sparkfun_edge")


def layer_of(graph: Graph) -> Convolution:
    return next(layer for layer in running_layers(graph) if isinstance(layer, Convolution))


def test_the_points_are_the_convolution() -> None:
    """`whole` times the outputs, for every input and weight that is one and all others zero."""
    made = np.einsum("op,p,pd,pg->dgo", SQUARE.outputs, SQUARE.scales, SQUARE.inputs, SQUARE.weights)
    wanted = np.zeros((6, 6, 3, 3, 4, 4), int)
    for i, j, r, c in np.ndindex(4, 4, 3, 3):
        wanted[j + c, i + r, c, r, j, i] = SQUARE.whole
    np.testing.assert_array_equal(made.reshape(wanted.shape), wanted)
    assert SQUARE.whole == 9 << SQUARE.left_bits and 9 * NINTH % 2**32 == 1


def test_bytes_always_fit() -> None:
    """Whatever they are: V and U in 16 bits. Sums may wrap round."""
    for least, most in ((-128, 127), (0, 255)):
        low, high = reach(SQUARE.inputs, least, most)
        assert -(2**15) <= low < high < 2**15
    assert np.abs(SQUARE.weights).sum(axis=1).max() * 128 < 2**15


def test_outputs_have_to_fit_64_times() -> None:
    kernel, bias = flat(np.ones((2, 3, 3, 4), np.int8)), np.zeros(2, np.int64)
    most = (ACCUMULATOR_LIMIT >> 6) - 128 * 36
    assert why_not(SQUARE, -128, 127, kernel, bias - most) is None
    assert "before the last shift" in (why_not(SQUARE, -128, 127, kernel, bias - most - 64) or "")


@pytest.mark.parametrize(
    ("shape", "config", "data_type", "why"),
    [
        ((9, 9, 4), {"size": 5}, "int8", "windows of 3 x 3"),
        ((9, 9, 4), {"strides": 2}, "int8", "stride 1"),
        ((40, 4), {}, "int8", "windows of 3 x 3"),
        ((9, 9, 4), {}, "int16", "8 bits"),
        ((9, 9, 4), {}, "w8a16", "8 bits"),
        ((9, 5, 4), {}, "int8", "4 rows of 4"),
        ((9, 9, 4), {"filters": 1}, "int8", "two filters"),
        ((4, 4, 4), {"padding": "same", "filters": 1400}, "int8", "too far apart"),
    ],
)
def test_what_it_cannot_run_says_why(shape: tuple[int, ...], config: dict[str, int], data_type: str, why: str) -> None:
    builder = Builder(shape)
    builder.conv(**{"filters": 4, **config})
    graph = quantize(optimize(builder.graph()), builder.samples(2), data_type)
    layer = layer_of(graph)
    assert why in (squares.fits(layer, graph.inputs_of(layer)) or "")


def test_weights_lie_where_the_tile_reads_them() -> None:
    """Whatever the number of channels: the address of the input ends its loops, that of the weights ends none."""
    for words in range(2, 200, 2):
        layout = Layout(SQUARE, words, 4 * words, 16 * words, 36 * 16 * words, 8, 64, 0, by_input=True)
        assert POINTS * layout.apart == Plan(2 * words, 1, 1, 1, in_flash=False).weights_bytes


@st.composite
def cases(draw: st.DrawFn) -> tuple[Builder, Kernel, Variant, bool]:
    """Two layers, so that the second reads what the first wrote: with a sign or without."""
    side = st.integers(6, 15)
    builder = Builder((draw(side), draw(side), draw(st.integers(1, 9))), seed=draw(st.integers(0, 2**16)))
    for _ in range(2):
        padding = "same" if min(builder.last.shape[:2]) < 8 else draw(st.sampled_from(["same", "valid"]))
        activation = draw(st.sampled_from(["linear", "relu", "relu6"]))
        builder.conv(draw(st.integers(2, 7)), 3, padding=padding, activation=activation)
    kernel = draw(st.sampled_from([squares, squares_in_flash]))
    return builder, kernel, Variant(draw(st.integers(1, 3))), draw(st.booleans())


@settings(max_examples=6, deadline=None)
@given(cases())
def test_on_the_host(case: tuple[Builder, Kernel, Variant, bool]) -> None:
    builder, kernel, variant, is_affine = case
    graph = quantize(optimize(builder.graph()), builder.samples(8), "int8")
    x = builder.samples(2) * [[[[1.0]]], [[[1000.0]]]]  # one saturates
    graph = affine_graph(graph, seed=1) if is_affine else graph
    chosen = forced(graph, kernel, variant)
    assert [one for one, _ in chosen.values()] == [kernel, kernel]
    assert np.array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))


SHAPES: tuple[tuple[tuple[int, ...], int, str, int, Kernel], ...] = (  # input, filters, padding, stripes
    ((16, 16, 16), 8, "same", 1, squares),
    ((12, 12, 32), 6, "same", 3, squares_in_flash),
    ((8, 8, 64), 6, "same", 1, squares),
    ((6, 7, 36), 5, "valid", 1, squares_in_flash),
    ((13, 9, 6), 7, "same", 2, squares),
    ((6, 6, 52), 4, "valid", 1, squares),
)


def side_by_side() -> tuple[Graph, Array]:
    """A convolution of each of SHAPES with an input of its own: one build and one run for all."""
    builder = Builder(SHAPES[0][0])
    outputs = []
    for index, (shape, filters, padding, *_) in enumerate(SHAPES):
        if index:
            builder.layers.append(Input(name=f"input{index}", inputs=(), shape=shape))
        activation = "relu" if index % 2 else "linear"
        made = builder.conv(filters, 3, builder.last.name, padding=padding, activation=activation)
        outputs.append(Output(f"output{index}", made))
    graph = Graph(tuple(builder.layers), "model", outputs=tuple(outputs))
    x = {one.name: builder.random.normal(size=(4, *one.shape)).astype(np.float32) for one in graph.inputs}
    for one in x.values():
        one[2] *= 1000
        one[3] = 1000 * (-1) ** np.arange(one[3].size).reshape(one[3].shape)
    return quantize(optimize(graph), records_of({name: one[:2] for name, one in x.items()}), "int8"), records_of(x)


def with_extreme_weights(graph: Graph) -> Graph:
    """All weights at -128 or 127: the first filter as its points are largest, the others by chance."""
    random = np.random.default_rng(0)
    layers = []
    for layer in graph:
        if isinstance(layer, Convolution):
            kernel = random.choice(np.array([-128, 127], np.int8), layer.kernel.shape)
            kernel[0], kernel[1] = -128, 127
            taps = kernel.reshape(len(kernel), -1).astype(np.int64)
            peak = 128 * int(np.abs(taps).sum(axis=1).max()) + int(np.abs(layer.bias).max())
            layer = replace(layer, kernel=kernel, peak_sum=peak)
        layers.append(layer)
    return replace(graph, layers=tuple(layers))


@pytest.mark.arm
@pytest.mark.parametrize(("board", "is_affine"), [(BOARDS[0], False), (BOARDS[0], True), (BOARDS[1], True)])
def test_bits_and_price_on_boards(board: str, is_affine: bool, tmp_path: Path) -> None:
    """Weights of the first case are as large as can be, and so are inputs."""
    graph, x = side_by_side()
    graph = affine_graph(graph, seed=2) if is_affine else with_extreme_weights(graph)
    layers = [layer for layer in running_layers(graph) if isinstance(layer, Convolution)]
    own = {layer.name: (kernel, Variant(stripes)) for layer, (*_, stripes, kernel) in zip(layers, SHAPES, strict=True)}
    chosen = forced(graph, squares) | own
    assert all(squares.fits(layer, graph.inputs_of(layer)) is None for layer in layers)
    measured = measure(graph, x, tmp_path, chosen, board)
    assert differing(measured, graph, x) == 0
    memory = memory_of(load_board(board))
    priced = []
    for layer in layers:
        kernel, variant = own[layer.name]
        priced.append((kernel.cost(layer, graph.inputs_of(layer), variant, memory), measured.cycles[layer.name]))
    print([f"{cycles:.0f} {told / cycles - 1:+.1%}" for told, cycles in priced])
    assert_priced(priced)


def test_it_is_the_fastest_where_it_saves_most_and_from_flash_only_where_named() -> None:
    builder = Builder((8, 8, 64))
    builder.conv(32, 3, padding="same")
    graph = quantize(optimize(builder.graph()), builder.samples(2), "int8")
    layer = layer_of(graph)
    inputs = graph.inputs_of(layer)
    first, *others = options(layer, inputs, Destination(CORE, USUAL))
    best = next(option for option in others if option.kernel is not squares)
    assert first.kernel is squares and first.variant == DEFAULT and first.cycles < 0.9 * best.cycles
    assert squares_in_flash not in {option.kernel for option in others}
    named = KernelChoice(layers=((layer.name, (squares_in_flash.NAME,)),))
    faster, *_ = options(layer, inputs, Destination(CORE, USUAL), named)
    assert faster.kernel is squares_in_flash and faster.cycles < 0.9 * first.cycles
    assert faster.weights_bytes - 128 == 8 * (first.weights_bytes - 128)  # but for biases
