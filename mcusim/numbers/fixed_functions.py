"""Exponential and reciprocal on 32-bit integers, as gemmlowp computes them: what TFLM's softmax, logistic and tanh are.

Results are Q0.31: `q` stands for `q * 2**-31`. `codegen/numbers/reciprocal.h` is the twin of the reciprocal.
"""

import numpy as np

from mcusim.numbers.factors import divided, high_product, wrapped
from mcusim.system.arrays import Array

ONE = (1 << 31) - 1  # the largest there is
LOWEST = -(1 << 31)
EIGHTH = 1895147668  # e**-1/8
THIRD = 715827883  # 1/3
# e**-2**k for k from -2 on.
POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
FIRST_GUESS, GUESS_SLOPE = 1515870810, -1010580540  # 48/17 and -32/17 as Q2.29: where Newton's steps begin


def exponential(x: Array, integer_bits: int) -> Array:
    """e**x for x <= 0, which has so many bits before the binary point: at most 5."""
    quarter = 1 << 31 - integer_bits - 2
    rest = (x & (quarter - 1)) - quarter  # from -1/4 on, below 0
    result = _exponential_of_quarter(np.clip(rest << integer_bits, LOWEST, ONE))
    quarters = rest - x
    for power, factor in enumerate(POWERS[: integer_bits + 2]):
        result = np.where(quarters & (quarter << power), high_product(result, factor), result)
    return np.where(x == 0, ONE, result)


def _exponential_of_quarter(x: Array) -> Array:
    """From -1/4 to 0: a polynomial round -1/8."""
    x = x + (1 << 28)
    squared = high_product(x, x)
    cubed, fourth = high_product(squared, x), high_product(squared, squared)
    small = divided(high_product(divided(fourth, 2) + cubed, THIRD) + squared, 1)
    return wrapped(EIGHTH + high_product(x + small, EIGHTH))


def reciprocal(x: Array) -> Array:
    """1 / (1 + x) for x from 0 on, below 1."""
    return np.asarray(np.clip(_half_reciprocal(x) << 1, LOWEST, ONE))


def mirrored(x: Array) -> Array:
    """(1 - x) / (1 + x), likewise."""
    return np.asarray(np.clip(wrapped(_half_reciprocal(x) - (1 << 29)) << 2, LOWEST, ONE))


def _half_reciprocal(x: Array) -> Array:
    """2 / (1 + x) as Q2.29: three of Newton's steps."""
    half = (np.asarray(x, np.int64) + ONE + 1) // 2
    guess = wrapped(FIRST_GUESS + high_product(half, GUESS_SLOPE))
    for _ in range(3):
        missing = wrapped((1 << 29) - high_product(half, guess))
        guess = wrapped(guess + np.clip(high_product(guess, missing) << 2, LOWEST, ONE))
    return guess
