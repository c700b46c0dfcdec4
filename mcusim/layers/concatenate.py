"""Concatenate along the channels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.power_of_two import Array, Format, Rounding, clamp, rounding_term, shift_left
from mcusim.system.errors import ModelError

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.line.quantize import Scheme
    from mcusim.models.keras import KerasLayer

LARGEST_SHIFT = 31


@dataclass(frozen=True, kw_only=True, eq=False)
class Concatenate(Layer):
    """Inputs (..., channels) of equal leading shape; the output has the coarsest of their scales: nothing saturates."""

    shifts: tuple[int, ...] = ()  # of each input, to the right
    nearest: bool = False

    KERAS = ("Concatenate",)

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        shapes, axis = keras.shapes, keras.config.get("axis", -1)
        if axis not in (-1, len(shapes[0])) or len({shape[:-1] for shape in shapes}) > 1:
            raise ModelError(
                f"layer {keras.name!r} (Concatenate) joins {', '.join(map(str, shapes))} along axis {axis}",
                hint="concatenate along the last axis (channels last)",
            )
        channels = sum(shape[-1] for shape in shapes)
        return [cls(name=keras.name, inputs=keras.inputs, shape=(*shapes[0][:-1], channels))]

    @property
    def _rounding(self) -> Rounding:
        return "nearest" if self.nearest else "floor"

    def run(self, *inputs: Array) -> Array:
        if self.format is None:
            return np.concatenate(inputs, axis=-1)
        parts = [
            clamp(shift_left(x.astype(np.int64) + rounding_term(shift, self._rounding), -shift), self.format)
            for x, shift in zip(inputs, self.shifts, strict=True)
        ]
        return np.concatenate(parts, axis=-1)

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        coarsest = min(fmt.fraction for fmt in inputs)
        shifts = tuple(min(fmt.fraction - coarsest, LARGEST_SHIFT - 2) for fmt in inputs)
        return replace(self, format=Format(scheme.bits, coarsest), shifts=shifts, nearest=scheme.rounding == "nearest")

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        calls, offset = [], 0
        for index, part in enumerate(inputs):
            channels = part.shape[-1]
            fields: dict[str, Any] = {"rows": self.elements // self.shape[-1], "channels": channels}
            fields |= {"output_channels": self.shape[-1], "offset": offset}
            if shift := (self.shifts[index] if self.shifts else 0):
                fields |= {"shift": shift, "rounding": rounding_term(shift, self._rounding)}
            calls.append(KernelCall("concatenate", (f"inputs[{index}]", "output"), fields))
            offset += channels
        return LayerCode(tuple(calls))
