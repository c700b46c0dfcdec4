"""Places of an axis in any order -> copies with regular steps, joined: for Gather, Resize and windows with gaps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from mcusim.models.onnx.node import EXPORT, OnnxNode
from mcusim.models.onnx.reshaping import as_shape, cut, joined_along, whole
from mcusim.models.onnx.tensor import Tensor
from mcusim.system.arrays import Array

MOST_PIECES, MOST_PLACES = 64, 2**20


def taken(node: OnnxNode, x: Tensor, axis: int, places: Array, name: str) -> Tensor:
    """These places of the axis, in this order, each in 0 .. size - 1. Raises ModelError for too many pieces.

    Where the same order comes again further on, as in images that grow by 5/3, the axis is counted as (periods, size
    of one), and all periods are copied at once.
    """
    size, count = x.shape[axis], len(places)
    periods = next(periods for periods in _divisors(math.gcd(size, count)) if _repeats(places, size, periods))
    finer = [part for a, n in enumerate(x.shape) for part in ((periods, n // periods) if a == axis else (n,))]
    wide, inner = as_shape(node, x, finer), axis + 1
    pieces = _regular(places[: count // periods])
    if len(pieces) > MOST_PIECES:
        raise node.refused(f"takes places of {size} at various distances", "use whole factors, or slices in its place")
    parts = []
    for number, piece in enumerate(pieces):
        cuts = whole(wide)
        cuts[inner] = piece
        parts.append(cut(node, wide, cuts, name if len(pieces) == 1 else node.named(f"part{number}")))
    joined = joined_along(node, parts, inner, name)
    return as_shape(node, joined, [count if a == axis else n for a, n in enumerate(x.shape)])


def _divisors(number: int) -> list[int]:
    """The largest first."""
    return [one for one in range(number, 0, -1) if number % one == 0]


def _repeats(places: Array, size: int, periods: int) -> bool:
    """Is each period of places like the first, so much further on?"""
    rows, step = places.reshape(periods, -1), size // periods
    return bool((rows == rows[0] + step * np.arange(periods)[:, None]).all() and rows[0].max() < step)


def _regular(places: Array) -> list[tuple[int, int, int]]:
    """(start, count, step) of runs as long as can be, one after the other."""
    runs: list[list[int]] = []
    for place in places.tolist():
        run = runs[-1] if runs else []
        if run and (len(run) == 1 or place - run[-1] == run[1] - run[0]):
            run.append(place)
        else:
            runs.append([place])
    return [(run[0], len(run), run[1] - run[0] if len(run) > 1 else 1) for run in runs]


def _gather(node: OnnxNode) -> Tensor:
    """One place of an axis, or a row of them."""
    x, given = node.x, node.constant(1)
    axis = node.axis(node.whole("axis", 0), len(x.shape))
    if given.dtype.kind not in "iu" or given.ndim > 1 or not 1 <= given.size <= MOST_PLACES:
        raise node.refused(f"takes places of shape {given.shape}", "use one, or a row of them")
    places = given.reshape(-1).astype(np.int64)
    places = np.where(places < 0, places + x.shape[axis], places)
    if places.min() < 0 or places.max() >= x.shape[axis]:
        raise node.refused(f"takes the places {places.min()} to {places.max()} of {x.shape[axis]}", EXPORT)
    found = taken(node, x, axis, places, node.name)
    return found if given.ndim else as_shape(node, found, [n for i, n in enumerate(found.shape) if i != axis])


CONVERTERS: Mapping[str, Callable[[OnnxNode], Tensor]] = {"Gather": _gather}
