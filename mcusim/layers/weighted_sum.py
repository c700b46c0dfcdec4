"""What Dense, convolutions and batch normalization share: sums of weight x input."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.numbers import LINEAR, Activation, Numbers, Range, Rescale, Scheme
from mcusim.system.arrays import Array

W = TypeVar("W", bound="WeightedSum")
EXACT_IN_FLOAT32 = 2**24


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightedSum(Layer):
    """A layer that sums weight x input. `kernel`: (outputs, ...), a row for each output channel; `bias`: (outputs,).

    Integers: the bias is at the scale of the sums, with all in it that `rescale` wants to find there. `zero`: the
    number of the inputs that stands for 0. `wider_numbers`: as wide as the inputs, where weights are narrower.
    """

    kernel: Array
    bias: Array
    activation: Activation = LINEAR
    has_bias: bool = True
    kernel_numbers: Numbers | None = None
    rescale: Rescale | None = None
    peak_sum: int = 0
    lost_bits: int = 0
    zero: int = 0
    wider_numbers: Numbers | None = None

    @property
    def arithmetic(self) -> Numbers | None:
        return self.wider_numbers or self.kernel_numbers

    @property
    def weight_numbers(self) -> Numbers | None:
        return self.kernel_numbers

    @property
    def number_bytes(self) -> int:
        """Of what is multiplied with a weight."""
        return (self.kernel.dtype if self.arithmetic is None else self.arithmetic.dtype).itemsize

    @property
    def weight_bytes(self) -> int:
        return self.kernel.dtype.itemsize

    @property
    def summands(self) -> int:
        """Inputs of a sum."""
        return int(self.kernel[0].size)

    def nonnegative(self, inputs: tuple[bool, ...]) -> bool:
        return self.activation.nonnegative

    def taps(self, x: Array, most: int) -> Array | None:
        """Inputs (N, ...) -> what the sums multiply with the kernel, (groups, positions, taps); None if it cannot tell.

        `most`: positions at most, the same ones for inputs of the same shape.
        """
        return None

    @property
    def weights(self) -> Mapping[str, Array]:
        return {"kernel": self.kernel, "bias": self.bias} if self.has_bias else {"kernel": self.kernel}

    @property
    def accumulator_peak(self) -> int:
        return self.peak_sum

    def exact(self, x: Array) -> Array:
        """In a type in which sums are right, in any order: of integers those below 2**24, or 2**53, are exact."""
        narrow = self.rescale is None or self.peak_sum < EXACT_IN_FLOAT32
        return x.astype(np.float32 if narrow else np.float64, copy=False)

    def finish(self, sums: Array) -> Array:
        """Sums of products, without bias -> output."""
        if self.rescale is None:
            return self.activation.apply(sums + self.bias)
        total = sums.astype(np.int64)
        total += self.bias
        return self.rescale.apply(total, self.activation)

    def quantize(self: W, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> W:
        return replace(self, **vars(scheme.weighted_sum(self.kernel, self.bias, inputs[0], values)))
