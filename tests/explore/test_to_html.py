"""The page of an exploration, and what values contributed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcusim.explore.contributions import contributions
from mcusim.explore.point import Point
from mcusim.explore.to_html import render
from mcusim.reports.html.page import LARGEST_BYTES
from tests.explore.pages import CHANGES, OBJECTIVES, explored
from tests.reports.reports import HOSTILE

pytestmark = pytest.mark.usefixtures("drawn")
SIZES = [len(values) for values in CHANGES.values()]


def test_changes_that_add_up_are_found() -> None:
    found = explored()
    fitted = contributions(found.points, found.objectives, SIZES)
    assert {(one.axis, one.gene): one.changes[1] for one in fitted.each} == pytest.approx(
        {
            (axis, gene): change
            for axis, values in enumerate(CHANGES.values())
            for gene, change in enumerate(values)
            if gene
        }
    )
    accuracy, latency = fitted.explained
    assert latency == pytest.approx(1) and accuracy is not None and 0.9 < accuracy < 1
    assert fitted.points == 23 and sum(one.points for one in fitted.each if one.axis == 0) == 15


def test_what_no_points_tell_apart_is_not_told() -> None:
    """Two axes that always change together; a third one alone."""
    points = [
        Point(genes, {}, figures={"latency_ms": value})
        for genes, value in (((0, 0, 0), 1.0), ((1, 1, 0), 3.0), ((0, 0, 1), 2.0))
    ]
    fitted = contributions(points, ["latency_ms"], [2, 2, 2])
    assert [one.changes for one in fitted.each] == [(None,), (None,), (pytest.approx(1.0),)]


@pytest.mark.parametrize("points", [(), (Point((0, 0, 0), {}, figures={"accuracy": 0.5, "latency_ms": 1.0}),)])
def test_of_too_few_points_nothing_is_told(points: tuple[Point, ...]) -> None:
    fitted = contributions(points, OBJECTIVES[:2], SIZES)
    assert fitted.each == () and fitted.explained == (None, None)


def test_a_page_has_every_point_of_the_front_and_no_name_unescaped() -> None:
    found = explored(HOSTILE)
    page = render(found)
    assert "<script" not in page and "\x1b" not in page and "\u202e" not in page
    assert page.count('<th scope="row">point-') == len([one for one in found.front if one.genes != (0, 0, 0)]) > 1


@pytest.mark.parametrize("many", [1, 3])
def test_of_any_number_of_objectives_there_is_a_page(many: int) -> None:
    page = render(explored(objectives=OBJECTIVES[:many]))
    assert page.count("<svg") == many  # of the first with each other one, and all points as lines


def test_before_anything_is_known_there_is_a_page() -> None:
    assert "Nothing was evaluated" in render(replace(explored(), points=(), front=(), tested=(), base=None))


def test_of_many_points_so_many_are_shown_as_fit() -> None:
    found = explored()
    axes = {f"axis {number}": tuple(range(12)) for number in range(30)}
    first = found.points[0]
    points = tuple(
        replace(first, genes=(number % 12,) * 30, figures={"accuracy": 1 / (1 + number), "latency_ms": 1.0})
        for number in range(1200)
    )
    page = render(replace(found, axes=axes, points=points, base=points[0], front=points[:1], tested=()))
    assert len(page.encode()) < LARGEST_BYTES and "1000 of 1200 points" in page and "24 of 30 axes" in page
