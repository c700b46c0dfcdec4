"""ZeroPadding that no convolution could take over."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.planes import Padding, plane
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroPadding(Layer):
    """Input (samples, channels) or (height, width, channels)."""

    input_shape: Shape
    padding: Padding

    KEEPS_NUMBERS = READS_UNSIGNED = WRITES_UNSIGNED = True

    @property
    def kind(self) -> str:
        return f"ZeroPadding{len(self.shape) - 1}D"

    def run(self, *inputs: Array) -> Array:
        x = inputs[0].reshape(-1, *plane(self.input_shape))
        zero = 0 if self.numbers is None else self.numbers.zero
        return np.pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=zero).reshape(-1, *self.shape)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return replace(self, numbers=inputs[0])
