"""Keras' convolutions, dense layers, poolings and paddings -> layers of a Graph."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers import AveragePooling, Convolution, Dense, MaxPooling, Reshape, ZeroPadding
from mcusim.layers.planes import NO_PADDING, Padding, Pair, output_plane, plane, reach, same_padding, shape_like
from mcusim.layers.pooling import Pooling
from mcusim.models.keras.layer import KerasLayer
from mcusim.system.arrays import Array


def check_plane(keras: KerasLayer) -> None:
    """Raises ModelError unless the layer gets (samples, channels) or (height, width, channels), as its kind says."""
    check_channels_last(keras)
    if f"{keras.rank}D" not in keras.kind or keras.rank not in (1, 2):
        shape = "(samples, channels)" if "1D" in keras.kind else "(height, width, channels)"
        raise keras.refused(f"gets {keras.shape}", f"give it {shape}")


def check_channels_last(keras: KerasLayer) -> None:
    if keras.config.get("data_format", "channels_last") not in (None, "channels_last"):
        raise keras.refused("is channels first", "train with data_format='channels_last'")


def pair(keras: KerasLayer, key: str, *, lowest: int = 1, other: int = 1) -> Pair:
    """A Keras size (int or sequence) for 1D or 2D -> (vertical, horizontal); in 1D the vertical one is `other`."""
    value = keras.config.get(key, 1)
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,) * keras.rank
    if len(sizes) != keras.rank or any(type(size) is not int or size < lowest for size in sizes):
        raise keras.wrong(f"{key} is {value!r}", f"use whole numbers from {lowest} on, one for each axis")
    return (other, sizes[0]) if keras.rank == 1 else (sizes[0], sizes[1])


def dilation_of(keras: KerasLayer) -> Pair:
    return pair(keras, "dilation_rate")


def _padding(keras: KerasLayer, size: Pair, strides: Pair) -> Padding:
    """Keras' `valid`, `same` or `causal` as explicit counts, for windows that reach so far."""
    mode = keras.config["padding"]
    if mode == "valid":
        return NO_PADDING
    if mode == "causal" and keras.rank == 1:
        return ((0, 0), (size[1] - 1, 0))
    if mode != "same":
        raise keras.wrong(f"unknown padding {mode!r}", "use 'same' or 'valid'")
    return same_padding(keras.shape, size, strides)


def _output_plane(keras: KerasLayer, size: Pair, strides: Pair, padding: Padding) -> Pair:
    found = output_plane(keras.shape, size, strides, padding)
    if found is None:
        why = f"a window of {size} with strides {strides} does not fit {keras.shape}"
        raise keras.wrong(why, "use a smaller window, or padding 'same'")
    return found


# -- sums --------------------------------------------------------------------------------------------------------------


def bias(keras: KerasLayer, index: int, outputs: int) -> dict[str, Any]:
    has_bias = bool(keras.config["use_bias"])
    return {"bias": keras.weight(index) if has_bias else np.zeros(outputs, np.float32), "has_bias": has_bias}


def dense(keras: KerasLayer) -> list[Layer]:
    kernel = keras.weight(0).T
    check_channels(keras, kernel.shape[-1])
    given: dict[str, Any] = {"name": keras.name, "inputs": keras.inputs, **bias(keras, 1, len(kernel))}
    if len(keras.shape) == 1:
        return [Dense(**given, shape=(len(kernel),), kernel=kernel)]
    if len(keras.shape) > 3:
        return _dense_on_more_axes(keras, given, kernel)
    return [_pointwise(given, keras.shape, kernel)]


def _dense_on_more_axes(keras: KerasLayer, given: Mapping[str, Any], kernel: Array) -> list[Layer]:
    rows = (int(np.prod(keras.shape[:-1])), keras.shape[-1])
    flat = Reshape(name=f"{keras.name}_rows", inputs=keras.inputs, shape=rows)
    made = _pointwise({**given, "inputs": (flat.name,)}, rows, kernel)
    shape = (*keras.shape[:-1], len(kernel))
    return [flat, made, Reshape(name=f"{keras.name}_shape", inputs=(made.name,), shape=shape)]


def _pointwise(given: Mapping[str, Any], shape: Shape, kernel: Array) -> Convolution:
    """A sum over the last axis alone; kernel (filters, channels)."""
    window = kernel.reshape(len(kernel), 1, 1, -1)
    return Convolution(**given, shape=(*shape[:-1], len(kernel)), input_shape=shape, kernel=window)


def check_channels(keras: KerasLayer, channels: int) -> None:
    """Raises ModelError unless the weights are for as many as the input has."""
    if channels != keras.shape[-1]:
        why = f"has weights for {channels} channels and gets {keras.shape[-1]}"
        raise keras.refused(why, "save the model again: its settings and its weights differ")


def spatial_kernel(keras: KerasLayer) -> Array:
    """Keras' first kernel (rows, columns, channels / groups, filters); 1D is a plane of height 1."""
    check_plane(keras)
    kernel = keras.weight(0)
    if kernel.ndim != keras.rank + 2:
        raise keras.refused(f"has a kernel of shape {kernel.shape}", "save the model again")
    return kernel.reshape(1, *kernel.shape) if keras.rank == 1 else kernel


