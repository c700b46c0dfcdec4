"""Points -> what each value of an axis changes: the additive model that fits all of them best.

A figure of a point is taken for that of the base and a change for each value that is another than the base's. Least
squares over all points that were evaluated gives the changes; how much of the figures' variance they explain tells how
far to believe them: where axes work together, no sum of changes is right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcusim.explore.point import Point
from mcusim.system.arrays import Array

SMALL = 1e-9  # of a column that is a sum of others


@dataclass(frozen=True)
class Contribution:
    """Of the value `gene` of an axis, which so many `points` have: of each objective its change, None if unknown."""

    axis: int
    gene: int
    points: int
    changes: tuple[float | None, ...]


@dataclass(frozen=True)
class Contributions:
    """`explained`: of each objective the share of its variance; None where it has none. `points`: fitted to."""

    each: tuple[Contribution, ...]
    explained: tuple[float | None, ...]
    points: int


def contributions(points: Sequence[Point], objectives: Sequence[str], sizes: Sequence[int]) -> Contributions:
    """`sizes`: how many values each axis has. Values that no point has are left out."""
    known = [point for point in points if all(np.isfinite(_figures(point, objectives)))]
    genes = np.array([point.genes for point in known], np.int64).reshape(len(known), len(sizes))
    figures = np.array([_figures(point, objectives) for point in known]).reshape(len(known), len(objectives))
    values = [
        (axis, gene) for axis, size in enumerate(sizes) for gene in range(1, size) if (genes[:, axis] == gene).any()
    ]
    columns: Array = np.stack([np.ones(len(known)), *(genes[:, axis] == gene for axis, gene in values)], axis=1)
    changes, told = _fitted(columns, figures)
    each = tuple(
        Contribution(
            axis, gene, int(columns[:, place].sum()), tuple(map(float, changes[place])) if told[place] else none
        )
        for place, (axis, gene) in enumerate(values, 1)
        for none in [(None,) * len(objectives)]
    )
    return Contributions(each, _explained(figures, columns @ changes), len(known))


def _figures(point: Point, objectives: Sequence[str]) -> list[float]:
    figures: Mapping[str, float] = point.figures
    return [figures.get(name, np.nan) for name in objectives]


def _fitted(columns: Array, figures: Array) -> tuple[Array, Array]:
    """(columns, objectives), and of each column whether the points tell it from the others."""
    weights, directions = np.linalg.eigh(columns.T @ columns)
    free = (directions[:, weights <= SMALL * weights.max(initial=0.0)] ** 2).sum(axis=1)
    return np.linalg.lstsq(columns, figures, rcond=SMALL)[0], free < SMALL


def _explained(figures: Array, fitted: Array) -> tuple[float | None, ...]:
    if not len(figures):
        return tuple(None for _ in figures.T)
    left, total = ((figures - fitted) ** 2).sum(axis=0), ((figures - figures.mean(axis=0)) ** 2).sum(axis=0)
    some = total > SMALL * (figures**2).sum(axis=0)
    shares = [1 - float(lost / there) if any_ else None for lost, there, any_ in zip(left, total, some, strict=True)]
    return tuple(shares)
