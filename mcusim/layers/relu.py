"""ReLU and ReLU6: fused into the layer before where there is one, a pass of its own elsewhere."""

from dataclasses import dataclass, replace

from mcusim.graph import Layer
from mcusim.numbers.numbers import RELU, Activation, Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class ReLU(Layer):
    """max(0, x), with or without a ceiling. Any shape; the output has the input's numbers."""

    activation: Activation = RELU

    IN_PLACE = KEEPS_NUMBERS = READS_UNSIGNED = WRITES_UNSIGNED = True

    def nonnegative(self, inputs: tuple[bool, ...]) -> bool:
        return self.activation.nonnegative

    def run(self, *inputs: Array) -> Array:
        if self.numbers is None:
            return self.activation.apply(inputs[0])
        return self.activation.limit(inputs[0], self.numbers)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return replace(self, numbers=inputs[0])
