"""Points -> front: those that no other beats in every objective, and what limits of the experiment keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcusim.comparison.limits import Limit
from mcusim.experiment.exploration import CROSS_ENTROPY
from mcusim.explore.point import Point
from mcusim.reports.figures import BUDGETS, REGRESS

_OF_BUDGET = {
    budget: next((name for name, row in REGRESS.items() if row == figure), "")
    for budget, (_, figure) in BUDGETS.items()
}


def falls(objective: str) -> bool:
    """Is less of it better?"""
    return objective == CROSS_ENTROPY or REGRESS[objective].better == "lower"


def losses(point: Point, objectives: Sequence[str]) -> tuple[float, ...]:
    """Less is better, of each."""
    return tuple(point.figures[name] if falls(name) else -point.figures[name] for name in objectives)


@dataclass(frozen=True)
class Limits:
    """`budgets`: name in [expect] -> limit. `drop`: of accuracy, against `base`."""

    budgets: Mapping[str, float]
    drop: Limit | None = None
    base: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (*self._known, *(("max_drop",) if self.drop else ()))

    @property
    def _known(self) -> dict[str, float]:
        """Of figures that a point has."""
        return {name: limit for name, limit in self.budgets.items() if _OF_BUDGET[name]}

    def unasked(self, point: Point) -> list[str]:
        """Budgets of figures that the point does not have."""
        return [name for name in self.budgets if _OF_BUDGET[name] not in point.figures]

    def broken(self, point: Point) -> dict[str, float]:
        """Budget -> by how much of its limit it is missed; {} of a point that keeps all."""
        found = {}
        for name, limit in self._known.items():
            _, figure = BUDGETS[name]
            value = point.figures.get(_OF_BUDGET[name])
            if value is not None and not figure.keeps(value, limit):
                found[name] = abs(value - limit) / (abs(limit) or 1.0)
        if self.drop and self.base is not None and not self.drop.allows(self.base, point.figures["accuracy"]):
            found["max_drop"] = (self.base - point.figures["accuracy"]) - self.drop.amount
        return found


def front_of(points: Sequence[Point], objectives: Sequence[str]) -> list[Point]:
    """Those that no other is at least as good as in all objectives, and better in one; of equal ones the first.

    In the order of the last objective, the best of it first.
    """
    ranked = sorted(points, key=lambda point: (losses(point, objectives), point.genes))
    kept: list[Point] = []
    for point in ranked:  # whoever beats a point comes before it
        own = losses(point, objectives)
        if not any(_as_good(losses(one, objectives), own) for one in kept):
            kept.append(point)
    return sorted(kept, key=lambda point: (losses(point, objectives)[::-1], point.genes))


def _as_good(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(mine <= yours for mine, yours in zip(one, other, strict=True))


def nearest(points: Sequence[Point], limits: Limits) -> Point | None:
    """Of points that all break a limit, the one that misses by least."""
    return min(points, key=lambda point: (sum(limits.broken(point).values()), point.genes), default=None)
