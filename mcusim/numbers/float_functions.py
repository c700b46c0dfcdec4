"""Functions of a real number in float32, operation by operation as `codegen/numbers/functions.h` computes them.

Both use +, -, * and / alone, which IEEE 754 rounds to the last bit: a board, this machine and NumPy give the same bits.
No function of a C library is called, since those of two libraries differ. Errors are relative to the true function and
hold where that is a normal float32; NaN stays NaN.
"""

import math

import numpy as np

from mcusim.system.arrays import Array

F = np.float32
LOG2_E = F(1.44269504)
# log 2 in two parts: a whole number times the first is exact.
LOG_2_HIGH, LOG_2_LOW = F(0.693359375), F(-2.12194440e-4)
# 1/7!, .., 1/2!
TAYLOR = tuple(F(1 / math.factorial(k)) for k in range(7, 1, -1))
# 1/13, 1/11, .., 1/3: of artanh
ARTANH = tuple(F(1 / k) for k in range(13, 1, -2))
# The tail of the normal distribution is e**(-z z / 2) p(t), t = 1 / (1 + 0.4 z): a fit for 0 <= z <= 13.5 to 6e-8.
NORMAL_TAIL = tuple(
    F(term)
    for term in (-0.0400263295, 0.20242997, -0.37698809, 0.25424018, -0.0143104779, 0.159106283, 0.15564024)
    + (0.159920971, -1.27833724e-05)
)
SMALLEST_EXPONENT, LARGEST_EXPONENT = F(-87.0), F(88.72283)
SQUARE_ROOT_2 = F(1.41421354)
SQUARE_ROOT_8_OVER_PI = F(1.59576912)


def polynomial(x: Array, terms: tuple[np.float32, ...]) -> Array:
    """By Horner's rule, the highest power first."""
    result = np.full_like(x, terms[0])
    for term in terms[1:]:
        result = result * x + term
    return result


def _split(x: Array) -> tuple[Array, Array]:
    """x -> whole n and e**r - 1 where x = n log 2 + r, |r| <= log(2) / 2."""
    scaled = x * LOG2_E
    whole = np.trunc(scaled + np.where(scaled < F(0), F(-0.5), F(0.5)))
    rest = (x - whole * LOG_2_HIGH) - whole * LOG_2_LOW
    return whole.astype(np.int32), rest * rest * polynomial(rest, TAYLOR) + rest


def exponential(x: Array) -> Array:
    """e**x to 2e-7. Below e**-87 it is 0, above what float32 holds infinity."""
    x = np.asarray(x, F)
    whole, fraction = _split(np.clip(np.where(np.isnan(x), F(0), x), SMALLEST_EXPONENT, LARGEST_EXPONENT))
    result = np.ldexp(fraction + F(1), whole).astype(F)
    result = np.where(x > LARGEST_EXPONENT, F(np.inf), np.where(x < SMALLEST_EXPONENT, F(0), result))
    return np.asarray(np.where(np.isnan(x), x, result))


def exponential_minus_one(x: Array) -> Array:
    """e**x - 1 for x <= 0 to 3e-7, also near 0."""
    x = np.asarray(x, F)
    whole, fraction = _split(np.clip(np.where(np.isnan(x), F(0), x), F(-18), F(0)))
    power = np.ldexp(F(1), whole).astype(F)
    result = power * fraction + (power - F(1))
    return np.asarray(np.where(np.isnan(x), x, np.where(x < F(-18), F(-1), result)))


def sigmoid(x: Array) -> Array:
    small = exponential(-np.abs(x))
    return np.asarray(np.where(x < F(0), small, F(1)) / (small + F(1)))


def tanh(x: Array) -> Array:
    small = exponential_minus_one(F(-2) * np.abs(x))
    result = -small / (small + F(2))
    return np.asarray(np.where(x < F(0), -result, result))


def softplus(x: Array) -> Array:
    """log(1 + e**x) = max(x, 0) + log(1 + z) with z = e**-|x|, and log(1 + z) = 2 artanh(z / (z + 2))."""
    small = exponential(-np.abs(x))
    ratio = small / (small + F(2))
    square = ratio * ratio
    logarithm = F(2) * (ratio * square * polynomial(square, ARTANH) + ratio)
    return np.asarray(np.where(x > F(0), x, F(0)) + logarithm)


def normal_distribution(x: Array) -> Array:
    """Of a standard normal variable: the probability to be at most x."""
    x = np.asarray(x, F)
    size = np.abs(x)
    t = F(1) / (F(0.4) * size + F(1))
    tail = exponential(F(-0.5) * size * size) * polynomial(t, NORMAL_TAIL)
    return np.asarray(np.where(x < F(0), tail, F(1) - tail))


def erf(x: Array) -> Array:
    return np.asarray(F(2) * normal_distribution(SQUARE_ROOT_2 * x) - F(1))


def gelu(x: Array) -> Array:
    return np.asarray(x * normal_distribution(x))


def gelu_tanh(x: Array) -> Array:
    """GELU's approximation: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2."""
    cubic = F(0.044715) * x * x * x + x
    return np.asarray(x * sigmoid(SQUARE_ROOT_8_OVER_PI * cubic))


def silu(x: Array) -> Array:
    return np.asarray(x * sigmoid(x))


def mish(x: Array) -> Array:
    """x tanh(softplus(x)), as a fraction of powers of z = e**-|x|."""
    small = exponential(-np.abs(x))
    square = small * small
    above, below = small + small + F(1), square + small + small
    top = np.where(x < F(0), below, above)
    bottom = np.where(x < F(0), below + F(2), above + square + square)
    return np.asarray(x * (top / bottom))


def softsign(x: Array) -> Array:
    return np.asarray(x / (np.abs(x) + F(1)))


def elu(x: Array, alpha: float) -> Array:
    negative = F(alpha) * exponential_minus_one(np.minimum(x, F(0)))
    return np.asarray(np.where(x < F(0), negative, x))


def celu(x: Array, alpha: float) -> Array:
    negative = F(alpha) * exponential_minus_one(np.minimum(x, F(0)) / F(alpha))
    return np.asarray(np.where(x < F(0), negative, x))


def selu(x: Array, alpha: float, scale: float) -> Array:
    return np.asarray(F(scale) * elu(x, alpha))


def leaky_relu(x: Array, slope: float) -> Array:
    return np.asarray(np.where(x < F(0), F(slope) * x, x))


def threshold_relu(x: Array, slope: float, threshold: float, low: float, high: float) -> Array:
    """Keras' ReLU with all it has: x above the threshold, between low and high; below it slope (x - threshold)."""
    above = np.where(x > F(threshold), x, F(0))
    above = np.where(above < F(low), F(low), above)
    above = np.where(above > F(high), F(high), above)
    below = np.where(x < F(threshold), x - F(threshold), F(0))
    return np.asarray(F(slope) * below + above)


def hard_sigmoid(x: Array, slope: float) -> Array:
    """min(max(slope x + 0.5, 0), 1)"""
    line = F(slope) * x + F(0.5)
    line = np.where(line < F(0), F(0), line)
    return np.asarray(np.where(line > F(1), F(1), line))


def hard_silu(x: Array, slope: float) -> Array:
    return np.asarray(x * hard_sigmoid(x, slope))


def hard_tanh(x: Array) -> Array:
    return np.asarray(np.where(x < F(-1), F(-1), np.where(x > F(1), F(1), x)))
