"""Concatenate along one axis, the channels as a rule."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.numbers import Conversion, Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Concatenate(Layer):
    """Inputs of equal shape but for `axis` (0 is the first behind the batch).

    `conversions` of each input bring integers to one scale.
    """

    axis: int = -1

    conversions: tuple[Conversion, ...] = ()

    READS_UNSIGNED = WRITES_UNSIGNED = True

    def nonnegative(self, inputs: tuple[bool, ...]) -> bool:
        return all(inputs)

    def run(self, *inputs: Array) -> Array:
        if self.conversions:
            inputs = tuple(conversion.apply(x) for conversion, x in zip(self.conversions, inputs, strict=True))
        return np.concatenate(inputs, axis=self.axis + (self.axis >= 0))

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        numbers = scheme.joined(inputs, values)
        return replace(self, numbers=numbers, conversions=tuple(scheme.conversion(entry, numbers) for entry in inputs))
