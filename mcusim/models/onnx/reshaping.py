"""Nodes that only move numbers -> other views of the same memory, and layers where something really moves."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mcusim.layers.concatenate import Concatenate
from mcusim.layers.strided_copy import steps
from mcusim.models.onnx import constants
from mcusim.models.onnx.node import EXPORT, OnnxNode
from mcusim.models.onnx.tensor import Tensor, reshaped, tensor, transposed

Outputs = Tensor | Sequence[Tensor]
Convert = Callable[[OnnxNode], Outputs]


def as_shape(node: OnnxNode, x: Tensor, shape: Sequence[int]) -> Tensor:
    """Counted as another shape; moved into the order of ONNX where that cannot be."""
    if math.prod(shape) != x.elements:
        raise node.refused(f"turns {x.shape} into {tuple(shape)}", "keep the number of elements, and a batch of 1")
    seen = reshaped(x, shape)
    if seen is None:
        seen = reshaped(node.made.moved(x, range(len(x.axes))), shape)
    assert seen is not None
    return seen


def _identity(node: OnnxNode) -> Tensor:
    return node.x


def _dropout(node: OnnxNode) -> Tensor:
    """Nothing at inference."""
    for key in ("ratio", "seed", "is_test"):
        node.attributes.get(key)
    if node.has(2) and node.constant(2).any():
        raise node.refused("is in training mode", "export the model for inference: model.eval()")
    return node.x


def _cast(node: OnnxNode) -> Tensor:
    """Between types of real numbers nothing changes; all is computed in float32."""
    node.whole("saturate", 1)
    node.text("round_mode", "up")
    name = constants.cast_type(node)
    if not name.startswith("float"):
        raise node.refused(f"turns numbers into {name}", "leave it out: what is computed stays real")
    return node.x


def _counted(shape_of: Callable[[OnnxNode, Sequence[int]], Sequence[int]]) -> Convert:
    return lambda node: as_shape(node, node.x, shape_of(node, node.x.shape))


def _expand(node: OnnxNode) -> Tensor:
    x = node.x
    try:
        wanted = constants.of_one_sample(node, node.listed(1, "shape") or (), x.shape)
        shape = np.broadcast_shapes(x.shape, wanted)
    except ValueError:
        raise node.refused(f"does not fit {x.shape}", EXPORT) from None
    return repeated(node, x, shape)


def _tile(node: OnnxNode) -> Tensor:
    """Whole tensors side by side: an axis of (repeats, length), counted as one."""
    x, repeats = node.x, node.listed(1, "repeats") or ()
    if len(repeats) != len(x.shape) or min(repeats) < 1:
        raise node.refused(f"repeats {x.shape} {repeats} times", EXPORT)
    wide = as_shape(node, x, [part for size in x.shape for part in (1, size)])
    target = [part for size, count in zip(x.shape, repeats, strict=True) for part in (count, size)]
    return as_shape(node, repeated(node, wide, target), [a * b for a, b in zip(x.shape, repeats, strict=True)])


def repeated(node: OnnxNode, x: Tensor, shape: Sequence[int]) -> Tensor:
    """Axes of length 1 as often as that shape says, new ones first."""
    if tuple(shape) == x.shape:
        return x
    x = Tensor(x.layer, x.sizes, ((),) * (len(shape) - len(x.axes)) + x.axes)
    x = x if x.order is not None else node.made.moved(x, range(len(x.axes)))
    order, own = x.order or (), steps(x.sizes)
    strides = tuple(own[x.axes[axis][0]] if x.axes[axis] else 0 for axis in order)
    sizes = tuple(shape[axis] for axis in order)
    return tensor(node.made.copied(x, node.name, node.kind, sizes, strides), shape, order)


# -- parts -------------------------------------------------------------------------------------------------------------


def cut(node: OnnxNode, x: Tensor, cuts: Sequence[tuple[int, int, int]], name: str) -> Tensor:
    """(start, count, step) of each axis; steps may be negative, or 0 to repeat."""
    if all(part == (0, size, 1) for part, size in zip(cuts, x.shape, strict=True)):
        return x
    shape = tuple(count for _, count, _ in cuts)
    if min(shape) < 1:
        raise node.refused(f"leaves nothing of {x.shape}", "take at least one element of each axis")
    x = x if x.order is not None else node.made.moved(x, range(len(x.axes)))
    own, order = steps(x.sizes), x.order or ()
    places = [own[x.axes[axis][0]] if x.axes[axis] else 0 for axis in range(len(cuts))]
    offset = sum(start * place for (start, _, _), place in zip(cuts, places, strict=True))
    strides = tuple(places[axis] * cuts[axis][2] for axis in order)
    sizes = tuple(shape[axis] for axis in order)
    return tensor(node.made.copied(x, name, node.kind, sizes, strides, offset), shape, order)


def whole(x: Tensor) -> list[tuple[int, int, int]]:
    return [(0, size, 1) for size in x.shape]


def _split(node: OnnxNode) -> list[Tensor]:
    x = node.x
    axis, parts, start = node.axis(node.whole("axis", 0), len(x.shape)), [], 0
    for number, size in enumerate(constants.split_sizes(node, x.shape[axis])[: len(node.used)]):
        cuts = whole(x)
        cuts[axis] = (start, size, 1)
        parts.append(cut(node, x, cuts, node.named(str(number))) if node.used[number] else x)
        start += size
    return parts


def _concat(node: OnnxNode) -> Tensor:
    one = next(value for value in node.values if isinstance(value, Tensor))
    tensors = [
        node.of_constant(node.constant(index), one) if node.is_constant(index) else node.tensor(index)
        for index in range(len(node.values))
    ]
    rank = len(tensors[0].shape)
    axis = node.axis(node.whole("axis", 0), rank)
    if len({(*x.shape[:axis], *x.shape[axis + 1 :]) if len(x.shape) == rank else () for x in tensors}) > 1:
        joined = ", ".join(str(x.shape) for x in tensors)
        raise node.refused(f"joins {joined} along axis {axis}", "its inputs may differ in that axis alone")
    return joined_along(node, tensors, axis, node.name)


def joined_along(node: OnnxNode, tensors: Sequence[Tensor], axis: int, name: str) -> Tensor:
    """All lie as the first one does that has more than one axis to lie in."""
    if len(tensors) == 1:
        return tensors[0]
    largest = max(tensors, key=lambda x: (len(x.sizes), x.elements))
    order = largest.order or tuple(range(len(largest.axes)))
    total = sum(x.shape[axis] for x in tensors)
    shape = tuple(total if i == axis else size for i, size in enumerate(tensors[0].shape))
    there = [i for i in order if i == axis or shape[i] > 1]
    sources = []
    for x in tensors:
        own = tuple(x.shape[i] for i in there)
        sources.append(node.made.seen(node.made.moved(x, order), own))
    made = tuple(shape[i] for i in there)
    layer = Concatenate(name=name, inputs=tuple(sources), shape=made, axis=there.index(axis))
    return tensor(node.made.add(layer), shape, order)


def _depth_to_space(node: OnnxNode) -> Tensor:
    x, size = node.x, node.whole("blocksize", 0)
    if len(x.shape) != 4 or size < 1 or x.shape[1] % (size * size):
        raise node.refused(f"spreads {x.shape} by {size}", EXPORT)
    batch, channels, height, width = x.shape
    left = channels // size**2
    if node.text("mode", "DCR") == "CRD":
        wide = as_shape(node, x, (batch, left, size, size, height, width))
        turned = transposed(wide, (0, 1, 4, 2, 5, 3))
    else:
        wide = as_shape(node, x, (batch, size, size, left, height, width))
        turned = transposed(wide, (0, 3, 4, 1, 5, 2))
    return as_shape(node, turned, (batch, left, height * size, width * size))


def _space_to_depth(node: OnnxNode) -> Tensor:
    x, size = node.x, node.whole("blocksize", 0)
    if len(x.shape) != 4 or size < 1 or x.shape[2] % size or x.shape[3] % size:
        raise node.refused(f"gathers {x.shape} by {size}", EXPORT)
    batch, channels, height, width = x.shape
    wide = as_shape(node, x, (batch, channels, height // size, size, width // size, size))
    turned = transposed(wide, (0, 3, 5, 1, 2, 4))
    return as_shape(node, turned, (batch, channels * size * size, height // size, width // size))


CONVERTERS: Mapping[str, Any] = {
    "Cast": _cast,
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _counted(constants.flattened),
    "Identity": _identity,
    "QuantizeLinear": _identity,  # what it changes, its output's numbers tell
    "Reshape": _counted(constants.target_shape),
    "Slice": lambda node: cut(node, node.x, constants.slices(node, node.x.shape), node.name),
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _counted(constants.squeezed),
    "Tile": _tile,
    "Transpose": lambda node: transposed(node.x, constants.permutation(node, len(node.x.shape))),
    "Unsqueeze": _counted(constants.unsqueezed),
}
