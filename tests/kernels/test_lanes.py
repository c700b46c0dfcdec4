"""Layers without weights, numbers side by side in words: the bits of Graph.run, and what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.kernels import lanes, plain
from mcusim.kernels.kernel import DEFAULT
from mcusim.kernels.lanes.addition import summing_up
from mcusim.kernels.lanes.pairs import PairsEnd
from mcusim.kernels.lanes.sums import summing_of
from mcusim.kernels.memory import USUAL
from mcusim.layers.add import Add
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.numbers.power_of_two import ShiftedAddition
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.lanes_graphs import Side
from tests.kernels.measured import Measured, forced, measure, misplaced

NUMBERS = ((8, "nearest"), (5, "floor"), (16, "nearest"), (0, "nearest"))
ACTIVATIONS = (LINEAR, RELU, Activation(True, 50.0), Activation(True, 2.0))


def same_bits(answers: Array, wanted: Array) -> bool:
    return answers.tobytes() == wanted.tobytes()


def on_the_host(graph: Graph, x: Array) -> Array:
    """With this kernel wherever it fits."""
    return run_compiled(graph, x, program=program_of(graph, forced(graph, lanes)))


def sums(side: Side, shape: tuple[int, ...]) -> None:
    """Every way to make a sum: saturated, halved, in pairs by doubling, shifting and adding again, in 32 bits."""
    a, b, c = (side.input(shape) for _ in range(3))
    for activation in ACTIVATIONS[:3] if side.bits == 8 else ACTIVATIONS[1:3]:
        side.add(a, b, activation=activation)
        side.add(a, b, shift=1, activation=activation)
        side.add(a, b, shifts=(0, 1), shift=1, activation=activation)
        side.add(a, b, shifts=(2, 0), shift=3, activation=activation)
        side.add(a, b, shifts=(5, 0), shift=4, activation=activation)
        side.add(a, b, shifts=(10, 0), shift=10, activation=activation)
    side.add(a, b, c, shifts=(0, 1, 2), shift=2)
    side.add(a, b, c, a, shift=2, activation=RELU)
    side.add(a, b, c, shifts=(9, 0, 3), shift=9)
    side.add(c, a, b, shifts=(1, 9, 2), shift=5, activation=ACTIVATIONS[2])
    side.add(*(a, b, c) * 2, shifts=(0, 1, 3, 0, 2, 1), shift=4)
    side.add(*(a, b, c) * 3, shift=3)
    side.add(*(c, a, b, c) * 4, shifts=(0, 6, 2, 1) * 4, shift=7)
    side.add(a, a)
    if side.bits in (5, 8):
        u, v = side.input(shape, signed=False), side.input(shape, signed=False)
        for activation in ACTIVATIONS[::3] if side.bits == 8 else ACTIVATIONS[3:]:
            side.add(u, v, signed=False, activation=activation)
            side.add(u, v, signed=False, shift=1, activation=activation)
            side.add(u, a, shifts=(0, 1), shift=1, activation=activation)
            side.add(a, b, shifts=(1, 0), shift=1, signed=False, activation=activation)
            side.add(a, u, shifts=(1, 0), shift=3, signed=False, activation=activation)
            side.add(u, b, shifts=(0, 2), shift=2, signed=False, activation=activation)
            side.add(a, u, shifts=(3, 0), shift=2, signed=False, activation=activation)
            side.add(u, v, shifts=(4, 0), shift=3, activation=activation)


def pools(side: Side, *, mean: bool, signed: bool = True) -> None:
    for shape in ((12, 9), (9, 37), (7, 4)):
        a = side.input(shape, signed=signed)
        for size, stride, same in ((2, 2, False), (3, 2, True), (3, 1, True), (5, 5, False), (shape[0], 1, False)):
            side.pool(a, (1, size), (1, stride), same=same, mean=mean, activation=RELU if size == 3 else LINEAR)
    for plane in ((8, 8, 16), (9, 7, 5)):
        a = side.input(plane, signed=signed)
        for size, stride, same in ((2, 2, False), (3, 2, True), (4, 3, True)):
            side.pool(a, (size, size), (stride, stride), same=same, mean=mean)
        side.pool(a, plane[:2], (1, 1), mean=mean, activation=Activation(True, 40.0))


def moves(side: Side) -> None:
    for shape, fraction in (((33, 7), 3), ((6, 3, 4), 5), ((9, 1), 2), ((13, 2), 4), ((7, 3), 1), ((3, 45), 1)):
        a, b = side.input(shape), side.input(shape, fraction=min(fraction, max(side.bits - 1, 0)))
        side.relu(a)
        side.relu(a, 3.0)
        side.concatenate(a, b)
        side.concatenate(a, a)
        side.concatenate(a, b, axis=0)
        if side.bits == 8:
            u = side.input(shape, signed=False, fraction=1)
            side.relu(u, 9.0)
            side.concatenate(a, u, b)
            side.concatenate(u, u, signed=False)


@pytest.mark.parametrize(("bits", "rounding"), NUMBERS)
def test_on_the_host(bits: int, rounding: str) -> None:
    side = Side(bits, rounding)
    sums(side, (33, 7) if bits == 8 else (5, 1))
    moves(side)
    if bits:
        pools(side, mean=True, signed=bits > 8 or rounding == "floor")
    pools(side, mean=False, signed=bits != 8)
    graph, x = side.graph(), side.samples(2)
    assert same_bits(on_the_host(graph, x), graph.run(x))


def test_means_of_reals_are_those_of_plain_c() -> None:
    side = Side(0)
    pools(side, mean=True)
    graph, x = side.graph(), side.samples(3)
    assert same_bits(on_the_host(graph, x), run_compiled(graph, x))


def test_what_is_no_number_goes_where_it_goes_in_plain_c() -> None:
    """NaN, infinities and -0.0 come from overflowing sums; nothing but the order of comparisons tells them apart."""
    side = Side(0)
    a, b = side.input((12, 6)), side.input((12, 6))
    huge = side.add(a, a)
    side.pool(side.add(huge, b), (1, 3), (1, 1), activation=RELU)
    side.pool(side.relu(side.add(huge, b)), (1, 12), (1, 1))
    side.pool(side.add(huge, b, activation=RELU), (1, 2), (1, 2), mean=True)
    graph, x = side.graph(), side.samples(4)
    for name in x.dtype.names or ():
        x[name] *= np.float32(3e37)
        x[name][x[name] == 0] = -0.0
    assert same_bits(on_the_host(graph, x), run_compiled(graph, x))


@settings(max_examples=2)
@given(st.data())
def test_any_shape_on_the_host(data: st.DataObject) -> None:
    side = Side(data.draw(st.sampled_from([8, 16, 4, 11])), data.draw(st.sampled_from(["nearest", "floor"])))
    unsigned = side.bits <= 8 and data.draw(st.booleans())
    activation = data.draw(st.sampled_from(ACTIVATIONS))
    shape = (data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9)), data.draw(st.integers(1, 41)))
    a = side.input(shape, signed=not unsigned)
    b, c = side.input(shape), side.input(shape, fraction=2)
    for _ in range(3):
        size = (data.draw(st.integers(1, shape[0])), data.draw(st.integers(1, shape[1])))
        strides = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))
        same, mean = data.draw(st.booleans()), data.draw(st.booleans())
        side.pool(data.draw(st.sampled_from([a, b])), size, strides, same=same, mean=mean, activation=activation)
        scales = tuple(data.draw(st.permutations([0, data.draw(st.integers(0, 11))])))
        signed = not (side.bits <= 8 and data.draw(st.booleans()))
        side.add(a, b, shifts=scales, shift=data.draw(st.integers(0, 12)), activation=activation, signed=signed)
    side.concatenate(a, c, b)
    graph, x = side.graph(), side.samples(2, data.draw(st.integers(0, 99)))
    assert same_bits(on_the_host(graph, x), graph.run(x))


def test_sums_may_overwrite_what_they_read() -> None:
    side = Side(8)
    a, b = side.input((33, 7)), side.input((33, 7))
    first = side.relu(side.add(a, b, shifts=(1, 0), shift=1))
    last = side.add(side.add(first, b, shift=1), first, shifts=(0, 2), shift=2)
    graph = Graph(tuple(side.layers), "side", "int8")
    assert graph.layers[-1].name == last
    program = program_of(graph, forced(graph, lanes))
    assert any(step.sink in step.sources for step in program.steps)
    x = side.samples(3)
    assert same_bits(run_compiled(graph, x, program=program), graph.run(x))


def grid(bits: int) -> Side:
    """Different layers, so that the compiler makes a function of each. All inputs begin at whole words."""
    side = Side(bits)
    shapes = ((64, 20), (24, 16), (16, 12), (7, 4), (8, 37), (12, 7)) if bits else ((24, 20), (16, 12), (9, 7))
    for shape in shapes:
        a, b = side.input(shape), side.input(shape)
        for size, stride, same in ((2, 2, False), (3, 2, True), (5, 5, False), (shape[0], 1, False)):
            side.pool(a, (1, size), (1, stride), same=same, activation=RELU if size == 3 else LINEAR)
        side.add(a, b, shift=int(bits > 0), activation=RELU)
        side.relu(b)
    for plane in ((8, 8, 16), (20, 20, 4), (12, 14, 12), (9, 8, 7)):
        a = side.input(plane, signed=bits != 8)
        for size, stride, same in ((2, 2, False), (3, 2, True), (4, 3, True)):
            side.pool(a, (size, size), (stride, stride), same=same, activation=Activation(True, 40.0 * (size == 3)))
        side.pool(a, plane[:2], (1, 1))
    if bits:
        sums(side, (16, 20))
    else:
        side.add(*(side.input((12, 7)) for _ in range(8)), activation=Activation(True, 9.0))
    moves(side)
    return side


@pytest.mark.parametrize(
    ("bits", "board"), [(8, "nucleo_l452re_p"), (16, "nucleo_l452re_p"), (0, "nucleo_l452re_p"), (8, "sparkfun_edge")]
)
def test_on_boards(bits: int, board: str, tmp_path: Path) -> None:
    """Estimates are those of the L452, where they are near for all that is written in assembly."""
    side = grid(bits)
    graph, x = side.graph(), side.samples(2)
    measured = answered(graph, x, tmp_path, board)
    wanted = graph.run(x) if bits else run_compiled(graph, x)
    assert same_bits(measured.answers, wanted)
    if board != "nucleo_l452re_p":
        return
    far = {}
    steps = [step for step in measured.program.steps if step.kernel == lanes.NAME]
    for step in steps:
        cycles, layer = measured.cycles[step.name], graph[step.name]
        estimate = lanes.cost(layer, graph.inputs_of(layer), DEFAULT, USUAL)
        if abs(estimate - cycles) > max(60, 0.05 * cycles) and not misplaced(measured.program, step):
            far[step.name] = (estimate, cycles)
    assert not far
    assert all(step.code.routines for step in steps) and len(steps) > 30


def answered(
    graph: Graph, x: Array, folder: Path, board: str = "nucleo_l452re_p", *, plain_c: bool = False
) -> Measured:
    return measure(graph, x, folder, forced(graph, plain if plain_c else lanes), board)


def test_how_sums_are_made() -> None:
    side = Side(8)
    sums(side, (4, 5))
    graph, ways = side.graph(), set()
    for layer in graph:
        if isinstance(layer, Add):
            summing = summing_of(layer, graph.inputs_of(layer))
            inputs = graph.inputs_of(layer)
            in_pairs = isinstance(summing_up(layer, inputs).ending, PairsEnd)
            ways.add(summing.ending if summing else "in pairs" if in_pairs else "in words")
    assert ways == {"saturated", "halved", "difference", "mixed", "mixed halves", "in pairs", "in words"}


def test_what_does_not_fit_says_why() -> None:
    side = Side(8)
    a = side.input((6, 3))
    pool = side.layer(side.pool(a, (1, 2), (1, 2)))
    entry = (side.layer(a),)
    assert lanes.fits(pool, entry) == "it takes a word of channels at a time"
    assert lanes.fits(side.layer(a), ()) == "it is for pools, sums, activations and copies"


@pytest.mark.parametrize("rounding", ["nearest", "floor"])
def test_sums_run_in_pairs_only_where_every_one_has_16_bits(rounding: str) -> None:
    """257 times the least number has more, and 257 times the largest has not: a ReLU adds nothing to them."""
    side, seen = Side(8, rounding), set()
    a, b = side.input((4, 5)), side.input((4, 5))
    for finer in range(10):
        for shift in range(finer + 1):
            for activation in (LINEAR, RELU):
                side.add(a, b, shifts=(finer, 0), shift=shift, activation=activation)
    graph = side.graph()
    for layer in graph:
        if isinstance(layer, Add):
            assert isinstance(layer.addition, ShiftedAddition)
            factor = sum(1 << shift for shift in layer.addition.shifts)
            ending = summing_up(layer, graph.inputs_of(layer)).ending
            if isinstance(ending, PairsEnd):
                start = layer.addition.rounding + ending.offset
                assert start - 128 * factor >= -(2**15) and start + 127 * factor < 2**15, layer
            seen.add((factor, isinstance(ending, PairsEnd)))
    assert {(129, True), (257, False)} <= seen


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "int16"])
def test_products_that_are_rounded_down_on_a_board(data_type: str, tmp_path: Path) -> None:
    """Of tensors, and of a tensor by one number a channel; no addend rounds them."""
    builder = Builder((9, 4, 8))
    first = builder.last.name
    other = builder.add("ReLU")
    product = builder.add("Multiply", first, other)
    builder.add("GlobalAveragePooling2D", product, keepdims=True)
    builder.add("Multiply", product, builder.last.name)
    x = builder.samples(8)
    graph = quantize(optimize(builder.graph()), x, data_type, rounding="floor")
    measured = measure(graph, x[:2] * 4, tmp_path, forced(graph, lanes))
    products = [step for step in measured.program.steps if step.kind == "Multiply" and step.kernel == lanes.NAME]
    assert products and all("smulbb" in one.assembly for step in products for one in step.code.routines)
    assert same_bits(measured.answers, graph.run(x[:2] * 4))
