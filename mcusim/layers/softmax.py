"""Softmax over the last axis. At the output of a classifier `optimize` drops it: the largest stays the largest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.power_of_two import Array, Format, clamp, exponential
from mcusim.system.errors import ModelError

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.line.quantize import Scheme
    from mcusim.models.keras import KerasLayer

ONE = 2**15  # 1.0 in the tables of the exponential


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(Layer):
    """Input and output (..., channels).

    On integers e**-d is the product of two table entries, for the high and for the low byte of the distance d to the
    largest input, in units of 2**-15; quotients are rounded down.
    """

    input_format: Format | None = None

    KERAS = ("Softmax",)
    IN_PLACE = True

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        axis = keras.config.get("axis", -1)
        if axis not in (-1, len(keras.shapes[0])):
            raise ModelError(f"layer {keras.name!r} (Softmax) works on axis {axis}", hint="use the last axis")
        return [cls(name=keras.name, inputs=keras.inputs, shape=keras.shapes[0])]

    def tables(self) -> tuple[Array, Array]:
        """e**-(256 h 2**-fraction) and e**-(l 2**-fraction) for h, l = 0..255, times 2**15: what the C reads."""
        assert self.input_format is not None
        low = np.ldexp(np.arange(256.0), -self.input_format.fraction)
        high, low = (np.rint(np.exp(-np.minimum(d, 700.0)) * ONE).astype(np.int64) for d in (low * 256, low))
        return high, low

    def run(self, *inputs: Array) -> Array:
        x = inputs[0]
        if self.format is None:
            powers = exponential(x - x.max(axis=-1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=-1, keepdims=True, dtype=np.float32))
        high, low = self.tables()
        distance = x.max(axis=-1, keepdims=True).astype(np.int64) - x
        powers = (high[distance >> 8] * low[distance & 255]) >> 15
        return clamp((powers << self.format.fraction) // powers.sum(axis=-1, keepdims=True), self.format)

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        out = Format(scheme.bits, scheme.bits - 1) if scheme.fraction is None else scheme.format(0)
        return replace(self, format=out, input_format=inputs[0])

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import Constant, KernelCall, LayerCode

        parameters: dict[str, Any] = {"rows": self.elements // self.shape[-1], "channels": self.shape[-1]}
        if self.format is None:
            return LayerCode((KernelCall("softmax", ("input", "output"), parameters),))
        high, low = self.tables()
        constants = (Constant("high", "uint16_t", high), Constant("low", "uint16_t", low))
        parameters["fraction"] = self.format.fraction
        return LayerCode((KernelCall("softmax", ("input", "output", "high", "low"), parameters),), constants)
