"""Functions of one number on affine numbers of 8 bits: all 256 results, bit for bit those of TFLM's kernels.

Each takes the numbers before and after it and makes a `Lookup`; its formulas are those of TFLM's reference kernels, of
which some fix the numbers of their output whatever the file says.
"""

import math
from collections.abc import Callable

import numpy as np

from mcusim.numbers.affine import Affine, conversion, round_away
from mcusim.numbers.factors import divided, multiplier, rescaled
from mcusim.numbers.fixed_functions import ONE, exponential, mirrored, reciprocal
from mcusim.numbers.functions import SIGMOID, TANH, Function
from mcusim.numbers.numbers import Numbers
from mcusim.numbers.tables import DIRECT_BITS, Lookup
from mcusim.system.arrays import Array

INTEGER_BITS = 4  # of what goes into logistic and tanh
HALF_ONE = 1 << 30  # 1/2 as Q0.31
SHORT_MULTIPLIER = ONE - (1 << 15)  # beyond, a multiplier of 15 bits is 0x7FFF
THREE = 3.0 / 32768.0  # a hard swish is flat beyond 3


def every(entry: Affine) -> Array:
    """All stored numbers, from the least on."""
    return np.arange(entry.minimum, entry.maximum + 1, dtype=np.int64)


def tabled(entry: Affine, out: Affine, function: Callable[[Array], Array]) -> Lookup:
    """`function`: of stored numbers (256,), to what is then saturated."""
    assert entry.bits <= DIRECT_BITS
    return Lookup(entry, out, np.clip(function(every(entry)), out.minimum, out.maximum).astype(out.dtype))


def logistic(entry: Affine, out: Affine) -> Lookup:
    """TFLM takes 1/256 for the output's scale, whatever the file says, and -128 for its zero."""

    def function(z: Array) -> Array:
        positive = reciprocal(exponential(-np.abs(z), INTEGER_BITS))
        chance = np.where(z == 0, HALF_ONE, np.where(z > 0, positive, ONE - positive))
        return divided(chance, 23) - 128

    return tabled(entry, out, lambda q: _bounded(entry, q, function, (-128, 127)))


def tanh(entry: Affine, out: Affine) -> Lookup:
    """TFLM takes 1/128 for the output's scale, and 0 for its zero."""

    def function(z: Array) -> Array:
        # Of e**-2|z|: the same bits, one more before the point.
        size = mirrored(exponential(-np.abs(z), INTEGER_BITS + 1))
        return divided(np.where(z == 0, 0, np.where(z < 0, -size, size)), 24)

    return tabled(entry, out, lambda q: _bounded(entry, q, function, (-128, 127)))


def _bounded(entry: Affine, q: Array, function: Callable[[Array], Array], ends: tuple[int, int]) -> Array:
    """`function` of Q4.27; what lies beyond its range is at an end."""
    ratio = entry.scale * 2.0 ** (31 - INTEGER_BITS)
    _, left = multiplier(ratio)
    farthest = math.floor(((1 << INTEGER_BITS) - 1) * 2.0 ** (31 - INTEGER_BITS) / 2.0**left)
    x = q - entry.zero
    near = np.clip(x, -farthest, farthest)
    y = function(rescaled([ratio]).apply(near))
    return np.where(x <= -farthest, ends[0], np.where(x >= farthest, ends[1], y))


def relu(entry: Affine, out: Affine) -> Lookup:
    """Of RELU, which rescales."""
    rescaled = conversion(entry, out)
    return tabled(entry, out, lambda q: np.maximum(rescaled.apply(q).astype(np.int64), out.zero))


def leaky_relu(entry: Affine, out: Affine, slope: float) -> Lookup:
    """A slope below 0 gives its sign after the rounding."""
    kept, leaked = rescaled([entry.scale / out.scale]), rescaled([abs(entry.scale * slope / out.scale)])

    def function(q: Array) -> Array:
        x = q - entry.zero
        return np.where(x >= 0, kept.apply(x), leaked.apply(x) * (-1 if slope < 0 else 1)) + out.zero

    return tabled(entry, out, function)


def absolute(entry: Affine, out: Affine) -> Lookup:
    factors = rescaled([entry.scale / out.scale])
    return tabled(entry, out, lambda q: factors.apply(np.abs(q - entry.zero)) + out.zero)


def prelu(entry: Affine, out: Affine, slope: int, slope_scale: float) -> Lookup:
    """With one slope for all: an integer, its zero taken off."""
    kept, leaked = rescaled([entry.scale / out.scale]), rescaled([entry.scale * slope_scale / out.scale])

    def function(q: Array) -> Array:
        x = q - entry.zero
        return np.where(x >= 0, kept.apply(x), leaked.apply(x * slope)) + out.zero

    return tabled(entry, out, function)


def hard_swish(entry: Affine, out: Affine) -> Lookup | None:
    """x relu6(x + 3) / 6 on 16 bits. None where TFLM refuses: an output much finer than its input."""
    fine = entry.scale / 128
    (output, output_shift), (inner, inner_shift) = multiplier(fine / out.scale), multiplier(fine / THREE)
    if output_shift > 0:
        return None

    def function(q: Array) -> Array:
        x = (q - entry.zero) << 7
        part = x
        if inner_shift > 0:
            part = _saturated(part << inner_shift - 1)
        part = _short_product(part, _short(inner))
        if inner_shift > 0:
            part = _saturated(part << 1)
        part = divided(part, max(0, -inner_shift))
        share = (part + (1 << 15)) >> 1  # relu6(x + 3) / 6, Q0.15
        product = share * _short_product(x, _short(output))
        return divided(np.sign(product) * (np.abs(product) >> 15), -output_shift) + out.zero

    return tabled(entry, out, function)


def real_function(entry: Affine, out: Affine, function: Callable[[Array], Array]) -> Lookup:
    """Of operators that TFLM computes on floats, for each of the 256 numbers."""
    reals, inverse = entry.decode(every(entry)), np.float32(1) / np.float32(out.scale)
    made = np.asarray(function(reals), np.float32)
    return tabled(entry, out, lambda q: round_away(made * inverse).astype(np.int64) + out.zero)


def elu(entry: Affine, out: Affine) -> Lookup:
    return real_function(entry, out, lambda reals: np.where(reals < 0, np.expm1(np.minimum(reals, 0)), reals))


def of_operator(function: Function, entry: Numbers, out: Numbers) -> Lookup | None:
    """What TFLM's operator makes of a function; None where it has none, or not of these numbers."""
    if not isinstance(entry, Affine) or not isinstance(out, Affine) or (entry.bits, out.bits) != (8, 8):
        return None
    if function == SIGMOID:
        return logistic(entry, out) if (out.scale, out.zero) == (1 / 256, -128) else None
    if function == TANH:
        return tanh(entry, out) if (out.scale, out.zero) == (1 / 128, 0) else None
    if function.name == "leaky_relu":
        slope = float(np.float32(function.parameters[0]))
        return leaky_relu(entry, out, slope) if slope else relu(entry, out)
    others = {Function("elu", (1.0,)): elu, Function("hard_silu", (1 / 6,)): hard_swish}
    return others[function](entry, out) if function in others else None


def _short(whole: int) -> int:
    """A multiplier of 31 bits as one of 15."""
    return 0x7FFF if whole >= SHORT_MULTIPLIER else (whole + (1 << 15)) >> 16


def _short_product(x: Array, y: int) -> Array:
    """x y / 2**15, halves up, saturated."""
    return np.asarray(np.minimum((x * y + (1 << 14)) >> 15, 32767))


def _saturated(x: Array) -> Array:
    return np.clip(x, -32768, 32767)
