"""Images of any size, between their pixels. By whole factors, with pixel centers at halves: a BilinearUpSampling."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.system.arrays import Array

WEIGHT_BITS = 10  # of integers, as TFLM has them


@dataclass(frozen=True, eq=False)
class Steps:
    """Of each row of the output, or column: the inputs before and behind it, and the weight of the latter.

    Weights are float32, or integers in 2**-WEIGHT_BITS; beyond the first and the last input they may be negative.
    """

    before: Array
    behind: Array
    weights: Array

    @cached_property
    def places(self) -> Array:
        """int16, side by side."""
        return np.stack([self.before, self.behind], axis=1).astype(np.int16)

    def whole(self) -> "Steps":
        return replace(self, weights=np.rint(self.weights * (1 << WEIGHT_BITS)).astype(np.int16))


@dataclass(frozen=True, kw_only=True, eq=False)
class BilinearResize(Layer):
    """Input (height, width, channels), output (rows, columns, channels). Integers are rounded, halves away from 0."""

    input_shape: Shape
    rows: Steps
    columns: Steps

    KEEPS_NUMBERS = True

    @property
    def accumulator_peak(self) -> int:
        """Weights and their complements are 1 in all, or up to 2 where one is negative."""
        return 0 if self.numbers is None else (-self.numbers.minimum << 2 * WEIGHT_BITS + 2) + (1 << 19)

    @property
    def run_bytes(self) -> int:
        return 96 * self.elements

    def run(self, *inputs: Array) -> Array:
        x = inputs[0] if self.numbers is None else inputs[0].astype(np.int64)
        one = np.float32(1) if self.numbers is None else np.int64(1 << WEIGHT_BITS)
        down = self.rows.weights.astype(x.dtype)[:, None, None]
        across = self.columns.weights.astype(x.dtype)[:, None]
        top, bottom, left, right = self.rows.before, self.rows.behind, self.columns.before, self.columns.behind
        total = (
            x[:, top][:, :, left] * (one - down) * (one - across)
            + x[:, bottom][:, :, left] * down * (one - across)
            + x[:, top][:, :, right] * (one - down) * across
            + x[:, bottom][:, :, right] * down * across
        )
        if self.numbers is None:
            return np.asarray(total)
        size = (np.abs(total) + (1 << 2 * WEIGHT_BITS - 1)) >> 2 * WEIGHT_BITS
        return np.asarray(np.sign(total) * size, self.numbers.dtype)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return replace(self, numbers=inputs[0], rows=self.rows.whole(), columns=self.columns.whole())
