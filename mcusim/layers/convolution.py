"""Conv1D, Conv2D and their depthwise and separable kin: one layer with groups, one kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.planes import (
    Padding,
    Pair,
    check_channels_last,
    output_plane,
    pair,
    plane,
    resolve_padding,
    shape_like,
    window_parameters,
    windows,
)
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.power_of_two import Array
from mcusim.system.errors import ModelError

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.models.keras import KerasLayer

NO_PADDING: Padding = ((0, 0), (0, 0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution(WeightedSum):
    """Input (samples, channels) or (height, width, channels); kernel (filters, rows, columns, channels / groups)."""

    input_shape: Shape
    strides: Pair = (1, 1)
    padding: Padding = NO_PADDING
    groups: int = 1

    KERAS = ("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        _refuse(keras)
        rank = len(keras.shapes[0]) - 1
        spatial = keras.weight(0)  # (window..., channels / groups, filters)
        spatial = spatial.reshape(1, *spatial.shape) if rank == 1 else spatial
        if keras.kind.startswith("Separable"):
            return _separable(keras, spatial)
        groups = int(keras.config.get("groups", 1))
        if keras.kind.startswith("Depthwise"):
            spatial, groups = _depthwise_kernel(spatial), spatial.shape[2]
        bias = keras.weight(1) if keras.config["use_bias"] else None
        layer = _build(keras, keras.name, keras.inputs, keras.shapes[0], spatial, bias, groups)
        return [layer, *keras.activation(layer)]

    @property
    def kind(self) -> str:
        rank = f"{len(self.shape) - 1}D"
        return f"DepthwiseConv{rank}" if 1 < self.groups == plane(self.input_shape)[2] else f"Conv{rank}"

    @property
    def macs(self) -> int:
        return int(np.prod(self.shape[:-1])) * int(self.kernel.size)

    @property
    def run_bytes(self) -> int:
        return (
            8 * int(np.prod(self.shape[:-1])) * (int(np.prod(self.kernel.shape[1:])) * self.groups + self.shape[-1] * 3)
        )

    def run(self, *inputs: Array) -> Array:
        exact = np.float32 if self.format is None else np.float64  # float64 sums of integers are exact below 2**53
        x = inputs[0].reshape(-1, *plane(self.input_shape)).astype(exact)
        filters, rows, columns, channels = self.kernel.shape
        view = windows(x, (rows, columns), self.strides, self.padding, 0)
        # (group, positions, taps) @ (group, taps, filters of the group)
        taps = view.reshape(*view.shape[:5], self.groups, channels).transpose(5, 0, 1, 2, 3, 4, 6)
        taps = taps.reshape(self.groups, -1, rows * columns * channels)
        kernel = self.kernel.astype(exact).reshape(self.groups, filters // self.groups, -1).transpose(0, 2, 1)
        sums = (taps @ kernel).transpose(1, 0, 2).reshape(len(x), *self.shape[:-1], filters)
        return self.finish(sums)

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        size = self.kernel.shape[1:3]
        parameters = window_parameters(self.input_shape, self.shape, size, self.strides, self.padding)
        parameters |= {"groups": self.groups, **self.sum_parameters()}
        return LayerCode(
            (KernelCall("convolution", ("input", "output", "kernel", "bias"), parameters),), self.constants()
        )

    def with_padding(self, extra: Padding, input_shape: Shape, inputs: tuple[str, ...]) -> Convolution:
        """The layer with a ZeroPadding before it folded in."""
        (top, bottom), (left, right) = self.padding
        padding = ((top + extra[0][0], bottom + extra[0][1]), (left + extra[1][0], right + extra[1][1]))
        return replace(self, padding=padding, input_shape=input_shape, inputs=inputs)


def _refuse(keras: KerasLayer) -> None:
    check_channels_last(keras)
    dilation = keras.config.get("dilation_rate", 1)
    if any(rate != 1 for rate in (dilation if isinstance(dilation, (list, tuple)) else [dilation])):
        raise ModelError(
            f"layer {keras.name!r} ({keras.kind}): dilation {dilation} is not supported", hint="use dilation_rate=1"
        )


def _build(
    keras: KerasLayer,
    name: str,
    inputs: tuple[str, ...],
    shape: Shape,
    spatial: Array,
    bias: Array | None,
    groups: int,
    **changes: Any,
) -> Convolution:
    """A convolution from a Keras kernel (rows, columns, channels / groups, filters)."""
    rank, size = len(shape) - 1, (spatial.shape[0], spatial.shape[1])
    strides = changes.get("strides", pair(keras.config["strides"], rank))
    padding = changes.get("padding", resolve_padding(keras, size, strides))
    rows, columns = changes.get("plane") or output_plane(keras, size, strides, padding)
    filters = spatial.shape[3]
    return Convolution(
        name=name,
        inputs=inputs,
        shape=shape_like(rank, rows, columns, filters),
        input_shape=shape,
        kernel=np.ascontiguousarray(spatial.transpose(3, 0, 1, 2)),
        bias=np.zeros(filters, np.float32) if bias is None else bias,
        has_bias=bias is not None,
        strides=strides,
        padding=padding,
        groups=groups,
    )


def _depthwise_kernel(spatial: Array) -> Array:
    """Keras' (rows, columns, channels, multiplier) -> (rows, columns, 1, channels * multiplier)."""
    rows, columns, channels, multiplier = spatial.shape
    return spatial.reshape(rows, columns, 1, channels * multiplier)


def _separable(keras: KerasLayer, spatial: Array) -> list[Layer]:
    """A depthwise convolution without bias, then a 1x1 one."""
    shape, channels = keras.shapes[0], spatial.shape[2]
    name = f"{keras.name}_depthwise"
    depthwise = _build(keras, name, keras.inputs, shape, _depthwise_kernel(spatial), None, channels)
    point = keras.weight(1)
    point = point.reshape(1, *point.shape) if len(shape) == 2 else point
    bias = keras.weight(2) if keras.config["use_bias"] else None
    whole = plane(depthwise.shape)[:2]
    pointwise = _build(
        keras, keras.name, (name,), depthwise.shape, point, bias, 1, strides=(1, 1), padding=NO_PADDING, plane=whole
    )
    return [depthwise, pointwise, *keras.activation(pointwise)]
