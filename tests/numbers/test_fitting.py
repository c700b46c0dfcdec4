"""Weights that are rounded for their sums: less error in these than rounding can reach, and none in their mean."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.numbers.fitting import Grid, best_format, compensated, corrected, fitted
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


def off_by(x: np.ndarray, stored: np.ndarray, kernel: np.ndarray, weights: np.ndarray) -> float:
    """The variance of what sums are off, with `weights` of what is stored in place of `kernel` of `x`."""
    return float((stored @ weights.T - x @ kernel.T).var())


def test_weights_make_up_for_what_inputs_have_lost() -> None:
    """Of inputs that know of each other, cut off and rounded: also on samples that were not seen."""
    x = correlated(1, 4000, 12)[0]
    stored = np.clip(np.rint(x * 2) / 2, -1.5, 1.5)
    kernel = np.random.default_rng(1).normal(size=(3, 12))
    products = Products.of(x[None, :2000], stored[None, :2000])
    assert products is not None
    weights = compensated(kernel, products)
    assert off_by(x[2000:], stored[2000:], kernel, weights) < 0.8 * off_by(x[2000:], stored[2000:], kernel, kernel)


def test_few_samples_of_many_inputs_compensate_nothing() -> None:
    """Noise that has nothing to do with the inputs: what these seem to tell of it is chance."""
    random = np.random.default_rng(0)
    stored, kernel = random.normal(size=(300, 100)), random.normal(size=(3, 100))
    real = stored + 0.1 * random.normal(size=stored.shape)
    products = Products.of(real[None, :150], stored[None, :150])
    assert products is not None
    weights = compensated(kernel, products)
    assert off_by(real[150:], stored[150:], kernel, weights) < 1.02 * off_by(real[150:], stored[150:], kernel, kernel)


def test_inputs_that_lost_nothing_leave_weights_as_they_are() -> None:
    x = correlated(2, 60, 9)
    products = Products.of(x, x)
    assert products is not None
    kernel = np.random.default_rng(1).normal(size=(4, 9))
    np.testing.assert_array_equal(compensated(kernel, products), kernel)


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
