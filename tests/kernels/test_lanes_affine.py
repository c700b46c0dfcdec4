"""Layers without weights on affine numbers: the bits of Graph.run, and what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.kernels import lanes, plain
from mcusim.kernels.kernel import DEFAULT
from mcusim.kernels.lanes.scaled_sums import lane_shift, linear_of
from mcusim.kernels.memory import USUAL
from mcusim.line.lower import program_of
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine
from mcusim.numbers.numbers import LINEAR, RELU
from tests.compiled import run_compiled
from tests.kernels.affine_side import AffineSide
from tests.kernels.measured import forced, measure, misplaced

SHAPES = ((6, 7, 4), (5, 4, 20), (16, 11), (33, 7), (9, 1), (16, 6, 3))
NEAR_CYCLES, NEAR, NEAR_OF_C = 150, 0.05, 0.35


def side(seed: int) -> AffineSide:
    made = AffineSide(seed)
    for shape in SHAPES:
        a, b, c = made.input(shape), made.input(shape), made.input(shape)
        for first, second in ((a, b), (b, c), (a, a)):
            made.sum_of(first, second)
        made.sum_of(a, b, c)
        row = made.input(shape[-1:])
        for kind in ("add", "subtract", "multiply"):
            made.merged(kind, a, b)
            made.merged(kind, a, row)
            made.merged(kind, row, b)
        made.merged("multiply", a, made.input((*shape[:-1], 1)))
        like_a = made.padded(a, sides=0)
        made.merged("maximum", a, like_a)
        made.merged("minimum", like_a, a)
        for one in (a, b):
            made.limited(one)
            made.padded(one)
            made.turned(one)
            made.looked_up(one)
            made.looked_up(one, signed=False)
            made.converted(one)
            made.converted(one, scaled=False)
            made.mean(one)
            made.pool(one, (1, 2), (1, 2), mean=True)
            made.pool(one, (1, 2) if len(shape) < 3 else (3, 2), (1, 3), same=True, mean=True)
            made.pool(one, (1, 3) if shape[0] > 2 and len(shape) < 3 else (2, 2), (1, 1), activation=made.limits())
        made.joined(a, b)
        made.joined(a, a, same=True)
        made.joined(c, a, axis=0, same=True)
    return made


@pytest.mark.parametrize("seed", [0])
def test_on_the_host(seed: int) -> None:
    made = side(seed)
    graph, x = made.graph(), made.samples(3)
    program = program_of(graph, forced(graph, lanes))
    ours = [step.kernel for step in program.steps].count(lanes.NAME)
    assert ours > len(program.steps) * 2 // 3
    np.testing.assert_array_equal(run_compiled(graph, x, program=program), graph.run(x))


@pytest.mark.arm
@pytest.mark.parametrize("board", ["nucleo_l452re_p", "sparkfun_edge"])
def test_on_boards(board: str, tmp_path: Path) -> None:
    made = side(2)
    graph, x = made.graph(), made.samples(2)
    measured = measure(graph, x, tmp_path, forced(graph, lanes), board)
    np.testing.assert_array_equal(measured.answers, graph.run(x))
    if board != "nucleo_l452re_p":
        return
    far = {}
    for step in measured.program.steps:
        if misplaced(measured.program, step):
            continue
        cycles, layer = measured.cycles[step.name], graph[step.name]
        told = lanes.cost(layer, graph.inputs_of(layer), DEFAULT, USUAL) if step.kernel == lanes.NAME else cycles
        near = NEAR if step.code.routines else NEAR_OF_C
        if abs(told - cycles) > max(NEAR_CYCLES, near * cycles):
            far[step.name, layer.shape] = (told, cycles)
    assert not far


@pytest.mark.parametrize("seed", range(6))
def test_sums_are_linear(seed: int) -> None:
    """In integers as the instructions compute them, for all pairs."""
    made = AffineSide(seed)
    for _ in range(4):
        first, second = made.numbers(), made.numbers()
        addition = affine.addition([first, second], made.numbers(first.scale + second.scale))
        activation, sign = made.limits(), int(made.random.choice([1, -1]))
        found = linear_of(addition, (first, second), activation, (1, sign))
        assert found is not None
        x, y = np.arange(256)[:, None] + first.minimum, np.arange(256)[None, :] + second.minimum
        lanes_of = (x << lane_shift(first)), (y << lane_shift(second))
        assert all(lane.min() >= -(2**15) and lane.max() < 2**15 for lane in lanes_of)
        total = found.start + (found.first * lanes_of[0] >> 16)
        assert np.abs(total).max() < 2**31
        total = total + (found.second * lanes_of[1] >> 16)
        assert np.abs(total).max() < 2**31
        ours = activation.limit(total >> found.shift, addition.numbers)
        summands = addition.addends((x, y))
        assert np.array_equal(ours, addition.finish(summands[0] + sign * summands[1], activation))


def test_sums_that_no_line_comes_near_to_are_left_to_plain_c() -> None:
    """Of tenths halves are ties, which the roundings of addends decide."""
    entries = Affine(8, 1.0, 3), Affine(8, 0.7, -5)
    addition = affine.addition(entries, Affine(8, 1.0, 0))
    assert linear_of(addition, entries, LINEAR) is None
    assert linear_of(affine.addition(entries, Affine(8, 2.0, 0)), entries, RELU) is not None


@pytest.mark.arm
def test_what_plain_c_takes(tmp_path: Path) -> None:
    """Of half of the layers the price is within a sixth: the compiler decides a tenth, chance zeros and limits more."""
    made = AffineSide(4)
    for shape in SHAPES[:3]:
        a, b, row = made.input(shape), made.input(shape), made.input(shape[-1:])
        made.sum_of(a, b)
        made.sum_of(a, b, a)
        for kind in ("add", "subtract", "multiply"):
            made.merged(kind, a, b)
            made.merged(kind, a, row)
        made.looked_up(a)
        made.joined(a, b)
        made.pool(a, (1, 2), (1, 2), mean=True)
    graph, x = made.graph(), made.samples(2)
    measured = measure(graph, x, tmp_path, forced(graph, plain))
    np.testing.assert_array_equal(measured.answers, graph.run(x))
    steps = {step.name: graph[step.name] for step in measured.program.steps}
    told = np.array([plain.cost(layer, graph.inputs_of(layer)) for layer in steps.values()])
    off = np.abs(np.log(told / np.array([measured.cycles[name] for name in steps])))
    assert np.median(off) < np.log(7 / 6)
