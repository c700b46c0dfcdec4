"""Layers that move or spread numbers: Keras is the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mcusim.system.errors import ModelError
from tests.live_keras import L, graph_of, keras
from tests.models.test_keras import check_equal

pytestmark = pytest.mark.train

SERIES: list[Callable[[], Any]] = [
    lambda: L.Conv1D(5, 3, dilation_rate=2),
    lambda: L.Conv1D(5, 3, dilation_rate=4, padding="same"),
    lambda: L.Conv1D(4, 4, dilation_rate=3, padding="causal", groups=2),
    lambda: L.SeparableConv1D(4, 3, dilation_rate=2, padding="same"),
    lambda: L.Conv1DTranspose(5, 3),
    lambda: L.Conv1DTranspose(5, 3, strides=2, padding="same", activation="relu"),
    lambda: L.Conv1DTranspose(5, 4, strides=3, padding="valid", use_bias=False),
    lambda: L.Conv1DTranspose(5, 2, strides=4, padding="same"),
    lambda: L.Conv1DTranspose(5, 2, strides=4, padding="valid"),
    lambda: L.Conv1DTranspose(5, 3, strides=2, padding="same", output_padding=1),
    lambda: L.Conv1DTranspose(5, 3, strides=2, padding="valid", output_padding=1),
    lambda: L.UpSampling1D(3),
    lambda: L.Cropping1D((2, 1)),
    lambda: L.Cropping1D(1),
    lambda: L.ZeroPadding1D(2),
    lambda: L.Permute((2, 1)),
    lambda: L.GlobalMaxPooling1D(keepdims=True),
    lambda: L.TimeDistributed(L.Dense(4, activation="relu")),
    lambda: L.TimeDistributed(L.BatchNormalization()),
    lambda: L.TimeDistributed(L.Activation("relu")),
    lambda: L.TimeDistributed(L.Dropout(0.3)),
    lambda: L.TimeDistributed(L.Reshape((2, 3))),
]
IMAGES: list[Callable[[], Any]] = [
    lambda: L.Conv2D(5, 3, dilation_rate=2, padding="same"),
    lambda: L.Conv2D(5, (3, 2), dilation_rate=(1, 3)),
    lambda: L.DepthwiseConv2D(3, dilation_rate=2, padding="same"),
    lambda: L.SeparableConv2D(4, 3, dilation_rate=(2, 2)),
    lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same"),
    lambda: L.Conv2DTranspose(4, (2, 3), strides=(3, 1), padding="same", activation="relu6"),
    lambda: L.Conv2DTranspose(4, (4, 3), strides=(2, 3), padding="valid"),
    lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=(1, 0)),
    lambda: L.UpSampling2D((2, 3)),
    lambda: L.UpSampling2D((2, 3), interpolation="bilinear"),
    lambda: L.UpSampling2D(4, interpolation="bilinear"),
    lambda: L.Cropping2D(((1, 2), (0, 3))),
    lambda: L.Cropping2D(2),
    lambda: L.Cropping2D((1, 2)),
    lambda: L.ZeroPadding2D((1, 2)),
    lambda: L.Permute((3, 1, 2)),
    lambda: L.Permute((2, 3, 1)),
    lambda: L.GlobalAveragePooling2D(keepdims=True),
    lambda: L.Reshape((3, 3, 4, 12)),
    lambda: L.TimeDistributed(L.Flatten()),
    lambda: L.TimeDistributed(L.Dense(3)),
    lambda: L.TimeDistributed(L.Conv1D(4, 3, strides=2, padding="same", activation="relu")),
    lambda: L.TimeDistributed(L.SeparableConv1D(4, 3)),
    lambda: L.TimeDistributed(L.MaxPooling1D(3, strides=2, padding="same")),
    lambda: L.TimeDistributed(L.GlobalAveragePooling1D()),
    lambda: L.TimeDistributed(L.ZeroPadding1D((1, 2))),
]


@pytest.mark.parametrize("make", SERIES)
def test_a_series_equals_keras(make: Callable[[], Any]) -> None:
    check_equal(keras.Sequential([keras.Input((12, 6)), make(), L.Flatten()]))
    check_equal(keras.Sequential([keras.Input((9, 6)), L.Conv1D(6, 3), make(), L.ReLU(), L.Flatten(), L.Dense(4)]))


@pytest.mark.parametrize("make", IMAGES)
def test_an_image_equals_keras(make: Callable[[], Any]) -> None:
    check_equal(keras.Sequential([keras.Input((9, 8, 6)), make(), L.Flatten()]))


def test_a_vector_becomes_a_sequence() -> None:
    check_equal(keras.Sequential([keras.Input((6,)), L.RepeatVector(5), L.Conv1D(3, 3), L.Flatten()]))


def test_normalization_joins_a_transposed_convolution() -> None:
    layers = [L.Conv2DTranspose(4, 3, strides=2), L.BatchNormalization(), L.ReLU(), L.Flatten(), L.Dense(3)]
    check_equal(keras.Sequential([keras.Input((3, 3, 2)), *layers]))


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_concatenation_along_any_axis(axis: int) -> None:
    entry = keras.Input((4, 5, 3))
    parts = [L.Conv2D(3, 1)(entry), entry, L.ReLU()(entry)]
    check_equal(keras.Model(entry, L.Flatten()(L.Concatenate(axis=axis)(parts))))


def test_channels_are_shuffled() -> None:
    layers = [L.Reshape((4, 4, 2, 3)), L.Permute((1, 2, 4, 3)), L.Dense(5), L.Reshape((4, 4, 15)), L.Conv2D(2, 3)]
    check_equal(keras.Sequential([keras.Input((4, 4, 6)), *layers, L.Flatten()]))


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: L.TimeDistributed(L.Conv1D(3, 3, data_format="channels_first")), "is channels first"),
    (lambda: L.UpSampling2D(2, interpolation="bicubic"), "'bicubic' has no kernel"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_has_no_kernel_is_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        graph_of(keras.Sequential([keras.Input((8, 8, 6)), make()]))
    assert caught.value.hint
