"""Sums and differences of affine numbers of 16 bits, of any scales and limits: TFLM's bits, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.kernels import lanes
from mcusim.kernels.kernel import DEFAULT
from mcusim.kernels.lanes.wide_sums import wide_summing
from mcusim.kernels.memory import USUAL
from mcusim.line.lower import program_of
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine
from mcusim.numbers.numbers import LINEAR
from tests.compiled import run_compiled
from tests.kernels.affine_side import AffineSide
from tests.kernels.measured import forced, measure, misplaced

SHAPES = ((6, 7, 12), (33, 9), (9, 1), (64, 10))
NEAR_CYCLES, NEAR = 100, 0.05
KINDS = ("add", "subtract")


class WideSide(AffineSide):
    """Scales are equal, or a little, or far apart."""

    def numbers(self, scale: float | None = None, *, signed: bool | None = None) -> Affine:
        r, near = self.random, scale or 0.003
        return Affine(
            16, float(np.float32(near * r.choice([1.0, np.exp(r.uniform(-0.7, 0.7)), 2.0 ** r.integers(-5, 0)])))
        )


def side(seed: int) -> WideSide:
    made = WideSide(seed)
    for shape in SHAPES:
        a, b, row = made.input(shape), made.input(shape), made.input(shape[-1:])
        for first, second in ((a, b), (b, a), (a, a)):
            made.sum_of(first, second)
        for kind in KINDS:
            made.merged(kind, a, b)
            made.merged(kind, a, row)
            made.merged(kind, row, b)
        made.joined(a, b)
        made.joined(b, a, axis=0)
        made.converted(a)
    return made


@pytest.mark.parametrize("seed", range(3))
def test_on_the_host(seed: int) -> None:
    made = side(seed)
    graph, x = made.graph(), made.samples(6)
    program = program_of(graph, forced(graph, lanes))
    others = [step.kind for step in program.steps if step.kernel != lanes.NAME]
    conversions = sum(kind in ("Concatenate", "Convert") for kind in others)
    assert len(others) - conversions == 2 * len(KINDS)  # rows of one number are not its
    assert conversions < 6  # of twelve; of the rest a line was found with all steps
    np.testing.assert_array_equal(run_compiled(graph, x, program=program), graph.run(x))


@pytest.mark.arm
def test_on_a_board(tmp_path: Path) -> None:
    made = side(5)
    graph, x = made.graph(), made.samples(6)
    measured = measure(graph, x, tmp_path, forced(graph, lanes))
    np.testing.assert_array_equal(measured.answers, graph.run(x))
    for step in measured.program.steps:
        if step.kernel == lanes.NAME and not misplaced(measured.program, step):
            layer = graph[step.name]
            told = lanes.cost(layer, graph.inputs_of(layer), DEFAULT, USUAL)
            assert told == pytest.approx(measured.cycles[step.name], rel=NEAR, abs=NEAR_CYCLES), (
                step.name,
                layer.shape,
            )


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1)])
def test_the_largest_sums_fit(signs: tuple[int, int]) -> None:
    """As the instructions compute them: an addend has 30 bits, twice their sum 32."""
    random, ends = np.random.default_rng(0), np.array([-32768, -32767, 32766, 32767])
    for _ in range(200):
        entries = [Affine(16, float(np.float32(np.exp(random.uniform(-9, 0))))) for _ in range(2)]
        addition = affine.addition(entries, Affine(16, float(np.float32(max(one.scale for one in entries) * 1.7))))
        assert wide_summing(addition, entries, LINEAR, signs, {}) is not None
        summands = addition.addends((ends[:, None], ends[None, :]))
        total = signs[0] * summands[0] + signs[1] * summands[1]
        assert 2 * total.min() >= -(2**31) and 2 * total.max() < 2**31


def test_what_tflm_has_not_is_left_to_plain_c() -> None:
    entries = [Affine(16, 0.5), Affine(16, 0.25)]
    addition = affine.addition(entries, Affine(16, 0.75))
    assert wide_summing(addition, entries, LINEAR, (1, 1), {}) is not None
    assert wide_summing(replace(addition, zeros=(3, 0)), entries, LINEAR, (1, 1), {}) is None
    coarse = affine.addition(entries, Affine(16, 2.0**-16))  # a factor above one
    assert wide_summing(coarse, entries, LINEAR, (1, 1), {}) is None
