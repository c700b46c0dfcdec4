"""How values are spread: every number is in a bin that tells where it is, and none is lost but what is no number."""

from __future__ import annotations

import numpy as np

from mcusim.numbers.spread import Spread

RANDOM = np.random.default_rng(5)
SMALLEST = float(np.finfo(np.float32).tiny)


def test_every_number_is_in_a_bin_round_it() -> None:
    exponents = RANDOM.uniform(-37, 38, 60)
    for x in (RANDOM.choice([-1, 1], 60) * 10**exponents).astype(np.float32):
        middles, widths, counts = Spread.of(np.array([x])).values
        assert counts.tolist() == [1]
        assert abs(x - middles[0]) <= widths[0] / 2 and 0 < widths[0] <= abs(x) / 127


def test_what_is_as_good_as_nothing_is_nothing() -> None:
    for x in (0.0, -0.0, SMALLEST / 2, -SMALLEST / 3):
        middles, widths, _ = Spread.of(np.array([x], np.float32)).values
        assert middles.tolist() == [0.0] and 0 < widths[0] < SMALLEST
    middles, _, _ = Spread.of(np.array([SMALLEST, -SMALLEST], np.float32)).values
    assert middles[0] <= -SMALLEST < 0 < SMALLEST <= middles[1]


def test_numbers_rise_and_are_counted_wherever_they_come_from() -> None:
    x = np.concatenate([RANDOM.normal(size=(30, 4)) * scale for scale in (1e-3, 1, 1e5)])
    no_numbers = np.array([[np.nan, np.inf, -np.inf, -np.nan]])
    whole = Spread.of(np.concatenate([x, no_numbers, x[:7]]))
    parts = Spread.of(x).merged(Spread.of(no_numbers)).merged(Spread.of(x[:7].T))
    for one, other in zip(whole.values, parts.values, strict=True):
        np.testing.assert_array_equal(one, other)
    middles, _, counts = whole.values
    assert (np.diff(middles) > 0).all() and (counts > 0).all()
    assert counts.sum() == x.size + x[:7].size
    assert Spread.of(np.array([1.0, 1.0, 1.001, 2.0])).values[2].tolist() == [3, 1]
