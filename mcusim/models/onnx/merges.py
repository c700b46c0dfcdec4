"""Sums, products, differences and extremes of tensors, or of a tensor and constants -> layers of a Graph."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from mcusim.layers.add import Add
from mcusim.layers.merge import BroadcastAdd, Maximum, Merge, Minimum, Multiply, Subtract, can_merge, merged_shape
from mcusim.models.onnx.activations import clipped
from mcusim.models.onnx.node import EXPORT, OnnxNode, Value
from mcusim.models.onnx.operands import rescaled
from mcusim.models.onnx.tensor import Tensor, tensor
from mcusim.system.arrays import Array

Convert = Callable[[OnnxNode], Tensor]
WithConstant = Callable[[OnnxNode, Tensor, Array, bool, str], Tensor]  # the flag: is the constant first?


def _one_after_the_other(kind: type[Merge], constant: WithConstant, node: OnnxNode) -> Tensor:
    """Two at a time, from the first on."""
    values = [value for value in node.values if value is not None]
    if not values:
        raise node.refused("merges nothing", EXPORT)
    left = values[0]
    for number, right in enumerate(values[1:], 2):
        name = node.name if number == len(values) else node.named(str(number))
        left = _merged(kind, constant, node, left, right, name)
    if not isinstance(left, Tensor):
        raise node.refused("works on constants", EXPORT)
    return left


def _merged(
    kind: type[Merge], constant: WithConstant, node: OnnxNode, left: Value, right: Value, name: str
) -> Tensor | Array:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return of_tensors(kind, node, left, right, name)
    if isinstance(left, Tensor):
        if _is_larger(right, left):
            return of_tensors(kind, node, left, _beside(node, right, left), name)
        return constant(node, left, np.asarray(right, np.float64), False, name)
    if isinstance(right, Tensor):
        if _is_larger(left, right):
            return of_tensors(kind, node, _beside(node, left, right), right, name)
        return constant(node, right, np.asarray(left, np.float64), True, name)
    raise node.refused("works on constants", EXPORT)


def _is_larger(constant: Value, x: Tensor) -> bool:
    """Is it repeated along an axis that the tensor has once, or lacks?"""
    shape = np.shape(constant)
    own = (1,) * (len(shape) - len(x.shape)) + x.shape
    return len(shape) > len(x.shape) or any(n > 1 == m for n, m in zip(shape[::-1], own[::-1], strict=False))


def _beside(node: OnnxNode, constant: Value, x: Tensor) -> Tensor:
    """A constant as a tensor."""
    shape = np.shape(constant)
    if node.batch > 1 and len(shape) == len(x.shape) and shape[0] == node.batch and x.shape[0] == 1:
        raise node.refused(f"has other constants for each of {node.batch} samples", "export the model for a batch of 1")
    return node.of_constant(np.asarray(constant), x)


def of_tensors(kind: type[Merge], node: OnnxNode, left: Tensor, right: Tensor, name: str) -> Tensor:
    """Both lie as the larger one does; the kernel repeats the axes that one of them lacks."""
    if (left.sizes, left.axes) == (right.sizes, right.axes):
        return _of_one_shape(kind, node, left, right, name)
    rank = max(len(left.axes), len(right.axes))
    wide = [Tensor(x.layer, x.sizes, ((),) * (rank - len(x.axes)) + x.axes) for x in (left, right)]
    shape = merged_shape(wide[0].shape, wide[1].shape)
    if shape is None:
        raise node.refused(f"merges shapes {left.shape} and {right.shape}", "give it tensors that fit")
    first = max(wide, key=lambda x: x.elements)
    order = first.order or tuple(range(rank))
    inner = [axis for axis in order if shape[axis] > 1]
    moved = [node.made.moved(x, order) for x in wide]
    shapes = [tuple(x.shape[axis] for axis in inner) or (1,) for x in moved]
    full = tuple(shape[axis] for axis in inner) or (1,)
    if not can_merge(shapes, full):
        raise node.refused(f"merges shapes {left.shape} and {right.shape}", "give it tensors of one shape")
    sources = [node.made.seen(x, own) for x, own in zip(moved, shapes, strict=True)]
    if shapes[0] == shapes[1]:
        return tensor(_add(kind, node, name, sources, full), shape, order)
    pair = (shapes[0], shapes[1])
    layer = kind(name=name, inputs=(sources[0], sources[1]), shape=full, input_shapes=pair)
    return tensor(node.made.add(layer), shape, order)


def _of_one_shape(kind: type[Merge], node: OnnxNode, left: Tensor, right: Tensor, name: str) -> Tensor:
    shape = node.made.shapes[left.layer]
    return left.at(_add(kind, node, name, [left.layer, node.made.seen(right, shape)], shape))


def _add(kind: type[Merge], node: OnnxNode, name: str, sources: list[str], shape: tuple[int, ...]) -> str:
    if kind is BroadcastAdd and sources[0] != sources[1]:
        return node.made.add(Add(name=name, inputs=tuple(sources), shape=shape))
    return node.made.add(kind(name=name, inputs=(sources[0], sources[1]), shape=shape, input_shapes=(shape, shape)))


# -- with a constant ---------------------------------------------------------------------------------------------------


def _add_constant(node: OnnxNode, x: Tensor, c: Array, first: bool, name: str) -> Tensor:
    return rescaled(node, x, 1.0, c, name)


def _subtract_constant(node: OnnxNode, x: Tensor, c: Array, first: bool, name: str) -> Tensor:
    return rescaled(node, x, -1.0, c, name) if first else rescaled(node, x, 1.0, -c, name)


def _one_number(node: OnnxNode, c: Array) -> float:
    if c.size != 1:
        raise node.refused(f"has a constant of shape {c.shape}", "use one number")
    return float(c.reshape(()))


def _at_least(node: OnnxNode, x: Tensor, c: Array, first: bool, name: str) -> Tensor:
    return clipped(node, x, _one_number(node, c), np.inf, name)


def _at_most(node: OnnxNode, x: Tensor, c: Array, first: bool, name: str) -> Tensor:
    return clipped(node, x, -np.inf, _one_number(node, c), name)


def _divided(node: OnnxNode) -> Tensor:
    if not node.is_constant(1):
        raise node.refused("divides by a tensor that is computed", "only a constant can be there")
    c = node.weights(1).astype(np.float64)
    if not c.all():
        raise node.refused("divides by zero", "export the model again")
    return rescaled(node, node.x, 1 / c, 0.0)


def _power(node: OnnxNode) -> Tensor:
    """Of whole exponents from 1 to 4: products."""
    exponent = float(np.asarray(node.constant(1), np.float64).reshape(-1)[0]) if node.has(1) else 0.0
    if node.constant(1).size != 1 or exponent not in (1, 2, 3, 4):
        raise node.refused(f"raises to the power of {exponent:g}", "use 1, 2, 3 or 4")
    x = result = node.x
    for number in range(2, int(exponent) + 1):
        name = node.name if number == exponent else node.named(str(number))
        result = _of_one_shape(Multiply, node, x, result, name)
    return result


def _absolute(node: OnnxNode) -> Tensor:
    """|x| = max(x, -x)"""
    turned = rescaled(node, node.x, -1.0, 0.0, node.named("turned"))
    return _of_one_shape(Maximum, node, node.x, turned, node.name)


def _mean(node: OnnxNode) -> Tensor:
    total = _one_after_the_other(BroadcastAdd, _add_constant, node)
    return rescaled(node, total, 1 / len(node.values), 0.0, node.named("mean"))


CONVERTERS: Mapping[str, Convert] = {
    "Abs": _absolute,
    "Add": partial(_one_after_the_other, BroadcastAdd, _add_constant),
    "Div": _divided,
    "Max": partial(_one_after_the_other, Maximum, _at_least),
    "Mean": _mean,
    "Min": partial(_one_after_the_other, Minimum, _at_most),
    "Mul": partial(_one_after_the_other, Multiply, lambda node, x, c, first, name: rescaled(node, x, c, 0.0, name)),
    "Pow": _power,
    "Sub": partial(_one_after_the_other, Subtract, _subtract_constant),
    "Sum": partial(_one_after_the_other, BroadcastAdd, _add_constant),
}
