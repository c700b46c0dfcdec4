"""Weights that are rounded for their sums: less error in these than rounding can reach, and none in their mean."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.numbers.fitting import Grid, best_format, corrected, fitted
from mcusim.numbers.formats import Format
from mcusim.numbers.products import BLOCK, Products


def correlated(groups: int, samples: int, taps: int) -> np.ndarray:
    random = np.random.default_rng(taps)
    return random.normal(size=(groups, samples, taps)) @ random.normal(size=(groups, taps, taps)) / np.sqrt(taps) + 0.5


@pytest.mark.parametrize(("groups", "taps"), [(1, 40), (5, 9), (1, BLOCK + 30)])
def test_sums_suffer_less(groups: int, taps: int) -> None:
    x = correlated(groups, 4 * taps, taps)
    kernel = np.random.default_rng(1).normal(size=(groups * 3, taps)).astype(np.float32)
    products = Products.of(x, x)
    assert products is not None
    fmt = best_format(kernel, products, [Format(6, fraction) for fraction in (2, 3, 4, 5)])
    stored, single = fitted(kernel, products, Grid.of(fmt)).astype(fmt.dtype), fmt.encode(kernel)
    assert stored.dtype == np.int8 and stored.shape == kernel.shape
    assert stored.min() >= fmt.minimum and stored.max() <= fmt.maximum
    errors = []
    for weights in (stored, single):
        real = fmt.decode(weights)
        bias = corrected(np.zeros(len(kernel)), kernel, real, products)
        rows = (kernel - real).reshape(groups, 3, taps)
        off = x @ rows.transpose(0, 2, 1) - bias.reshape(groups, 1, 3)
        np.testing.assert_allclose(off.mean(axis=1), 0, atol=1e-4)
        errors.append((off**2).mean())
    assert errors[0] < 0.7 * errors[1]


def test_what_overflows_is_not_fitted() -> None:
    assert Products.of(np.full((1, 3, 2), np.inf), np.ones((1, 3, 2))) is None
    assert Products.of(np.ones((1, 3, 2)), np.array([[[1e38, 1], [-1e38, 2], [0, 3]]])) is None


def test_taps_that_are_always_zero_harm_nobody() -> None:
    x = np.zeros((1, 50, 4))
    x[..., 0] = np.linspace(-1, 1, 50)
    products = Products.of(x, x)
    assert products is not None
    kernel = np.array([[0.3, 0.7, -0.2, 0.9]], np.float32)
    np.testing.assert_array_equal(fitted(kernel, products, Grid.of(Format(8, 7))), Format(8, 7).encode(kernel))
