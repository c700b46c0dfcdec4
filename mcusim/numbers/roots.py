"""Square roots, and what divides by them: the twin of `codegen/numbers/roots.h`.

Rows of integers q are standardized with one root and one division each. With n numbers in a row, S their sum and Q the
sum of their squares, n q - S is n times the distance from the mean and V = n Q - S^2 is n^2 times the variance, both
exact. The root of V + epsilon n^2 is taken of 60 to 62 bits, so it and its reciprocal are off by less than 2^-29 of
themselves: the result is that of real arithmetic, but for this, for its last place, and for epsilon n^2, which is a
whole number at the finest scale at which sums of squares have 61 bits.
"""

import math
from dataclasses import dataclass

import numpy as np

from mcusim.numbers.numbers import Fields, Numbers, Rounding
from mcusim.system.arrays import Array

ROOM_BITS = 61  # of sums of squares, and of epsilon beside them
STANDARD_BITS = 18  # of a standardized number: two more than the widest weight, since few rows hold large ones


def square_root(x: Array) -> Array:
    """Of x >= 0 in float32, operation by operation as `nn_square_root` in C: both give the same bits.

    A guess from the exponent (off by 4 %), and three steps of Newton's method: within one unit in the last place.
    """
    x = np.asarray(x, np.float32)
    root: Array = ((x.view(np.int32) >> 1) + np.int32(0x1FBD1DF5)).view(np.float32)
    for _ in range(3):
        root = np.float32(0.5) * (root + x / root)
    return np.asarray(root, np.float32)


def integer_root(x: Array) -> Array:
    """floor(sqrt(x)) of 0 <= x < 2^62."""
    x = np.asarray(x, np.int64)
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)
    root = root - (root * root > x)
    return np.asarray(root + ((root + 1) * (root + 1) <= x), np.int64)


@dataclass(frozen=True)
class RootStandardizing:
    """Sums of squares are shifted left by `room` (even; negative: right), where `epsilon` has its scale."""

    count: int
    epsilon: int
    room: int
    fraction: int
    rounding: Rounding
    numbers: Numbers

    def apply(self, x: Array) -> Array:
        """Rows (.., count) -> integers of `numbers`."""
        wide = x.astype(np.int64)
        total = wide.sum(axis=-1, keepdims=True)
        squares = self.count * (wide * wide).sum(axis=-1, keepdims=True) - total * total
        spread = (squares << self.room if self.room >= 0 else squares >> -self.room) + self.epsilon
        lift = _lift(spread)
        root = integer_root(spread << 2 * lift)
        shift = 61 - self.fraction - self.room // 2 - lift
        all_zero = (spread == 0) | (shift > 62)
        reciprocal = np.where(all_zero, 0, ((1 << 61) - 1) // np.maximum(root, 1))
        shift = np.where(all_zero, 0, np.maximum(shift, 0))
        half = (1 << shift >> 1) if self.rounding == "nearest" else np.zeros_like(shift)
        scaled = ((self.count * wide - total) * reciprocal + half) >> shift
        return np.asarray(np.clip(scaled, self.numbers.minimum, self.numbers.maximum))

    def fields(self) -> Fields:
        own: Fields = {"room": self.room, "epsilon": self.epsilon, "fraction": self.fraction}
        return own | ({"nearest": 1} if self.rounding == "nearest" else {})


def _lift(spread: Array) -> Array:
    """How often `spread` can be shifted left by two bits and stay below 2^62; 0 for 0."""
    bits = np.frexp(spread.astype(np.float64))[1].astype(np.int64)
    lift = np.maximum((62 - bits) // 2, 0)
    lift += (spread << 2 * lift) < (1 << 60)  # float64 rounded it up to a power of two
    return np.asarray(np.where(spread > 0, lift, 0))


def scales(count: int, bits: int, fraction: int, epsilon: float) -> tuple[int, int] | None:
    """`epsilon` and `room` for rows of so many integers; None where sums of squares do not fit.

    `room` is negative only where epsilon is larger than any of them.
    """
    if count << bits > 1 << 31:
        return None
    largest, real = count * count << 2 * (bits - 1), math.ldexp(epsilon * count * count, 2 * fraction)
    room = ROOM_BITS - math.frexp(max(float(largest), real))[1]
    room -= room % 2
    return round(math.ldexp(real, room)), room
