"""How far each answer is off -> the samples that are answered worst, for people to look at."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcusim.system.arrays import Array

MOST = 12


@dataclass(frozen=True)
class Wrong:
    """The sample in that row of the answers. `by`: how far it is off, as its task measures that."""

    row: int
    label: str
    answered: str
    by: float


def furthest(by: Array, told: Callable[[int], tuple[str, str]]) -> tuple[Wrong, ...]:
    """The largest first, of (N,) that are above 0 and finite. `told`: label and answer of a row."""
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero(np.isfinite(by) & (by > 0))
    ranked = rows[np.argsort(-by[rows], kind="stable")][:MOST]
    return tuple(Wrong(int(row), *told(int(row)), float(by[row])) for row in ranked)
