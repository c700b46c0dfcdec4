"""Flatten and Reshape: channels last in, channels last out, so nothing moves in memory."""

from dataclasses import dataclass, replace

from mcusim.graph import Layer
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(Layer):
    """Any shape to any shape of as many elements."""

    VIEW = KEEPS_NUMBERS = READS_UNSIGNED = WRITES_UNSIGNED = True

    def run(self, *inputs: Array) -> Array:
        return inputs[0].reshape(-1, *self.shape)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return replace(self, numbers=inputs[0])
