"""Square roots and standardized rows: exact where they say so, within their bound elsewhere."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from mcusim.numbers.affine import Affine
from mcusim.numbers.affine_scheme import AffineScheme
from mcusim.numbers.numbers import Numbers, Scheme
from mcusim.numbers.power_of_two import Format, PowerOfTwoScheme
from mcusim.numbers.roots import STANDARD_BITS, integer_root, square_root


def test_the_root_of_a_float_is_right_to_the_last_place() -> None:
    x = np.random.default_rng(0).uniform(1, 4, 20000).astype(np.float32)
    x = np.concatenate([np.ldexp(x, exponent) for exponent in (-120, -30, 0, 31, 120)]).astype(np.float32)
    exact = np.sqrt(x.astype(np.float64))
    assert (np.abs(square_root(x) - exact) <= np.spacing(exact.astype(np.float32))).all()


def test_the_integer_root_is_exact() -> None:
    random = np.random.default_rng(1)
    roots = np.concatenate([random.integers(1, 2**31, 5000), np.arange(1, 2000), [2**31 - 1]])
    x = np.concatenate([roots**2 - 1, roots**2, roots**2 + 1])
    assert integer_root(x).tolist() == [math.isqrt(one) for one in x.tolist()]


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("fraction", [-40, -1, 0, 7, 15, 60])
@pytest.mark.parametrize("epsilon", [0.0, 1e-12, 1e-3, 50.0])
@pytest.mark.parametrize("count", [1, 2, 3, 64, 32768])
def test_a_row_is_standardized_within_its_bound(bits: int, fraction: int, epsilon: float, count: int) -> None:
    """Half a unit for rounding, 2^-28 of the value, and what rounds epsilon; against exact fractions."""
    made = PowerOfTwoScheme(bits, None, "nearest").standardizing(Format(bits, fraction), count, epsilon)
    if count << bits > 2**31:
        assert made is None
        return
    assert made is not None
    random, limit = np.random.default_rng(count), 1 << (bits - 1)
    rows = [random.integers(-limit, limit, count), random.integers(-2, 2, count), np.zeros(count, np.int64)]
    rows += [np.r_[limit - 1, np.full(count - 1, -limit)], np.r_[1, np.zeros(count - 1, np.int64)]]
    for row in rows:
        got = made.apply(row[None].astype(np.int64))[0].tolist()
        numbers = row.tolist()
        total, squares = sum(numbers), count * sum(one * one for one in numbers) - sum(numbers) ** 2
        spread = squares + Fraction(epsilon) * count**2 * Fraction(4) ** fraction
        for one, integer in list(zip(numbers, got, strict=True))[:70]:
            exact = (count * one - total) / math.sqrt(spread) * 2.0**made.fraction if spread else 0.0
            rounded = 1 / float(spread * Fraction(2) ** made.room) if spread else 0.0
            bound = 0.5 + abs(exact) * (2.0**-28 + rounded / 2)
            assert abs(min(exact, made.numbers.maximum) - integer) <= bound + 1e-6


@pytest.mark.parametrize("count", [2, 3, 5, 64, 65, 66, 1025])
@pytest.mark.parametrize(
    ("scheme", "entry"),
    [(PowerOfTwoScheme(8, None, "nearest"), Format(8, 3)), (AffineScheme(8, True), Affine(8, 0.3, -7))],
)
def test_a_standardized_number_has_as_many_bits_as_its_row_can_ask_for(
    scheme: Scheme, entry: Numbers, count: int
) -> None:
    """One number far from all others is sqrt(n - 1) deviations away."""
    made = scheme.standardizing(entry, count, 0.0)
    assert made is not None and isinstance(made.numbers, Format)
    row = np.r_[1, np.zeros(count - 1, np.int64)]
    got = np.ldexp(float(made.apply(row[None])[0, 0]), -made.fraction)
    assert abs(got - math.sqrt(count - 1)) <= 0.6 * 2.0**-made.fraction, "it does not saturate"
    assert made.numbers.maximum < 2 * 2.0**made.fraction * math.sqrt(count - 1)
    assert made.fraction == made.numbers.fraction and made.numbers.bits == STANDARD_BITS
