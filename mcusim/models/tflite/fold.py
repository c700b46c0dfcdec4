"""Operations on constants -> their results: shapes that a file computes for batches of any size, weights of 16 bits."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.models.tflite.description import Operation, Tensor
from mcusim.models.tflite.schema import DTYPES
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

LARGEST_ELEMENTS = 2**24


@dataclass(frozen=True)
class Folding:
    """`shape`: of the first input, which SHAPE asks for. `tensors`: of the inputs."""

    operation: Operation
    inputs: Sequence[Array]
    shape: Shape
    output: Tensor
    tensors: Sequence[Tensor | None]

    @property
    def dtype(self) -> np.dtype[Any]:
        return DTYPES[self.output.dtype].newbyteorder("=")

    def option(self, name: str) -> int:
        return int(self.operation.options[name])


Fold = Callable[[Folding], Array]


def _strided_slice(folding: Folding) -> Array:
    chosen: Array = folding.inputs[0][slices(folding.operation.options, folding.inputs[0].shape, *folding.inputs[1:4])]
    return chosen


def slices(options: Mapping[str, float], shape: Shape, begin: Array, end: Array, strides: Array) -> tuple[Any, ...]:
    """Of a STRIDED_SLICE, as NumPy takes them. ValueError for masks that nothing here knows."""
    masks = {name: int(options[name]) for name in options}
    if masks["ellipsis_mask"] or masks["new_axis_mask"] or masks["offset"]:
        raise ValueError("its masks")
    found: list[Any] = []
    for axis, (first, last, step) in enumerate(zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)):
        if masks["shrink_axis_mask"] >> axis & 1:
            found.append(range(shape[axis])[first])
        else:
            start = None if masks["begin_mask"] >> axis & 1 else first
            found.append(slice(start, None if masks["end_mask"] >> axis & 1 else last, step))
    return tuple(found)


def _slice(folding: Folding) -> Array:
    """A size of -1 goes to the end."""
    begin, sizes = (given.reshape(-1).tolist() for given in folding.inputs[1:3])
    parts = zip(begin, sizes, strict=True)
    return folding.inputs[0][tuple(slice(first, None if size == -1 else first + size) for first, size in parts)]


def _demand_small(elements: int) -> None:
    if elements > LARGEST_ELEMENTS:
        raise ModelError(f"a constant of the model has {elements} numbers", hint="use a smaller model")


def _pack(folding: Folding) -> Array:
    _demand_small(sum(value.size for value in folding.inputs))
    return np.stack(folding.inputs, folding.option("axis"))


def _reshape(folding: Folding) -> Array:
    shape = folding.output.shape
    if math.prod(shape) != folding.inputs[0].size:
        shape = tuple(folding.inputs[1].reshape(-1).tolist())
    return folding.inputs[0].reshape(shape)


def _squeeze(folding: Folding) -> Array:
    return folding.inputs[0].reshape(folding.output.shape)


def _dequantize(folding: Folding) -> Array:
    """Weights of 16 bits become floats; integers by their scales."""
    tensor, values = folding.tensors[0], folding.inputs[0]
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    if tensor is None or not tensor.quantized:
        raise ValueError("no scale")
    return real(tensor, values)


def real(tensor: Tensor, values: Array) -> Array:
    """What the integers of a tensor stand for, float32."""
    scales, points = _along(tensor, values.ndim)
    return np.asarray((scales.astype(np.float64) * (values.astype(np.int64) - points)).astype(np.float32))


def _along(tensor: Tensor, axes: int) -> tuple[Array, Array]:
    """Scales and zero points of a tensor with so many axes, as NumPy repeats them."""
    along = [1] * axes
    if len(tensor.scales) > 1:
        along[tensor.axis] = len(tensor.scales)
    return tensor.scales.reshape(along), tensor.zero_points.reshape(along)


def _quantize(folding: Folding) -> Array:
    """As integers are made of reals: weights that a file keeps beside the numbers which they are rounded to."""
    values, tensor = folding.inputs[0], folding.output
    if values.dtype.kind != "f" or not tensor.quantized:
        raise ValueError("no reals, or no scale")
    scales, points = _along(tensor, values.ndim)
    with np.errstate(invalid="ignore", over="ignore"):
        steps = values.astype(np.float32) / scales.astype(np.float32)
        rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps)) + points
    about = np.iinfo(folding.dtype)
    return np.asarray(np.clip(np.nan_to_num(rounded), about.min, about.max).astype(folding.dtype))


def _cast(folding: Folding) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        return folding.inputs[0].astype(folding.dtype)


def _concatenation(folding: Folding) -> Array:
    _demand_small(sum(value.size for value in folding.inputs))
    return np.concatenate(folding.inputs, folding.option("axis"))


def _transpose(folding: Folding) -> Array:
    return np.ascontiguousarray(folding.inputs[0].transpose(folding.inputs[1].reshape(-1).tolist()))


def _gather(folding: Folding) -> Array:
    _demand_small(folding.inputs[0].size * folding.inputs[1].size)
    return np.take(folding.inputs[0], folding.inputs[1], folding.option("axis"))


def _product(folding: Folding) -> Array:
    axes = tuple(folding.inputs[1].reshape(-1).tolist())
    keep = bool(folding.option("keep_dims"))
    with np.errstate(over="ignore"):
        return np.asarray(np.prod(folding.inputs[0], axis=axes, keepdims=keep, dtype=folding.inputs[0].dtype))


def _fill(folding: Folding) -> Array:
    shape = tuple(folding.inputs[0].reshape(-1).tolist())
    _demand_small(math.prod(shape))
    return np.full(shape, folding.inputs[1].reshape(()), folding.inputs[1].dtype)


def _of_two(compute: Callable[[Array, Array], Array], folding: Folding) -> Array:
    """Of shapes: whole numbers that are not quantized. Those of a network are no constants."""
    if any(tensor is not None and tensor.quantized for tensor in folding.tensors):
        raise ValueError("quantized constants")
    if folding.operation.options.get("activation"):
        raise ValueError("an activation")
    _demand_small(math.prod(np.broadcast_shapes(*(value.shape for value in folding.inputs))))
    with np.errstate(all="ignore"):
        return np.asarray(compute(*folding.inputs))


FOLDERS: Mapping[str, Fold] = {
    "ADD": partial(_of_two, lambda first, second: first + second),
    "CAST": _cast,
    "CONCATENATION": _concatenation,
    "DEQUANTIZE": _dequantize,
    "EXPAND_DIMS": _squeeze,
    "FILL": _fill,
    "GATHER": _gather,
    "LESS": partial(_of_two, lambda first, second: first < second),
    "LOGICAL_AND": partial(_of_two, lambda first, second: first & second),
    "MUL": partial(_of_two, lambda first, second: first * second),
    "PACK": _pack,
    "QUANTIZE": _quantize,
    "REDUCE_PROD": _product,
    "RESHAPE": _reshape,
    "SHAPE": lambda folding: np.array(folding.shape, folding.dtype),
    "SLICE": _slice,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "SUB": partial(_of_two, lambda first, second: first - second),
    "TRANSPOSE": _transpose,
}
