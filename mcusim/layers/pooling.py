"""Max and average pooling, in windows and global, 1D and 2D."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.activation import LINEAR, Activation
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
from mcusim.numbers.power_of_two import Array, Format, Rounding, average

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.line.quantize import Scheme
    from mcusim.models.keras import KerasLayer


@dataclass(frozen=True, kw_only=True, eq=False)
class Pooling(Layer):
    """Input (samples, channels) or (height, width, channels). Padding never counts: it is outside of every window."""

    input_shape: Shape
    size: Pair
    strides: Pair
    padding: Padding
    activation: Activation = LINEAR

    KERNEL = ""

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        check_channels_last(keras)
        shape = keras.shapes[0]
        if keras.kind.startswith("Global"):
            size = strides = plane(shape)[:2]
            padding: Padding = ((0, 0), (0, 0))
        else:
            size = pair(keras.config["pool_size"], len(shape) - 1)
            strides = pair(keras.config["strides"] or keras.config["pool_size"], len(shape) - 1)
            padding = resolve_padding(keras, size, strides)
        rows, columns = output_plane(keras, size, strides, padding)
        out = shape_like(len(shape) - 1, rows, columns, shape[-1])
        if keras.kind.startswith("Global") and not keras.config.get("keepdims"):
            out = (shape[-1],)
        return [
            cls(
                name=keras.name,
                inputs=keras.inputs,
                shape=out,
                input_shape=shape,
                size=size,
                strides=strides,
                padding=padding,
            )
        ]

    @property
    def kind(self) -> str:
        whole = self.size == plane(self.input_shape)[:2]
        return f"{'Global' if whole else ''}{type(self).__name__}{len(self.input_shape) - 1}D"

    @property
    def run_bytes(self) -> int:
        return 24 * self.elements * self.size[0] * self.size[1]

    def window_view(self, x: Array, fill: float) -> Array:
        """(batch, rows, columns, taps, channels)"""
        view = windows(x.reshape(-1, *plane(self.input_shape)), self.size, self.strides, self.padding, fill)
        return view.reshape(*view.shape[:3], -1, view.shape[-1])

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        return replace(self, format=inputs[0])

    def parameters(self) -> dict[str, Any]:
        rank_shape = shape_like(len(self.input_shape) - 1, *self._output_plane(), self.shape[-1])
        fields = window_parameters(self.input_shape, rank_shape, self.size, self.strides, self.padding)
        del fields["output_channels"]  # as many as the input has
        return {**fields, **self.activation.parameters(self.format)}

    def _output_plane(self) -> Pair:
        return (1, 1) if len(self.shape) == 1 else plane(self.shape)[:2]

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        return LayerCode((KernelCall(self.KERNEL, ("input", "output"), self.parameters()),))


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPooling(Pooling):
    """Largest number of each window; the output has the input's format."""

    KERAS = ("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D")
    KERNEL = "max_pooling"

    def run(self, *inputs: Array) -> Array:
        lowest = -np.inf if self.format is None else self.format.minimum
        best = self.window_view(inputs[0], lowest).max(axis=3).reshape(-1, *self.shape)
        if self.format is None:
            return self.activation.apply(best)
        return self.activation.finish(best, 0, self.format)


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragePooling(Pooling):
    """Mean of each window; the output has the input's format, rounded as the scheme says."""

    nearest: bool = False

    KERAS = ("AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D")
    KERNEL = "average_pooling"

    @property
    def accumulator_peak(self) -> int:
        return 0 if self.format is None else (-self.format.minimum + 1) * self.size[0] * self.size[1]

    def run(self, *inputs: Array) -> Array:
        ones = np.ones((1, *plane(self.input_shape)), np.float32)
        count = self.window_view(ones, 0).sum(axis=3)
        if self.format is None:
            total = self.window_view(inputs[0], 0).sum(axis=3, dtype=np.float32)
            return self.activation.apply((total / count).reshape(-1, *self.shape))
        total = self.window_view(inputs[0].astype(np.int64), 0).sum(axis=3)
        rounding: Rounding = "nearest" if self.nearest else "floor"
        mean = average(total, count.astype(np.int64), rounding).reshape(-1, *self.shape)
        return self.activation.finish(mean, 0, self.format)

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        return replace(self, format=inputs[0], nearest=scheme.rounding == "nearest")

    def parameters(self) -> dict[str, Any]:
        return {**super().parameters(), **({"nearest": 1} if self.nearest else {})}
