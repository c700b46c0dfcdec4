"""ZeroPadding that no convolution could take over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.planes import Padding, check_channels_last, plane, shape_like
from mcusim.numbers.power_of_two import Array, Format

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.line.quantize import Scheme
    from mcusim.models.keras import KerasLayer


@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroPadding(Layer):
    """Input (samples, channels) or (height, width, channels)."""

    input_shape: Shape
    padding: Padding

    KERAS = ("ZeroPadding1D", "ZeroPadding2D")

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        check_channels_last(keras)
        shape = keras.shapes[0]
        padding = _pairs(keras.config["padding"], len(shape) - 1)
        height, width, channels = plane(shape)
        out = shape_like(len(shape) - 1, height + sum(padding[0]), width + sum(padding[1]), channels)
        return [cls(name=keras.name, inputs=keras.inputs, shape=out, input_shape=shape, padding=padding)]

    @property
    def kind(self) -> str:
        return f"ZeroPadding{len(self.shape) - 1}D"

    def run(self, *inputs: Array) -> Array:
        x = inputs[0].reshape(-1, *plane(self.input_shape))
        return np.pad(x, ((0, 0), *self.padding, (0, 0))).reshape(-1, *self.shape)

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        return replace(self, format=inputs[0])

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        height, width, channels = plane(self.input_shape)
        rows, columns, _ = plane(self.shape)
        fields = {"input_height": height, "input_width": width, "channels": channels}
        fields |= {"output_height": rows, "output_width": columns}
        offsets = {"padding_top": self.padding[0][0], "padding_left": self.padding[1][0]}
        fields |= {name: value for name, value in offsets.items() if value}
        return LayerCode((KernelCall("zero_padding", ("input", "output"), fields),))


def _pairs(padding: Any, rank: int) -> Padding:
    """Keras' int, (a, b) or ((top, bottom), (left, right))."""
    if rank == 1:
        ends = (padding, padding) if isinstance(padding, int) else tuple(padding)
        return ((0, 0), (int(ends[0]), int(ends[1])))
    if isinstance(padding, int):
        return ((padding, padding), (padding, padding))
    vertical, horizontal = ((side, side) if isinstance(side, int) else tuple(side) for side in padding)
    return ((int(vertical[0]), int(vertical[1])), (int(horizontal[0]), int(horizontal[1])))
