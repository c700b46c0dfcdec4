"""Means, sums and extremes along axes -> poolings of a Graph."""

import math
from collections.abc import Callable, Mapping
from functools import partial

from mcusim.layers.planes import NO_PADDING
from mcusim.layers.pooling import AveragePooling, MaxPooling, Pooling
from mcusim.models.onnx.node import OnnxNode
from mcusim.models.onnx.operands import rescaled
from mcusim.models.onnx.reshaping import as_shape
from mcusim.models.onnx.tensor import Tensor, tensor

Convert = Callable[[OnnxNode], Tensor]


def _reduced(kind: type[Pooling], node: OnnxNode, scale: float | None = None) -> Tensor:
    x, rank = node.x, len(node.x.shape)
    given, keep = node.listed(1, "axes"), bool(node.whole("keepdims", 1))
    nothing = bool(node.whole("noop_with_empty_axes", 0))
    axes = node.axes(given or (() if nothing else range(rank)), rank)
    count = math.prod(x.shape[axis] for axis in axes)
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keep or axis not in axes]
    if count == 1:
        return as_shape(node, x, shape)
    last = scale is None or scale == 1
    pooled = along(kind, node, x, axes, node.name if last else node.named("mean"))
    pooled = pooled if last else rescaled(node, pooled, float(scale or 1), 0.0)
    return as_shape(node, pooled, shape)


def along(kind: type[Pooling], node: OnnxNode, x: Tensor, axes: tuple[int, ...], name: str) -> Tensor:
    """-> with these axes of length 1. They are the columns of a plane: what lies outside of them are its rows."""
    order = x.order or tuple(range(len(x.axes)))
    x = node.made.moved(x, order)
    there = [axis for axis in order if x.shape[axis] > 1]
    own = [place for place, axis in enumerate(there) if axis in axes]
    if own != list(range(own[0], own[-1] + 1)):  # not side by side: first in memory, they are
        there = [*(axis for axis in there if axis in axes), *(axis for axis in there if axis not in axes)]
        order, own = tuple([*(axis for axis in order if x.shape[axis] == 1), *there]), list(range(len(own)))
        x = node.made.moved(x, order)
    outer, count, inner = (
        math.prod(x.shape[axis] for axis in part) for part in (there[: own[0]], axes, there[own[-1] + 1 :])
    )
    plane = (outer, count, inner) if outer > 1 else (count, inner)
    shape = (outer, 1, inner) if outer > 1 else (inner,)
    window = {"input_shape": plane, "size": (1, count), "strides": (1, count), "padding": NO_PADDING}
    layer = kind(name=name, inputs=(node.made.seen(x, plane),), shape=shape, **window)  # type: ignore[arg-type]
    left = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    return tensor(node.made.add(layer), left, order)


def _sum(node: OnnxNode) -> Tensor:
    """The mean, times how many there are."""
    x, given = node.x, node.listed(1, "axes")
    axes = (
        node.axes(given, len(x.shape)) if given else range(0 if node.whole("noop_with_empty_axes", 0) else len(x.shape))
    )
    return _reduced(AveragePooling, node, math.prod(x.shape[axis] for axis in axes))


CONVERTERS: Mapping[str, Convert] = {
    "ReduceMax": partial(_reduced, MaxPooling),
    "ReduceMean": partial(_reduced, AveragePooling),
    "ReduceSum": _sum,
}
