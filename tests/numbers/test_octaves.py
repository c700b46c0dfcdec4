"""The error that octaves tell of a format is that of rounding the numbers themselves."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.numbers.formats import Format, format_of
from mcusim.numbers.numbers import Range
from mcusim.numbers.spread import Octaves


@pytest.mark.parametrize("fraction", range(1, 12))
def test_the_error_is_that_of_the_numbers(fraction: int) -> None:
    x = np.random.default_rng(fraction).laplace(size=(500, 40)).astype(np.float32)
    fmt = Format(8, fraction)
    told = Octaves.of(x[:200]).merged(Octaves.of(x[200:])).error(2.0**-fraction, fmt.maximum * 2.0**-fraction)
    real = float(((fmt.decode(fmt.encode(x)) - x) ** 2).sum())
    assert told == pytest.approx(real, rel=0.12)


def test_the_best_format_is_found_without_the_numbers() -> None:
    random = np.random.default_rng(0)
    for deviation in np.geomspace(0.01, 300, 40):
        x = (random.normal(size=(300, 20)) * deviation).astype(np.float32)
        found = format_of(Range().widened(x), 8)
        formats = [Format(8, found.fraction + more) for more in (-2, -1, 0, 1, 2)]
        errors = [((fmt.decode(fmt.encode(x)) - x) ** 2).sum() for fmt in formats]
        assert errors[2] <= 1.1 * min(errors)


def test_numbers_that_just_reach_a_power_of_two_need_no_bit_more() -> None:
    x = np.linspace(0, 1, 1000, dtype=np.float32).reshape(100, 10)
    assert format_of(Range().widened(x), 8) == Format(8, 7)
    assert format_of(Range(0.0, 1.0), 8) == Format(8, 6)


def test_zeros_nan_and_infinity() -> None:
    assert format_of(Range().widened(np.zeros((3, 2))), 8) == Format(8, 7)
    assert format_of(Range().widened(np.array([[np.nan], [0.9]])), 8) == Format(8, 7)
    assert format_of(Range().widened(np.array([[np.inf], [0.9]])), 8) == Format(8, 7)
