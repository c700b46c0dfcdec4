"""Which samples changed, and McNemar's exact test of them."""

from __future__ import annotations

import base64
from dataclasses import replace
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.line.score import OutputFigures
from mcusim.reports.decisions import decisions, mcnemar
from tests.comparison.comparing import bits, run


@given(st.integers(0, 300), st.integers(0, 300))
def test_p_is_that_of_the_binomial_distribution(worse: int, better: int) -> None:
    thrown = worse + better
    tail = sum(comb(thrown, heads) for heads in range(min(worse, better) + 1))
    wanted = min(Fraction(1), Fraction(2 * tail, 2**thrown))
    assert mcnemar(worse, better) == pytest.approx(float(wanted), rel=1e-9)
    assert mcnemar(worse, better) == mcnemar(better, worse)


@pytest.mark.parametrize(
    ("worse", "better", "p"),
    [  # scipy.stats.binomtest(worse, worse + better, 0.5).pvalue
        (0, 0, 1.0),
        (1, 0, 1.0),
        (12, 9, 0.6636238098144531),
        (5, 0, 0.0625),
        (20, 6, 0.009355306625366211),
        (50_000, 50_000, 1.0),
        (0, 100_000, 0.0),
    ],
)
def test_p_of_some(worse: int, better: int, p: float) -> None:
    assert mcnemar(worse, better) == pytest.approx(p, rel=1e-9)


@given(st.sets(st.integers(0, 99)), st.sets(st.integers(0, 99)), st.integers(100, 130))
def test_samples_are_those_that_changed_and_swap_with_the_sides(one: set[int], two: set[int], samples: int) -> None:
    base, head = (run(samples=samples, right=bits(*wrong, samples=samples)) for wrong in (one, two))
    [found], [swapped] = decisions(base, head), decisions(head, base)
    assert (set(found.worse), set(found.better)) == (two - one, one - two)
    assert (found.worse, found.better, found.p) == (swapped.better, swapped.worse, swapped.p)


@pytest.mark.parametrize(
    "changes",
    [
        {"data_sha256": "ff" * 32},
        {"data_sha256": None},
        {"samples": 2946},
        {"complete": False},
        {"right": None},
        {"right": "AAAA"},
        {"right": "no base64"},
        {"right": "%%%="},
        {"right": bits(samples=2960)},
        {"samples": -8, "right": ""},
    ],
)
def test_of_other_samples_nothing_is_said(changes: dict[str, object]) -> None:
    assert decisions(run(), run(**changes)) == () == decisions(run(**changes), run())


def test_no_samples_at_all() -> None:
    none = run(samples=0, right=base64.b64encode(b"").decode())
    [found] = decisions(none, none)
    assert (found.samples, found.worse, found.better, found.p) == (0, (), (), 1.0)


def test_each_of_several_outputs() -> None:
    def outputs(*wrong: int) -> tuple[OutputFigures, ...]:
        of = {"accuracy": 0.5, "scores": {}, "mismatches": 0, "output_difference_max": 0.0, "confusion": None}
        none, some = (OutputFigures(name, "classification", **of) for name in ("none", "some"))  # type: ignore[arg-type]
        return none, replace(some, right=bits(*wrong))

    base, head = (run(right=None, outputs=outputs(*wrong)) for wrong in ((1, 2), (2, 3)))
    [found] = decisions(base, head)
    assert (found.output, found.worse, found.better) == ("some", (3,), (1,))
