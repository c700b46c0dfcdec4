"""TFLite's poolings, means and sums -> layers of a Graph."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_PADDING, Pair, shape_like
from mcusim.layers.pooling import AveragePooling, MaxPooling, Pooling
from mcusim.models.tflite.call import AGAIN, Call, plane_of, without_batch
from mcusim.models.tflite.moving import permuted
from mcusim.models.tflite.sums import padding_of, pair, windows_of
from mcusim.numbers.affine import averaging, mean


def _pool(kind: type[Pooling], call: Call) -> None:
    size, strides = pair(call, "filter_h", "filter_w"), pair(call, "stride_h", "stride_w")
    shape = plane_of(call)
    padding = padding_of(call, shape, size, strides)
    shape, outer = windows_of(call, shape, size, strides, padding)
    window: dict[str, Any] = {"input_shape": shape, "size": size, "strides": strides, "padding": padding}
    call.same_numbers()
    if call.out is not None and kind is AveragePooling:
        window["averaging"] = averaging(call.out, size[0] * size[1])
    call.activated(kind(**call.own((*outer, shape[-1]), call.view(0, shape)), **window))


@dataclass(frozen=True)
class Reduced:
    """A layer whose plane `shape` has windows of `size`, side by side: `rows` of them, each becomes one number."""

    layer: str
    shape: Shape
    size: Pair
    rows: int


def _reduced(call: Call) -> Reduced:
    """Axes that do not lie side by side are moved together; (height, width) of an image stay as they are."""
    shape = call.shape()
    told = call.integers(1, "axes")
    axes = sorted({axis % len(shape) for axis in told if -len(shape) <= axis < len(shape)})
    if not axes or len(set(told)) > len(shape) or any(not -len(shape) <= axis < len(shape) for axis in told):
        raise call.refused(f"goes along axes {told} of {shape}", AGAIN)
    inner = range(axes[0], axes[-1] + 1)
    kept = [axis for axis in inner if axis not in axes and shape[axis] > 1]
    before, behind = range(axes[0]), range(axes[-1] + 1, len(shape))
    rows, count, channels = (math.prod(shape[axis] for axis in part) for part in ((*before, *kept), axes, behind))
    image = without_batch(shape)
    if not kept and rows == 1 and len(shape) == 4 and axes in ([1, 2], [0, 1, 2]):
        return Reduced(call.view(0, image), image, (image[0], image[1]), 1)
    plane: Shape = (count, channels) if rows == 1 else (rows, count, channels)
    if not kept:
        return Reduced(call.view(0, plane), plane, (1, count), rows)
    order = [*before, *kept, *(axis for axis in inner if axis not in kept), *behind]
    moved = permuted(call, 0, order, plane, call.unique(f"{call.name}_moved"))
    call.made[-1] = replace(call.made[-1], numbers=call.numbers())
    return Reduced(moved, plane, (1, count), rows)


def _largest(call: Call) -> None:
    call.same_numbers()
    call.add(MaxPooling(**_windows(call, _reduced(call))))


def _averaged(call: Call, found: Reduced, *, divide: bool = True) -> None:
    """Integers may also be summed so, without a division."""
    window = _windows(call, found)
    if (entry := call.numbers()) is not None and call.out is not None:
        window["averaging"] = mean(entry, call.out, found.size[0] * found.size[1], divide=divide)
    call.add(AveragePooling(**window))


def _windows(call: Call, found: Reduced) -> dict[str, Any]:
    """Fields of a pooling that leaves one number of each row and channel."""
    channels = found.shape[-1]
    own = call.own((channels,) if found.rows == 1 else (found.rows, 1, channels), found.layer)
    return {**own, "input_shape": found.shape, "size": found.size, "strides": found.size, "padding": NO_PADDING}


def _sum(call: Call) -> None:
    """Of reals, a convolution of each channel with ones."""
    found = _reduced(call)
    if call.out is not None:
        _averaged(call, found, divide=False)
        return
    channels = found.shape[-1]
    own = call.own(shape_like(len(found.shape) - 1, found.rows, 1, channels), found.layer)
    kernel = np.ones((channels, *found.size, 1), np.float32)
    bias: dict[str, Any] = {"bias": np.zeros(channels, np.float32), "has_bias": False}
    call.add(Convolution(**own, **bias, input_shape=found.shape, kernel=kernel, groups=channels))


CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    "AVERAGE_POOL_2D": partial(_pool, AveragePooling),
    "MAX_POOL_2D": partial(_pool, MaxPooling),
    "MEAN": lambda call: _averaged(call, _reduced(call)),
    "REDUCE_MAX": _largest,
    "SUM": _sum,
}
