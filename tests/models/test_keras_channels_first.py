"""Layers whose channels come first: Keras is the reference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live_keras import L, keras
from tests.models.test_keras import check_equal

pytestmark = pytest.mark.train


def first(kind: Any, *given: Any, **settings: Any) -> Any:
    return kind(*given, **settings, data_format="channels_first")


def test_convolutions_of_images() -> None:
    convolved = [
        first(L.Conv2D, 4, 3, strides=2, padding="same", activation="relu"),
        first(L.DepthwiseConv2D, (2, 3), depth_multiplier=2),
        first(L.Conv2DTranspose, 5, 3, strides=2, padding="same"),
        first(L.SeparableConv2D, 3, 2),
    ]
    check_equal(keras.Sequential([keras.Input((3, 8, 9)), *convolved, L.Flatten(), L.Dense(2)]))


def test_windows_and_borders() -> None:
    moved = [
        first(L.ZeroPadding2D, ((1, 0), (2, 1))),
        first(L.MaxPooling2D, 2),
        L.BatchNormalization(axis=1),
        first(L.UpSampling2D, (2, 3)),
        first(L.Cropping2D, ((1, 0), (2, 1))),
        first(L.AveragePooling2D, 3, strides=2, padding="same"),
        first(L.Flatten),
    ]
    check_equal(keras.Sequential([keras.Input((3, 8, 9)), *moved, L.Dense(2)]))


@pytest.mark.parametrize("keepdims", [False, True])
def test_series(keepdims: bool) -> None:
    layers = [
        first(L.Conv1D, 4, 3, padding="same", dilation_rate=2),
        first(L.MaxPooling1D, 2),
        first(L.GlobalAveragePooling1D, keepdims=keepdims),
    ]
    check_equal(keras.Sequential([keras.Input((3, 12)), *layers]))
