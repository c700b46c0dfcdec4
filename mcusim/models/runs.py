"""Places of an axis in any order -> copies with regular steps that give them: one, or one after the other."""

import math
from dataclasses import dataclass

import numpy as np

from mcusim.system.arrays import Array

MOST_PIECES = 64


@dataclass(frozen=True)
class Runs:
    """The axis counted as (`periods`, size of one), and of each period the pieces (start, count, step)."""

    periods: int
    pieces: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Along:
    """One copy: every `step`-th place from the `first` on, `count` of them, each `repeats` times."""

    first: int
    count: int
    step: int
    repeats: int


def regular(places: Array, size: int) -> Along | None:
    """Of places in 0 .. size - 1; None where steps differ."""
    repeats = len(places) // size if len(places) % size == 0 else 1
    kept = places[::repeats]
    steps = np.unique(np.diff(kept))
    if len(steps) > 1 or not np.array_equal(np.repeat(kept, repeats), places):
        return None
    return Along(int(kept[0]), len(kept), int(steps[0]) if len(steps) else 1, repeats)


def runs_of(places: Array, size: int) -> Runs | None:
    """Of places in 0 .. size - 1; None for too many pieces.

    Where the same order comes again further on, as in images that grow by 5/3, all periods are copied at once.
    """
    most = math.gcd(size, len(places))
    periods = next(one for one in range(most, 0, -1) if most % one == 0 and _repeats(places, size, one))
    pieces = _pieces(places[: len(places) // periods])
    return Runs(periods, tuple(pieces)) if len(pieces) <= MOST_PIECES else None


def _repeats(places: Array, size: int, periods: int) -> bool:
    """Is each period of places like the first, so much further on?"""
    rows, step = places.reshape(periods, -1), size // periods
    return bool((rows == rows[0] + step * np.arange(periods)[:, None]).all() and rows[0].max() < step)


def _pieces(places: Array) -> list[tuple[int, int, int]]:
    """Runs as long as can be."""
    runs: list[list[int]] = []
    for place in places.tolist():
        run = runs[-1] if runs else []
        if run and (len(run) == 1 or place - run[-1] == run[1] - run[0]):
            run.append(place)
        else:
            runs.append([place])
    return [(run[0], len(run), run[1] - run[0] if len(run) > 1 else 1) for run in runs]
