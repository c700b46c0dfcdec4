"""Mixup: convex blends with one factor a batch."""

from __future__ import annotations

import numpy as np

from mcusim.training.learner import mixup

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]


def test_alpha_zero_is_off() -> None:
    x, y = mixup(X, Y, 0, np.random.default_rng(0))
    assert x is X and y is Y


def test_samples_and_labels_are_blended_alike() -> None:
    random = np.random.default_rng(1)
    x, y = mixup(X, Y, 1.0, random)
    again = np.random.default_rng(1)
    factor, partner = np.float32(again.beta(1, 1)), again.permutation(6)
    np.testing.assert_allclose(x, factor * X + (1 - factor) * X[partner])
    np.testing.assert_allclose(y, factor * Y + (1 - factor) * Y[partner])
    np.testing.assert_allclose(y.sum(axis=1), 1)
    assert x.dtype == y.dtype == np.float32 and 0 < factor < 1


def test_a_small_alpha_blends_little() -> None:
    random = np.random.default_rng(2)
    largest = [mixup(X, Y, 0.05, random)[1].max(axis=1).mean() for _ in range(200)]
    assert np.mean(largest) > 0.95
