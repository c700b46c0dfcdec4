"""Places of an axis in any order -> copies with regular steps, joined: for Gather, Resize and windows with gaps."""

from collections.abc import Callable, Mapping

import numpy as np

from mcusim.models.onnx.node import EXPORT, OnnxNode
from mcusim.models.onnx.reshaping import as_shape, cut, joined_along, whole
from mcusim.models.onnx.tensor import Tensor
from mcusim.models.problems import EMBEDDING
from mcusim.models.runs import runs_of
from mcusim.system.arrays import Array

MOST_PLACES = 2**20


def taken(node: OnnxNode, x: Tensor, axis: int, places: Array, name: str) -> Tensor:
    """These places of the axis, in this order, each in 0 .. size - 1. Raises ModelError for too many pieces."""
    size, count = x.shape[axis], len(places)
    runs = runs_of(places, size)
    if runs is None:
        raise node.refused(f"takes places of {size} at various distances", "use whole factors, or slices in its place")
    finer = [part for a, n in enumerate(x.shape) for part in ((runs.periods, n // runs.periods) if a == axis else (n,))]
    wide, inner, parts = as_shape(node, x, finer), axis + 1, []
    for number, piece in enumerate(runs.pieces):
        cuts = whole(wide)
        cuts[inner] = piece
        parts.append(cut(node, wide, cuts, name if len(runs.pieces) == 1 else node.named(f"part{number}")))
    joined = joined_along(node, parts, inner, name)
    return as_shape(node, joined, [count if a == axis else n for a, n in enumerate(x.shape)])


def _gather(node: OnnxNode) -> Tensor:
    """One place of an axis, or a row of them."""
    if node.is_constant(0) and not node.is_constant(1):
        raise node.refused("takes rows of a table by numbers that are computed", EMBEDDING)
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
