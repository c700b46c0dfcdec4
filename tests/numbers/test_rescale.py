"""TensorFlow Lite Micro that is built to round once: held against fractions, since no package is built so."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from mcusim.numbers import affine, affine_functions, affine_softmax, affine_wide, affine_wide_softmax
from mcusim.numbers.affine import Affine, Scaled
from mcusim.numbers.factors import multiplier, rescaling
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array

IN, OTHER, OUT = Affine(8, 0.04, 5), Affine(8, 0.02, -9), Affine(8, 0.16, -3)  # with many halves
FINE = Affine(8, 0.0517, -3)
WIDE, WIDE_OUT = Affine(16, 0.0371), Affine(16, 0.0517)
X = np.arange(-128, 128)
Y = np.random.default_rng(0).permutation(X)
LONG = np.arange(-32768, 32768, 5)
SLOPES = np.array([-7, 3, 101, 0])


def once(x: Array, ratio: float) -> Array:
    """Half up, of the product of all bits."""
    whole, shift = multiplier(ratio)
    factor = Fraction(whole) * Fraction(2) ** (shift - 31)
    return np.vectorize(lambda one: math.floor(int(one) * factor + Fraction(1, 2)))(x)


def stored(y: Array, out: Affine) -> Array:
    return np.clip(y + out.zero, out.minimum, out.maximum)


def sums() -> tuple[Array, Array]:
    scales = Scaled(8, (0.0123, 0.0047))
    kernel, bias = np.array([[90, -3], [-127, 55]], np.int8), np.array([70, -1000])
    factors = affine.sum_factors(IN, scales, FINE)
    made = affine.weighted_sum(kernel, bias, scales, IN, FINE, factors, fold=True)
    x = np.stack([X, Y], axis=1)
    want = [once((x - 5) @ kernel[i].astype(int) + bias[i], IN.scale * scales.scales[i] / FINE.scale) for i in (0, 1)]
    return made.rescale.apply(x @ made.kernel.T.astype(int) + made.bias, LINEAR), stored(np.stack(want, axis=1), FINE)


def addition() -> tuple[Array, Array]:
    made, most = affine.addition((IN, OTHER), OUT), 2 * IN.scale
    addends = [once((q - own.zero) << 20, own.scale / most) for q, own in ((X, IN), (Y, OTHER))]
    found = made.addends((X, Y))
    totals, wanted = (np.stack([one + other, one - other]) for one, other in (found, addends))
    return made.finish(totals, LINEAR), stored(once(wanted, most / (2**20 * OUT.scale)), OUT)


def product() -> tuple[Array, Array]:
    want = once((X - IN.zero) * (Y - OTHER.zero), IN.scale * OTHER.scale / FINE.scale)
    return affine.product(IN, OTHER, FINE).apply(X, Y, LINEAR), stored(want, FINE)


def mean() -> tuple[Array, Array]:
    """The multiplier is divided before anything is rounded."""
    count, totals = 7, np.arange(-7 * 128, 7 * 128)
    whole, shift = multiplier(IN.scale / OUT.scale)
    factor = Fraction((whole << 2) // count) * Fraction(2) ** (shift - 31 - 2)
    want = [math.floor(int(total - IN.zero * count) * factor + Fraction(1, 2)) for total in totals]
    return affine.mean(IN, OUT, count).apply(totals, np.array(count)), np.array(want) + OUT.zero


def slopes() -> tuple[Array, Array]:
    x = np.repeat(LONG[:, None], 4, axis=1)
    kept, leaked = once(x, WIDE.scale / WIDE_OUT.scale), once(x * SLOPES, WIDE.scale * 0.01 / WIDE_OUT.scale)
    made = affine_wide.scaled_slopes(WIDE, WIDE_OUT, 0.01).apply(x, SLOPES)
    return made, stored(np.where(x >= 0, kept, leaked), WIDE_OUT)


def of_8_bits(made: Callable[[], affine_functions.Lookup], by: Callable[[Array], Array]) -> tuple[Array, Array]:
    return made().table, stored(by(X - IN.zero), OUT)


def kept(x: Array) -> Array:
    return once(x, IN.scale / OUT.scale)


OPERATORS: dict[str, Callable[[], tuple[Array, Array]]] = {
    "CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED": sums,
    "ADD, SUB": addition,
    "MUL": product,
    "MEAN": mean,
    "QUANTIZE": lambda: (affine.conversion(IN, OUT).apply(X), stored(kept(X - IN.zero), OUT)),
    "RELU": lambda: of_8_bits(lambda: affine_functions.relu(IN, OUT), lambda x: np.maximum(kept(x), 0)),
    "ABS": lambda: of_8_bits(lambda: affine_functions.absolute(IN, OUT), lambda x: kept(np.abs(x))),
    "LEAKY_RELU": lambda: of_8_bits(
        lambda: affine_functions.leaky_relu(IN, OUT, 0.3),
        lambda x: np.where(x >= 0, kept(x), once(x, IN.scale * 0.3 / OUT.scale)),
    ),
    "PRELU": lambda: of_8_bits(
        lambda: affine_functions.prelu(IN, OUT, 77, 0.003),
        lambda x: np.where(x >= 0, kept(x), once(x * 77, IN.scale * 0.003 / OUT.scale)),
    ),
    "LEAKY_RELU of 16 bits": lambda: (
        affine_wide.leaky_relu(WIDE, WIDE_OUT, 0.3).apply(LONG),
        stored(once(LONG, WIDE.scale / WIDE_OUT.scale) * (LONG >= 0), WIDE_OUT)
        + np.where(LONG < 0, once(LONG, WIDE.scale * 0.3 / WIDE_OUT.scale), 0),
    ),
    "PRELU of 16 bits": slopes,
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_rounds_once(operator: str) -> None:
    with rescaling("single"):
        made, want = OPERATORS[operator]()
    np.testing.assert_array_equal(made, want)
    assert not np.array_equal(OPERATORS[operator]()[0], want), "here it rounds twice, which is the same too often"


def test_softmax_rounds_as_ever() -> None:
    """Its one multiplication goes to the left, or has no second shift."""
    chances = Affine(8, 1 / 256, -128)
    usual = affine_softmax.softmax(IN, chances).powers
    with rescaling("single"):
        assert np.array_equal(affine_softmax.softmax(IN, chances).powers, usual)
        assert affine_wide_softmax.softmax(WIDE, Affine(16, 2.0**-15)).factor.is_once


def test_what_was_made_before_stays_and_errors_end_it() -> None:
    with pytest.raises(ZeroDivisionError), rescaling("single"):
        assert affine.product(IN, OTHER, OUT).rescale.factors.is_once
        raise ZeroDivisionError
    assert not affine.product(IN, OTHER, OUT).rescale.factors.is_once
