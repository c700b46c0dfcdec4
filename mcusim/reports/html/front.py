"""Runs -> those that no other beats: better or cheaper in one figure, and as good in the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.reports.figures import COLUMNS, FIGURES, OF_TASKS
from mcusim.reports.report import Report
from mcusim.tasks.figure import Figure

COSTS = ("latency_ms", "rom_bytes.total", "ram_bytes.total", "energy_uwh")


@dataclass(frozen=True)
class Point:
    """A run, by its number in the tables. `first`: nobody beats it."""

    number: int
    cost: float
    score: float
    first: bool = False


def score_of(report: Report) -> Figure | None:
    """What the runs are good at: the first score of tables that any of them has."""
    scores = (figure for figure in COLUMNS if figure in OF_TASKS and figure.better)
    return next((one for one in scores if any(one.value(run) is not None for run in report.runs)), None)


def points(report: Report, score: Figure, cost: Figure) -> list[Point]:
    """Of runs that have both figures, the cheapest first."""
    known = [
        Point(number, cost.value(run), score.value(run))
        for number, run in enumerate(report.runs, 1)
        if not run.error and cost.value(run) is not None and score.value(run) is not None
    ]
    sign = 1 if score.better == "higher" else -1
    best = float("-inf")
    found: list[Point] = []
    for point in sorted(known, key=lambda one: (one.cost, -sign * one.score)):
        ahead = sign * point.score > best
        equal = bool(found) and (point.cost, point.score) == (found[-1].cost, found[-1].score) and found[-1].first
        found.append(Point(point.number, point.cost, point.score, ahead or equal))
        best = max(best, sign * point.score)
    return found


def fronts(report: Report) -> list[tuple[Figure, Figure, list[Point]]]:
    """(score, cost, points) for each cost that any run has."""
    score = score_of(report)
    if score is None:
        return []
    found = [(score, FIGURES[key], points(report, score, FIGURES[key])) for key in COSTS]
    return [(score, cost, some) for score, cost, some in found if some]


def among(some: Sequence[Point], most: int) -> list[Point]:
    """Of too many those of the front first."""
    return sorted(some, key=lambda point: not point.first)[:most]
