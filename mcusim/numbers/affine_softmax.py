"""Softmax of affine numbers of 8 bits, bit for bit as TFLM: a table of exponentials, and one reciprocal a row."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcusim.numbers.affine import Affine
from mcusim.numbers.factors import divided, high_product, multiplier, wrapped
from mcusim.numbers.fixed_functions import ONE, exponential, reciprocal
from mcusim.numbers.numbers import Fields
from mcusim.system.arrays import Array

INTEGER_BITS = 5  # of distances to the largest number
SUM_BITS = 12  # before the binary point of a sum


@dataclass(frozen=True, eq=False)
class TableOfExponentials:
    """`powers[d]`: e to `beta` times the distance d below the largest number, Q0.31; farther ones are nothing."""

    powers: Array
    numbers: Affine
    beta: float = 1.0

    kernel = "scaled_softmax"

    @property
    def tables(self) -> Mapping[str, Array]:
        return {"powers": self.powers.astype(np.int32)}

    def apply(self, x: Array) -> Array:
        distance = x.max(axis=-1, keepdims=True).astype(np.int64) - x
        near = distance < len(self.powers)
        powers = np.where(near, self.powers[np.where(near, distance, 0)], 0)
        total = divided(powers, SUM_BITS).sum(axis=-1, keepdims=True)
        zeros = 32 - np.ceil(np.log2(total + 1)).astype(np.int64)  # at the head of 32 bits
        scale = reciprocal((total << zeros) - (1 << 31))
        shift = SUM_BITS - zeros + 31 - self.numbers.bits
        y = divided(high_product(scale, powers), shift) + self.numbers.minimum
        y = np.where(near, y, self.numbers.minimum)
        return np.asarray(np.clip(y, self.numbers.minimum, self.numbers.maximum), self.numbers.dtype)

    def fields(self) -> Fields:
        return {"count": len(self.powers)}


@dataclass(frozen=True)
class _Distances:
    """Differences of stored numbers -> exponents, as TFLM prepares them."""

    scale: float
    beta: float

    @cached_property
    def factor(self) -> tuple[int, int]:
        return multiplier(min(self.beta * self.scale * 2.0 ** (31 - INTEGER_BITS), float(ONE)))

    def powers(self) -> Array:
        whole, left = self.factor
        farthest = math.floor(((1 << INTEGER_BITS) - 1) * 2.0 ** (31 - INTEGER_BITS) / 2.0**left)
        distances = np.arange(min(farthest, 255) + 1)
        return exponential(high_product(wrapped(-distances << left), whole), INTEGER_BITS)


def softmax(entry: Affine, out: Affine, beta: float = 1.0) -> TableOfExponentials:
    """Of 8 bits; `out` has the scale 1/256 and its least number for 0: TFLM takes nothing else."""
    return TableOfExponentials(_Distances(entry.scale, beta).powers(), out, beta)
