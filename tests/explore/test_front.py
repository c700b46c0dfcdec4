"""The front: what nothing beats, and what limits keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcusim.comparison.limits import read_limit
from mcusim.explore.exploration import Exploration
from mcusim.explore.exploration import Tested as OnTestSet
from mcusim.explore.front import Limits, front_of, nearest
from mcusim.explore.point import Point
from mcusim.explore.to_console import remarks
from mcusim.reports.report import RunError

OBJECTIVES = ("accuracy", "latency_ms")


def point(number: int, accuracy: float, latency_ms: float) -> Point:
    return Point((number,), {}, figures={"accuracy": accuracy, "latency_ms": latency_ms})


def test_the_front_is_what_nothing_beats() -> None:
    random = np.random.default_rng(1)
    points = [point(number, *random.integers(0, 40, 2).tolist()) for number in range(60)]
    front = front_of(points, OBJECTIVES)
    own = {(one.figures["accuracy"], one.figures["latency_ms"]) for one in front}
    assert len(own) == len(front) > 2  # of equal ones only one
    for one in points:
        accuracy, latency_ms = one.figures.values()
        beaten = any(a >= accuracy and b <= latency_ms and (a, b) != (accuracy, latency_ms) for a, b in own)
        assert beaten != ((accuracy, latency_ms) in own)
    assert [one.figures["latency_ms"] for one in front] == sorted(one.figures["latency_ms"] for one in front)


def test_of_equal_points_the_first_is_kept_whatever_order_they_come_in() -> None:
    several = [point(number, 0.5, 3.0) for number in (2, 0, 1)]
    assert front_of(several, OBJECTIVES) == front_of(several[::-1], OBJECTIVES) == [several[1]]


def test_limits_are_those_of_expect_and_a_drop_against_the_base() -> None:
    limits = Limits({"latency_ms_max": 2.0, "accuracy_min": 0.5}, read_limit("accuracy", "1pt"), 0.9)
    assert limits.names == ("latency_ms_max", "accuracy_min", "max_drop")
    assert limits.broken(point(0, 0.89, 2.0)) == {}
    assert limits.broken(point(0, 0.88, 2.0)).keys() == {"max_drop"}
    assert limits.broken(point(0, 0.4, 3.0)).keys() == {"latency_ms_max", "accuracy_min", "max_drop"}
    assert limits.broken(point(0, 0.9, 3.0))["latency_ms_max"] == 0.5


def test_the_nearest_point_misses_by_least() -> None:
    limits = Limits({"latency_ms_max": 1.0})
    assert nearest([point(0, 0.9, 9.0), point(1, 0.9, 3.0), point(2, 0.9, 3.0)], limits) == point(1, 0.9, 3.0)
    assert nearest([], limits) is None


def remarks_of(found: Exploration) -> list[str]:
    return [line for line, _ in remarks(found)]


def test_what_failed_at_last_is_an_exit_code() -> None:
    """Of all points that were built, or of one on the test set: no front is no success."""
    error = RunError("TooBigError", "overflows flash", None, "take less")
    base, lost = Point((0,), {}, figures={"accuracy": 1.0}), Point((0,), {}, "firmware", error=error)
    empty = Exploration("e", "", "", "grid", ("accuracy",), {"a": (0,)}, {}, 0, 1, base=lost, points=(lost,))
    assert empty.exit_code == 0 and replace(empty, complete=True).exit_code == 5
    assert "no point is left (take less)" in remarks_of(replace(empty, complete=True))
    assert remarks_of(empty)[0].startswith("one point cannot be (")
    assert remarks_of(replace(empty, points=(lost, lost)))[0].startswith("2 points cannot be, the first (")
    well = replace(empty, base=base, points=(base,), front=(base,), complete=True)
    assert well.exit_code == 0 and replace(well, front=(), nearest=base).exit_code == 7
    tested = replace(well, tested=(OnTestSet(lost, "front/base"),))
    assert tested.exit_code == 5
    assert "front/base failed on the test set: overflows flash (take less)" in remarks_of(tested)
