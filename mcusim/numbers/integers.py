"""Integer arithmetic that number systems share, in NumPy: the twin of what `codegen/numbers/` does in C.

Whatever is rounded, shifted or averaged on the board is rounded, shifted or averaged here, and `tests/numbers/` holds
the two against each other over their whole range.
"""

from __future__ import annotations

import math

import numpy as np

from mcusim.numbers.numbers import Rounding
from mcusim.system.arrays import Array

ACCUMULATOR_LIMIT = 2**31 - 1  # a 32-bit accumulator holds at most this


def rounding_term(shift: int, rounding: Rounding) -> int:
    """What to add before an arithmetic right shift: half of the last place for `nearest`, nothing for `floor`."""
    return 1 << (shift - 1) if rounding == "nearest" and shift > 0 else 0


def shift_left(x: Array, shift: int) -> Array:
    """`x << shift`, or an arithmetic shift to the right (floor) when `shift` is negative: `nn_shift` in C."""
    wide = np.asarray(x, np.int64)
    return wide << shift if shift >= 0 else wide >> -shift


def average(total: Array, count: Array, rounding: Rounding) -> Array:
    """Integer mean: floor(total / count), or to the nearest with halves up: `nn_mean` in C."""
    total = np.asarray(total, np.int64)
    return (total + (count // 2 if rounding == "nearest" else 0)) // count


def exponential(x: Array) -> Array:
    """e**x for x <= 0 in float32, operation by operation as `nn_exponential` in C: both give the same bits.

    2**(x log2 e) is split into an integer power and a fraction in [0, 1); the fraction's polynomial is the Taylor
    series of 2**f around 1/2, degree 6 (its relative error is below 2e-7). Below e**-87 the result is 0.
    """
    f32 = np.float32
    scaled = np.maximum(np.asarray(x, f32), f32(-87.0)) * f32(1.44269504)
    whole = np.floor(scaled)
    fraction = (scaled - whole) - f32(0.5)
    result = np.full_like(fraction, f32(EXPONENTIAL_TERMS[-1]))
    for term in EXPONENTIAL_TERMS[-2::-1]:
        result = result * fraction + f32(term)
    result = np.ldexp(result, whole.astype(np.int32)).astype(f32)
    return np.asarray(np.where(np.asarray(x, f32) < f32(-87.0), f32(0.0), result))


EXPONENTIAL_TERMS = tuple(math.sqrt(2) * math.log(2) ** k / math.factorial(k) for k in range(7))
