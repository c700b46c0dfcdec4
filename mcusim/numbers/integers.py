"""Integer arithmetic that number systems share, in NumPy: the twin of what `codegen/numbers/` does in C.

Whatever is rounded, shifted or averaged on the board is rounded, shifted or averaged here, and `tests/numbers/` holds
the two against each other over their whole range.
"""

from typing import Any

import numpy as np

from mcusim.numbers.numbers import Fields, Rounding
from mcusim.system.arrays import Array

ACCUMULATOR_LIMIT = 2**31 - 1  # a 32-bit accumulator holds at most this


def unless_zero(**values: Any) -> Fields:
    """What is 0 stays unsaid in C."""
    return {name: value for name, value in values.items() if value}


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
