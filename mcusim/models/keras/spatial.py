"""Keras layers that move or spread numbers: transposed convolutions, up-sampling, cropping, permutations -> a Graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers import BilinearUpSampling, Reshape, StridedCopy, TransposedConvolution
from mcusim.layers.planes import Pair, plane, reach, shape_like
from mcusim.layers.strided_copy import MOST_AXES, joined, steps
from mcusim.models.keras.layer import KerasLayer
from mcusim.models.keras.windows import bias, check_channels, check_plane, dilation_of, ends, pair, spatial_kernel


def transposed(keras: KerasLayer) -> list[Layer]:
    """Keras' kernel is (rows, columns, filters, channels); `output_padding` None lets the strides choose the length."""
    kernel = spatial_kernel(keras)
    check_channels(keras, kernel.shape[3])
    strides, dilation = pair(keras, "strides"), dilation_of(keras)
    extra = keras.config.get("output_padding")
    added = (None, None) if extra is None else pair(keras, "output_padding", lowest=0, other=0)
    windows = reach((kernel.shape[0], kernel.shape[1]), dilation)
    lengths = plane(keras.shape)[:2]
    found = [_spread(keras, *axis) for axis in zip(lengths, windows, strides, added, strict=True)]
    if keras.rank == 1:
        found[0] = (1, 0)
    return [
        TransposedConvolution(
            name=keras.name,
            inputs=keras.inputs,
            **bias(keras, 1, kernel.shape[2]),
            shape=shape_like(keras.rank, found[0][0], found[1][0], kernel.shape[2]),
            input_shape=keras.shape,
            kernel=np.ascontiguousarray(kernel.transpose(2, 0, 1, 3)),
            strides=strides,
            cut=(found[0][1], found[1][1]),
            dilation=dilation,
        )
    ]


def _spread(keras: KerasLayer, length: int, window: int, stride: int, added: int | None) -> Pair:
    """Of one axis: its length in the output, and how much is cut off before it begins (as TensorFlow does)."""
    if keras.config["padding"] == "valid":
        end = max(window, stride) if added is None else window + added
        return (length - 1) * stride + end, 0
    if keras.config["padding"] != "same":
        raise keras.wrong(f"unknown padding {keras.config['padding']!r}", "use 'same' or 'valid'")
    output = length * stride if added is None else (length - 1) * stride + window % 2 + added
    return output, max((length - 1) * stride + window - output, 0) // 2


def up_sampling(keras: KerasLayer) -> list[Layer]:
    check_plane(keras)
    size, how = pair(keras, "size"), keras.config.get("interpolation", "nearest")
    height, width, channels = plane(keras.shape)
    shape = shape_like(keras.rank, height * size[0], width * size[1], channels)
    if how == "bilinear" and keras.rank == 2:
        own: dict[str, Any] = {"name": keras.name, "inputs": keras.inputs, "shape": shape}
        return [BilinearUpSampling(**own, input_shape=keras.shape, size=size)]
    if how != "nearest":
        raise keras.wrong(f"interpolation {how!r} has no kernel", "use 'nearest' or 'bilinear'")
    row, column, one = steps((height, width, channels))
    sizes, strides = (height, size[0], width, size[1], channels), (row, 0, column, 0, one)
    return [copied(keras, shape, sizes, strides)]


def cropping(keras: KerasLayer) -> list[Layer]:
    check_plane(keras)
    (top, bottom), (left, right) = ends(keras, "cropping")
    height, width, channels = plane(keras.shape)
    rows, columns = height - top - bottom, width - left - right
    if min(rows, columns) < 1:
        raise keras.refused(f"leaves nothing of {keras.shape}", "crop less")
    strides = steps((height, width, channels))
    shape = shape_like(keras.rank, rows, columns, channels)
    return [copied(keras, shape, (rows, columns, channels), strides, top * strides[0] + left * strides[1])]


def permute(keras: KerasLayer) -> list[Layer]:
    """Axes count from 1, as Keras counts them."""
    axes = keras.config.get("dims")
    if not isinstance(axes, (list, tuple)) or sorted(axes) != list(range(1, len(keras.shape) + 1)):
        raise keras.wrong(f"dims {axes!r} are no order of {len(keras.shape)} axes", "name each axis once, from 1 on")
    return [permuted(keras, [axis - 1 for axis in axes])]


def permuted(keras: KerasLayer, axes: Sequence[int]) -> Layer:
    """The input with its axes (from 0) in this order; where nothing moves it is the same memory."""
    shape = tuple(keras.shape[axis] for axis in axes)
    moving = [axis for axis in axes if keras.shape[axis] > 1]
    if moving == sorted(moving):
        return Reshape(name=keras.name, inputs=keras.inputs, shape=shape)
    strides = steps(keras.shape)
    return copied(keras, shape, shape, tuple(strides[axis] for axis in axes))


def repeat_vector(keras: KerasLayer) -> list[Layer]:
    count = keras.config.get("n")
    if len(keras.shape) != 1 or type(count) is not int or count < 1:
        raise keras.refused(f"repeats {keras.shape} {count!r} times", "give it a vector and a count of 1 or more")
    shape = (count, *keras.shape)
    return [copied(keras, shape, shape, (0, 1))]


def copied(keras: KerasLayer, shape: Shape, sizes: Shape, strides: tuple[int, ...], offset: int = 0) -> Layer:
    """ModelError where the kernel has too few loops."""
    if len(joined(sizes, strides)[0]) > MOST_AXES:
        raise keras.refused(f"moves {len(sizes)} axes", f"use up to {MOST_AXES}")
    own: dict[str, Any] = {"name": keras.name, "inputs": keras.inputs, "shape": shape, "spelled": keras.kind}
    return StridedCopy(**own, sizes=sizes, strides=strides, offset=offset)


RANKS = ("1D", "2D")
TRANSPOSED = {f"Conv{rank}Transpose": transposed for rank in RANKS}
MOVING = {
    **{f"Cropping{rank}": cropping for rank in RANKS},
    "Permute": permute,
    "RepeatVector": repeat_vector,
    **{f"UpSampling{rank}": up_sampling for rank in RANKS},
}
