"""Normalization: learned over all but the last axis, kept as plain numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset, Normalization
from mcusim.system.errors import DataError


def test_z_score_of_each_channel() -> None:
    x = np.random.default_rng(0).normal([1, -5, 100], [2, 0.1, 30], (200, 7, 3)).astype(np.float32)
    normalization = Normalization.fit(x)
    z = normalization.apply(x)
    assert z.dtype == np.float32 and z.shape == x.shape
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 4), (5, 6, 4), (5, 3, 2, 4)])
def test_every_rank_has_its_channels_last(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    assert len(Normalization.fit(x).mean) == 4
    assert Normalization.fit(x).apply(x).shape == shape


def test_a_constant_channel_becomes_zero_and_not_nan() -> None:
    x = np.full((4, 2), 3, np.float32)
    assert not Normalization.fit(x).apply(x).any()


def test_the_test_set_gets_the_statistics_of_the_training_set() -> None:
    normalization = Normalization.fit(np.array([[0.0], [2.0]], np.float32))
    np.testing.assert_array_equal(normalization.apply(np.array([[5.0]], np.float32)), [[4.0]])


def test_dictionary_and_back_is_exact_through_json() -> None:
    normalization = Normalization.fit(np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32))
    assert Normalization.from_dict(json.loads(json.dumps(normalization.to_dict()))) == normalization


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"mean": [0.0]},
        {"mean": [0.0], "std": [1.0, 1.0]},
        {"mean": [], "std": []},
        {"mean": [0.0], "std": [0.0]},
        {"mean": [0.0], "std": [-1.0]},
        {"mean": [float("nan")], "std": [1.0]},
        {"mean": [0.0], "std": [float("inf")]},
        {"mean": 3, "std": 4},
        {"mean": ["a"], "std": ["b"]},
        {"mean": [10**400], "std": [1]},
    ],
)
def test_impossible_statistics_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(DataError):
        Normalization.from_dict(values)


def test_other_number_of_channels_is_refused() -> None:
    with pytest.raises(DataError, match="normalized for 2 channels, the samples have 3"):
        Normalization((0.0, 0.0), (1.0, 1.0)).apply(np.zeros((1, 3), np.float32))


def test_shape_of_one_sample() -> None:
    x, y = np.zeros((2, 8, 9), np.float32), np.zeros(2, np.int64)
    assert Dataset("d", x, y, x, y, ("a", "b")).shape == (8, 9)
