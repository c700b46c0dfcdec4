"""Add: element by element, any number of inputs of one shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Layer
from mcusim.layers.activation import LINEAR, Activation
from mcusim.numbers.power_of_two import ACCUMULATOR_LIMIT, Array, Format, rounding_term, shift_left
from mcusim.system.errors import ModelError

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.line.quantize import Scheme
    from mcusim.models.keras import KerasLayer

LARGEST_SHIFT = 31


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Layer):
    """Integers are brought to the finest of their scales that 32 bits can hold (section 5.8 of the paper)."""

    activation: Activation = LINEAR
    shifts: tuple[int, ...] = ()  # of each input, to the left
    shift: int = 0  # of the sum, to the right
    rounding: int = 0
    peak_sum: int = 0

    KERAS = ("Add",)
    IN_PLACE = True

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        if len(keras.inputs) < 2 or len(set(keras.shapes)) > 1:
            raise ModelError(
                f"layer {keras.name!r} (Add) joins shapes {', '.join(map(str, keras.shapes))}",
                hint="give it two or more inputs of one shape (no broadcasting)",
            )
        return [cls(name=keras.name, inputs=keras.inputs, shape=keras.shapes[0])]

    @property
    def accumulator_peak(self) -> int:
        return self.peak_sum

    def run(self, *inputs: Array) -> Array:
        if self.format is None:
            return self.activation.apply(reduce(np.add, inputs))
        total = sum(shift_left(x, shift) for x, shift in zip(inputs, self.shifts, strict=True))
        return self.activation.finish(np.asarray(total) + self.rounding, self.shift, self.format)

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        out = scheme.format(peak)
        finest = min(max(fmt.fraction for fmt in inputs), out.fraction + LARGEST_SHIFT)
        while _peak_sum(inputs, finest) > ACCUMULATOR_LIMIT // 2:  # the other half is head-room for the rounding term
            finest -= 1
        out = Format(out.bits, min(out.fraction, finest))
        shift = finest - out.fraction
        return replace(
            self,
            format=out,
            shifts=tuple(max(finest - fmt.fraction, -LARGEST_SHIFT) for fmt in inputs),
            shift=shift,
            rounding=rounding_term(shift, scheme.rounding),
            peak_sum=_peak_sum(inputs, finest) + rounding_term(shift, scheme.rounding),
        )

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        fields: dict[str, Any] = {"elements": self.elements, "inputs": len(inputs)}
        if any(self.shifts):
            fields["shifts"] = self.shifts
        optional = {"shift": self.shift, "rounding": self.rounding}
        fields |= {name: value for name, value in optional.items() if value}
        fields |= self.activation.parameters(self.format)
        return LayerCode((KernelCall("add", ("inputs", "output"), fields),))


def _peak_sum(inputs: tuple[Format, ...], finest: int) -> int:
    """Largest magnitude of the sum when all inputs are brought to `finest` fraction bits."""
    return sum(-fmt.minimum << max(finest - fmt.fraction, 0) for fmt in inputs)
