"""Nodes that read constants alone, or shapes -> constants: what exporters compute in the graph."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from mcusim.models.onnx.node import EXPORT, OnnxNode
from mcusim.models.onnx.tensor import Tensor
from mcusim.models.onnx.tensors import DTYPES
from mcusim.system.arrays import Array

LARGEST_CONSTANT_ELEMENTS = 2**24
Fold = Callable[[OnnxNode], "Array | Sequence[Array]"]


def demand_size(node: OnnxNode, shape: Sequence[int]) -> None:
    """Before an array is made of what the file says."""
    if any(size < 0 for size in shape) or math.prod(shape) > LARGEST_CONSTANT_ELEMENTS or len(shape) > 16:
        raise node.refused(f"makes a constant of shape {str(tuple(shape))[:80]}", "use a smaller one")


def _all(node: OnnxNode) -> list[Array]:
    return [node.constant(index) for index in range(len(node.values))]


def _elementwise(function: Callable[..., Any], node: OnnxNode) -> Array:
    """A function of one, two or more arrays, which NumPy broadcasts as ONNX does."""
    arrays = _all(node)
    demand_size(node, np.broadcast_shapes(*(array.shape for array in arrays)))
    with np.errstate(all="ignore"):
        return np.asarray(function(*arrays))


def _divided(a: Array, b: Array) -> Array:
    """Whole numbers are cut towards zero."""
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    return np.where(b == 0, 0, np.trunc(a / np.where(b == 0, 1, b))).astype(a.dtype)


def _remainder(node: OnnxNode) -> Array:
    a, b = _all(node)
    return np.asarray(np.fmod(a, b) if node.whole("fmod", 0) else np.mod(a, b))


def _many(function: Callable[[Array, Array], Array], node: OnnxNode) -> Array:
    return _elementwise(lambda *arrays: reduce(function, arrays), node)


def cast_type(node: OnnxNode) -> str:
    """Of a Cast: the name of a type that NumPy has."""
    number = node.whole("to", 1)
    name = DTYPES.get(number, ("", ""))[0]
    if not name or name.endswith("int4"):
        raise node.refused(f"casts to type {number} of ONNX", EXPORT)
    return "float32" if name == "bfloat16" else name


def _cast(node: OnnxNode) -> Array:
    node.whole("saturate", 1)
    with np.errstate(all="ignore"):
        return node.constant(0).astype(cast_type(node))


def _constant(node: OnnxNode) -> Array:
    for key, dtype in (("value_int", np.int64), ("value_ints", np.int64), ("value_float", np.float32)):
        if key in node.attributes:
            return np.asarray(node.attributes[key], dtype)
    value = node.attributes.get("value_floats", node.attributes.get("value"))
    if isinstance(value, tuple):
        return np.asarray(value, np.float32)
    if not isinstance(value, np.ndarray):
        raise node.refused("holds no numbers", EXPORT)
    return value


def _constant_of_shape(node: OnnxNode) -> Array:
    shape = [int(size) for size in node.constant(0).reshape(-1)[:17]]
    demand_size(node, shape)
    value = node.attributes.get("value", np.zeros(1, np.float32))
    return np.full(shape, value.reshape(-1)[0], value.dtype)


def _shape(node: OnnxNode) -> Array:
    """Of activations, too: these are of one sample."""
    value = node.values[0] if node.values else None
    shape = value.shape if isinstance(value, Tensor) else node.constant(0).shape
    start, end = node.whole("start", 0), node.attributes.get("end")
    return np.array(shape[slice(start, end)], np.int64)


def _size(node: OnnxNode) -> Array:
    value = node.values[0] if node.values else None
    return np.asarray(value.elements if isinstance(value, Tensor) else node.constant(0).size, np.int64)


def _gather(node: OnnxNode) -> Array:
    data, places = node.constant(0), node.constant(1)
    axis = node.axis(node.whole("axis", 0), data.ndim)
    demand_size(node, (*data.shape[:axis], *places.shape, *data.shape[axis + 1 :]))
    return np.take(data, places, axis=axis)


def _concat(node: OnnxNode) -> Array:
    arrays = _all(node)
    demand_size(node, (sum(array.size for array in arrays),))
    return np.concatenate(arrays, axis=node.whole("axis", 0))


def target_shape(node: OnnxNode, shape: Sequence[int]) -> tuple[int, ...]:
    """Of a Reshape of what has that shape: 0 keeps an axis, -1 is what is left."""
    wanted = of_one_sample(node, node.listed(1, "shape") or (), shape)
    keeps = not node.whole("allowzero", 0)
    if any(size == 0 and keeps and i >= len(shape) for i, size in enumerate(wanted)) or wanted.count(-1) > 1:
        raise node.refused(f"turns {tuple(shape)} into {wanted}", EXPORT)
    found = [shape[i] if size == 0 and keeps else size for i, size in enumerate(wanted)]
    elements, known = math.prod(shape), math.prod(size for size in found if size != -1)
    if -1 in found:
        found[found.index(-1)] = elements // max(known, 1)
    if math.prod(found) != elements or min(found, default=0) < 0:
        raise node.refused(f"turns {tuple(shape)} into {wanted}", "keep the number of elements, and a batch of 1")
    return tuple(found)


def of_one_sample(node: OnnxNode, wanted: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """Where the file is for a batch of several it names them all."""
    batch = tuple(wanted[:1]) == (node.batch,) and tuple(shape[:1]) == (1,)
    return (1, *wanted[1:]) if node.batch > 1 and batch else tuple(wanted)


def squeezed(node: OnnxNode, shape: Sequence[int]) -> tuple[int, ...]:
    given = node.listed(1, "axes")
    gone = [i for i, size in enumerate(shape) if size == 1] if given is None else node.axes(given, len(shape))
    if any(shape[axis] != 1 for axis in gone):
        raise node.refused(f"squeezes {tuple(shape)} along {given}", EXPORT)
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def unsqueezed(node: OnnxNode, shape: Sequence[int]) -> tuple[int, ...]:
    given = node.listed(1, "axes") or ()
    new = node.axes(given, len(shape) + len(given))
    left = iter(shape)
    return tuple(1 if axis in new else next(left) for axis in range(len(shape) + len(given)))


def flattened(node: OnnxNode, shape: Sequence[int]) -> tuple[int, int]:
    axis = node.whole("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return math.prod(shape[:axis]), math.prod(shape[axis:])


def permutation(node: OnnxNode, rank: int) -> tuple[int, ...]:
    axes = node.wholes("perm", tuple(reversed(range(rank)))) or ()
    if sorted(axes) != list(range(rank)):
        raise node.refused(f"transposes {rank} axes by {axes}", EXPORT)
    return axes


def slices(node: OnnxNode, shape: Sequence[int]) -> list[tuple[int, int, int]]:
    """(start, count, step) of each axis; a negative step goes backwards."""
    starts, ends = node.listed(1, "starts") or (), node.listed(2, "ends") or ()
    axes = node.listed(3, "axes") or tuple(range(len(starts)))
    strides = node.listed(4, "steps") or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(strides) or 0 in strides:
        raise node.refused("has starts and ends that do not fit", EXPORT)
    cuts = [(0, size, 1) for size in shape]
    for start, end, axis, stride in zip(starts, ends, axes, strides, strict=True):
        axis = node.axis(axis, len(shape))
        places = range(*slice(start, end, stride).indices(shape[axis]))
        cuts[axis] = (places.start, len(places), stride)
    return cuts


def _slice(node: OnnxNode) -> Array:
    data = node.constant(0)
    for axis, (start, count, step) in enumerate(slices(node, data.shape)):
        data = np.take(data, start + step * np.arange(count), axis=axis)
    return data


def _range(node: OnnxNode) -> Array:
    start, limit, step = (node.constant(index).reshape(-1)[0] for index in range(3))
    count = math.ceil((float(limit) - float(start)) / float(step))
    demand_size(node, (max(count, 0),))
    return np.asarray(start + step * np.arange(max(count, 0)), start.dtype)


def _expand(node: OnnxNode) -> Array:
    data = node.constant(0)
    shape = np.broadcast_shapes(data.shape, node.listed(1, "shape") or ())
    demand_size(node, shape)
    return np.broadcast_to(data, shape)


def _tile(node: OnnxNode) -> Array:
    data, repeats = node.constant(0), node.listed(1, "repeats") or ()
    demand_size(node, [size * repeat for size, repeat in zip(data.shape, repeats, strict=True)])
    return np.tile(data, repeats)


def _reduced(function: Callable[..., Any], node: OnnxNode) -> Array:
    data, axes = node.constant(0), node.listed(1, "axes")
    found = node.axes(axes, data.ndim) if axes else None
    if not axes and node.whole("noop_with_empty_axes", 0):
        return data
    with np.errstate(all="ignore"):
        return np.asarray(function(data, axis=found, keepdims=bool(node.whole("keepdims", 1)))).astype(data.dtype)


def _dequantized(node: OnnxNode) -> Array:
    """Weights that are stored as integers, as float32."""
    data, scale = node.constant(0), node.constant(1).astype(np.float32)
    zero = node.constant(2) if node.has(2) else np.zeros(scale.shape, data.dtype)
    axis = node.axis(node.whole("axis", 1), data.ndim) if scale.size > 1 else 0
    if scale.ndim > 1 or scale.size not in (1, data.shape[axis] if data.ndim else 1) or node.whole("block_size", 0):
        raise node.refused(f"has scales of shape {scale.shape} for {data.shape}", "use one a tensor, or one a channel")
    along = tuple(-1 if i == axis else 1 for i in range(data.ndim))
    scale, zero = (array.reshape(along) if array.size > 1 else array.reshape(()) for array in (scale, zero))
    return np.asarray((data.astype(np.int64) - zero.astype(np.int64)).astype(np.float32) * scale)


def _split_places(node: OnnxNode) -> Sequence[Array]:
    data = node.constant(0)
    axis = node.axis(node.whole("axis", 0), data.ndim)
    return np.split(data, np.cumsum(split_sizes(node, data.shape[axis]))[:-1], axis=axis)


def split_sizes(node: OnnxNode, size: int) -> tuple[int, ...]:
    """Of the parts that an axis of that length falls into; without sizes they are equal, the last may be shorter."""
    told, count = node.listed(1, "split"), node.whole("num_outputs", len(node.used))
    part = -(-size // max(count, 1))
    found = told or (part,) * (count - 1) + (size - part * (count - 1),)
    if sum(found) != size or min(found) < 0 or len(found) < len(node.used):
        raise node.refused(f"splits {size} into {found}", EXPORT)
    return found


FOLDED: Mapping[str, Fold] = {
    "Abs": partial(_elementwise, np.abs),
    "Add": partial(_elementwise, np.add),
    "And": partial(_elementwise, np.logical_and),
    "Cast": _cast,
    "Ceil": partial(_elementwise, np.ceil),
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": _dequantized,
    "Div": partial(_elementwise, _divided),
    "Equal": partial(_elementwise, np.equal),
    "Exp": partial(_elementwise, np.exp),
    "Expand": _expand,
    "Flatten": lambda node: node.constant(0).reshape(flattened(node, node.constant(0).shape)),
    "Floor": partial(_elementwise, np.floor),
    "Gather": _gather,
    "Greater": partial(_elementwise, np.greater),
    "Identity": lambda node: node.constant(0),
    "Less": partial(_elementwise, np.less),
    "Log": partial(_elementwise, np.log),
    "Max": partial(_many, np.maximum),
    "Min": partial(_many, np.minimum),
    "Mod": _remainder,
    "Mul": partial(_elementwise, np.multiply),
    "Neg": partial(_elementwise, np.negative),
    "Not": partial(_elementwise, np.logical_not),
    "Or": partial(_elementwise, np.logical_or),
    "Pow": partial(_elementwise, lambda a, b: np.power(a, b).astype(a.dtype)),
    "Range": _range,
    "Reciprocal": partial(_elementwise, lambda a: (1 / a).astype(a.dtype)),
    "ReduceMax": partial(_reduced, np.max),
    "ReduceMin": partial(_reduced, np.min),
    "ReduceProd": partial(_reduced, np.prod),
    "ReduceSum": partial(_reduced, np.sum),
    "Reshape": lambda node: node.constant(0).reshape(target_shape(node, node.constant(0).shape)),
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "Split": _split_places,
    "Sqrt": partial(_elementwise, np.sqrt),
    "Squeeze": lambda node: node.constant(0).reshape(squeezed(node, node.constant(0).shape)),
    "Sub": partial(_elementwise, np.subtract),
    "Tile": _tile,
    "Transpose": lambda node: node.constant(0).transpose(permutation(node, node.constant(0).ndim)),
    "Unsqueeze": lambda node: node.constant(0).reshape(unsqueezed(node, node.constant(0).shape)),
    "Where": partial(_elementwise, np.where),
}
# What is a constant though it reads an activation: its shape is known.
OF_SHAPES = ("Shape", "Size")
