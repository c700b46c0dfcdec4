"""Spread of what differs in the seed alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcusim.reports.repeats import repeated
from mcusim.reports.report import Report, Run, RunError
from mcusim.reports.spread import Repeated, Spread, student_t
from mcusim.reports.table import remarks
from tests.reports.reports import full_report, good_run

ACCURACIES = (0.91, 0.92, 0.94)


def trained(board: str = "nucleo_l452re_p") -> list[Run]:
    one = good_run(board=board)
    return [replace(one, id=f"{one.id}-{at}", repeat=at, accuracy=share) for at, share in enumerate(ACCURACIES)]


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (14, 2.14479), (999, 1.96234)]
)
def test_quantiles_of_students_t(freedom: int, expected: float) -> None:
    """Against printed tables."""
    assert student_t(freedom) == pytest.approx(expected, rel=1e-5)


def test_mean_deviation_and_interval() -> None:
    [found] = repeated(trained())
    assert found.runs == tuple(run.id for run in trained()) and found.model == "cnn"
    spread = found.figures["accuracy"]
    assert (spread.mean, spread.deviation) == pytest.approx((0.923333, 0.0152753), rel=1e-4)
    assert (spread.low, spread.high) == pytest.approx((0.885387, 0.961280), rel=1e-4)
    assert found.figures["accuracy_float"] == Spread(0.93, 0, 0.93, 0.93)


def test_what_is_repeated() -> None:
    """Failed and unfinished runs are none; a single training has no spread; boards are apart."""
    first, *others = trained()
    assert not [*repeated([first])] and not [*repeated([first, replace(first, id="x", board="b")])]
    assert not [*repeated([others[0], replace(others[1], error=RunError("DataError", "no"))])]
    assert not [*repeated([others[0], replace(others[1], complete=False)])]
    both = [*repeated([*trained(), *trained("sparkfun_edge")])]
    assert [one.board for one in both] == ["nucleo_l452re_p", "sparkfun_edge"]


def test_people_and_files_are_told() -> None:
    report = replace(full_report(), repeats=tuple(repeated(trained())))
    told = "3 trainings of cnn, int8, nucleo_l452re_p: accuracy 92.33 %, deviation 1.528, 95 % 88.54 to 96.13"
    assert told in remarks(report)
    assert Report.from_json(report.to_json()) == report


def test_a_file_may_name_any_figure() -> None:
    strange = Repeated("m", "int8", "b", "qemu", ("a", "b"), {"no_figure": Spread(1, 2, 0, 3)})
    assert str(strange) == "2 trainings of m, int8, b: no figure differs"
