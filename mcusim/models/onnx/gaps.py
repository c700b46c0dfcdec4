"""Pooling whose windows have gaps (`dilations`) -> extremes or sums of copies, along one axis after the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcusim.layers.merge import BroadcastAdd, Maximum, Merge
from mcusim.layers.pooling import MaxPooling, Pooling
from mcusim.models.onnx.merges import of_tensors
from mcusim.models.onnx.node import OnnxNode
from mcusim.models.onnx.operands import rescaled
from mcusim.models.onnx.places import taken
from mcusim.models.onnx.tensor import Tensor
from mcusim.system.arrays import Array


@dataclass(frozen=True)
class Along:
    """An axis: `count` windows of `size` numbers that are `gap` apart, the first `before` the axis begins."""

    axis: int
    count: int
    size: int
    gap: int
    stride: int
    before: int


def pooled(kind: type[Pooling], node: OnnxNode, x: Tensor, axes: Sequence[Along]) -> Tensor:
    """What lies outside never is the largest; a mean is of whole windows."""
    merge: type[Merge] = Maximum if kind is MaxPooling else BroadcastAdd
    for along in axes:
        whole, *rest = [
            taken(node, x, along.axis, places, node.named(f"axis{along.axis}_{number}"))
            for number, places in enumerate(_places(node, along, x.shape[along.axis], kind is MaxPooling))
        ]
        for part in rest:
            whole = of_tensors(merge, node, whole, part, node.named(f"axis{along.axis}"))
        x = whole
    return x if kind is MaxPooling else rescaled(node, x, 1 / math.prod(along.size for along in axes), 0.0)


def _places(node: OnnxNode, along: Along, length: int, may_lack: bool) -> Array:
    """Of each number of the windows the places: in the stead of one outside stands another one of that window."""
    first = along.stride * np.arange(along.count) - along.before
    places = first[:, None] + along.gap * np.arange(along.size)
    inside = (places >= 0) & (places < length)
    if not inside.all() and not (may_lack and inside.any(axis=1).all()):
        raise node.refused("has windows with gaps that lie outside in part", "use less padding, or no dilations")
    other = places[np.arange(along.count), inside.argmax(axis=1)]
    return np.ascontiguousarray(np.where(inside, places, other[:, None]).T)