def _convolution(keras: KerasLayer) -> list[Layer]:
    spatial = spatial_kernel(keras)
    given = {"name": keras.name, **bias(keras, 1, spatial.shape[3])}
    groups = keras.config.get("groups", 1)
    if type(groups) is not int or groups < 1 or keras.shape[-1] % groups or spatial.shape[3] % groups:
        raise keras.wrong(f"{groups!r} groups do not divide the channels", "save the model again")
    return [_sliding(keras, given, spatial, groups)]


def _depthwise(keras: KerasLayer) -> list[Layer]:
    spatial = spatial_kernel(keras)
    flat = _depthwise_kernel(spatial)
    return [_sliding(keras, {"name": keras.name, **bias(keras, 1, flat.shape[3])}, flat, spatial.shape[2])]


def _separable(keras: KerasLayer) -> list[Layer]:
    """A depthwise convolution without bias, then a 1x1 one."""
    spatial = spatial_kernel(keras)
    flat, name = _depthwise_kernel(spatial), f"{keras.name}_depthwise"
    none = {"bias": np.zeros(flat.shape[3], np.float32), "has_bias": False}
    depthwise = _sliding(keras, {"name": name, **none}, flat, spatial.shape[2])
    point = keras.weight(1)
    kernel = np.ascontiguousarray(point.reshape(-1, point.shape[-1]).T)
    given = {"name": keras.name, "inputs": (name,), **bias(keras, 2, len(kernel))}
    return [depthwise, _pointwise(given, depthwise.shape, kernel)]


def _depthwise_kernel(spatial: Array) -> Array:
    """Keras' (rows, columns, channels, multiplier) -> (rows, columns, 1, channels * multiplier)."""
    rows, columns, channels, multiplier = spatial.shape
    return spatial.reshape(rows, columns, 1, channels * multiplier)


def _sliding(keras: KerasLayer, given: Mapping[str, Any], spatial: Array, groups: int) -> Convolution:
    """A convolution from a kernel (rows, columns, channels / groups, filters)."""
    check_channels(keras, spatial.shape[2] * groups)
    dilation, strides = dilation_of(keras), pair(keras, "strides")
    size = reach((spatial.shape[0], spatial.shape[1]), dilation)
    padding = _padding(keras, size, strides)
    return Convolution(
        **given,
        inputs=keras.inputs,
        shape=shape_like(keras.rank, *_output_plane(keras, size, strides, padding), spatial.shape[3]),
        input_shape=keras.shape,
        kernel=np.ascontiguousarray(spatial.transpose(3, 0, 1, 2)),
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


# -- windows without weights -------------------------------------------------------------------------------------------


def _pooling(kind: type[Pooling], keras: KerasLayer) -> list[Layer]:
    check_plane(keras)
    is_global = keras.kind.startswith("Global")
    if is_global:
        size = strides = plane(keras.shape)[:2]
        padding = NO_PADDING
    else:
        size = pair(keras, "pool_size")
        strides = pair(keras, "strides") if keras.config.get("strides") else size
        padding = _padding(keras, size, strides)
    shape = shape_like(keras.rank, *_output_plane(keras, size, strides, padding), keras.shape[-1])
    if is_global and not keras.config.get("keepdims"):
        shape = (keras.shape[-1],)
    window: dict[str, Any] = {"input_shape": keras.shape, "size": size, "strides": strides, "padding": padding}
    return [kind(name=keras.name, inputs=keras.inputs, shape=shape, **window)]


def _zero_padding(keras: KerasLayer) -> list[Layer]:
    check_plane(keras)
    padding = ends(keras, "padding")
    height, width, channels = plane(keras.shape)
    shape = shape_like(keras.rank, height + sum(padding[0]), width + sum(padding[1]), channels)
    return [ZeroPadding(name=keras.name, inputs=keras.inputs, shape=shape, input_shape=keras.shape, padding=padding)]


def ends(keras: KerasLayer, key: str) -> Padding:
    """Keras' int, (a, b) or ((top, bottom), (left, right))."""
    value: Any = keras.config.get(key)
    sides: Any = (0, value) if keras.rank == 1 else (value, value) if isinstance(value, int) else value
    try:
        pairs = [(side, side) if isinstance(side, int) else tuple(side) for side in sides]
        (top, bottom), (left, right) = pairs
    except (TypeError, ValueError):
        top = None
    if top is None or any(type(count) is not int or count < 0 for count in (top, bottom, left, right)):
        raise keras.wrong(f"{key} is {value!r}", "use a count, or a pair of counts for each axis")
    return ((top, bottom), (left, right))


Converters = Mapping[str, Callable[[KerasLayer], list[Layer]]]
RANKS = ("1D", "2D")
CONVOLUTIONS: Converters = {
    f"{name}{rank}": convert
    for name, convert in (("Conv", _convolution), ("DepthwiseConv", _depthwise), ("SeparableConv", _separable))
    for rank in RANKS
}
POOLINGS: Converters = {
    f"{place}{name}{rank}": partial(_pooling, kind)
    for name, kind in (("MaxPooling", MaxPooling), ("AveragePooling", AveragePooling))
    for place in ("", "Global")
    for rank in RANKS
}
PADDINGS: Converters = {f"ZeroPadding{rank}": _zero_padding for rank in RANKS}
