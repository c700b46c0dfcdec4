"""Layers that scale and shift: Keras is the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcusim.line.optimize import optimize
from mcusim.system.errors import ModelError
from tests.live_keras import L, graph_of, keras
from tests.models.test_keras import check_equal, randomize

pytestmark = pytest.mark.train

LAYERS: list[Callable[[], Any]] = [
    L.LayerNormalization,
    lambda: L.LayerNormalization(axis=[2, 3], epsilon=0.1),
    lambda: L.LayerNormalization(axis=[1, 2, 3], center=False),
    lambda: L.LayerNormalization(axis=3, scale=False),
    lambda: L.GroupNormalization(3),
    lambda: L.GroupNormalization(-1),
    lambda: L.GroupNormalization(1, center=False),
    lambda: L.BatchNormalization(axis=1),
    lambda: L.BatchNormalization(axis=2),
    lambda: L.Rescaling(1 / 255.0),
    lambda: L.Rescaling([0.1, 0.2, 0.3, 1.0, 2.0, 3.0], offset=[0.0, 1.0, 0.0, 0.0, 2.0, 0.0]),
    lambda: L.Normalization(mean=[1, 2, 3, 4, 5, 6], variance=[1, 2, 3, 4, 5, 0]),
    lambda: L.Normalization(axis=None, mean=2.0, variance=3.0, invert=True),
    lambda: L.Normalization(axis=(1, 3), mean=np.ones((5, 6)).tolist(), variance=np.full((5, 6), 2.0).tolist()),
    lambda: L.TimeDistributed(L.LayerNormalization()),
    lambda: L.TimeDistributed(L.BatchNormalization(axis=2)),
]


@pytest.mark.parametrize("make", LAYERS)
def test_a_layer_equals_keras(make: Callable[[], Any]) -> None:
    check_equal(keras.Sequential([keras.Input((5, 4, 6)), make(), L.Flatten()]))


@pytest.mark.parametrize("axis", [-1, None, 2, (1, 2), 1])
def test_adapted_statistics(axis: Any) -> None:
    layer = L.Normalization(axis=axis)
    data = np.random.default_rng(0).normal(5, 3, (50, 7, 3)).astype(np.float32)
    layer.adapt(data)
    model = keras.Sequential([keras.Input((7, 3)), layer, L.Conv1D(4, 3), L.Flatten(), L.Dense(3)])
    graph = graph_of(model)
    expected = np.asarray(model(data)).reshape(50, -1)
    np.testing.assert_allclose(graph.run(data), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(optimize(graph).run(data), expected, rtol=1e-4, atol=1e-5)


FOLDED: list[tuple[list[Callable[[], Any]], list[str]]] = [
    ([lambda: L.Rescaling(1 / 255), lambda: L.Conv2D(3, 3, padding="same")], ["Conv2D"]),
    ([lambda: L.Rescaling(0.5, offset=1.0), lambda: L.Conv2D(3, 3, strides=2)], ["Conv2D"]),
    ([lambda: L.Rescaling(0.5, offset=1.0), lambda: L.Conv2D(3, 3, padding="same")], ["BatchNormalization", "Conv2D"]),
    ([lambda: L.Rescaling(0.5, offset=1.0), L.Flatten, lambda: L.Dense(3)], ["Reshape", "Dense"]),
    ([lambda: L.Rescaling([1, 2, 3, 4], offset=[4, 3, 2, 1]), lambda: L.Conv2D(4, 2, groups=2)], ["Conv2D"]),
    ([lambda: L.Rescaling([1, 2, 3, 4], offset=1.0), lambda: L.DepthwiseConv2D(2)], ["DepthwiseConv2D"]),
    ([lambda: L.Rescaling([1, 2, 3, 4]), lambda: L.SeparableConv2D(2, 3)], ["DepthwiseConv2D", "Conv2D"]),
    (
        [lambda: L.Rescaling([1, 2, 3, 4], offset=2.0), lambda: L.Reshape((12, 12)), lambda: L.LSTM(3)],
        ["Reshape", "LSTM"],
    ),
    ([lambda: L.Rescaling([1, 2, 3, 400]), lambda: L.Conv2D(3, 3)], ["BatchNormalization", "Conv2D"]),
    (
        [lambda: L.Rescaling(0.5), L.MaxPooling2D, lambda: L.Conv2D(3, 2)],
        ["BatchNormalization", "MaxPooling2D", "Conv2D"],
    ),
]


@pytest.mark.parametrize(("make", "kinds"), FOLDED)
def test_scales_and_offsets_become_weights_where_that_is_exact(make: list[Callable[[], Any]], kinds: list[str]) -> None:
    model = randomize(keras.Sequential([keras.Input((6, 6, 4)), *(one() for one in make)]))
    check_equal(model)
    assert [layer.kind for layer in optimize(graph_of(model))][1:] == kinds


def test_what_two_read_does_not_fold() -> None:
    entry = keras.Input((6,))
    scaled = L.Rescaling(2.0)(entry)
    model = keras.Model(entry, L.Concatenate()([L.Dense(3)(scaled), scaled]))
    check_equal(model)
    assert "BatchNormalization" in [layer.kind for layer in optimize(graph_of(model))]


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: L.LayerNormalization(axis=1), "works on axis"),
    (lambda: L.LayerNormalization(axis=[1, 3]), "works on axis"),
    (lambda: L.LayerNormalization(epsilon=float("nan")), "epsilon is nan"),
    (lambda: L.BatchNormalization(epsilon=float("nan")), "epsilon is nan"),
    (lambda: L.Normalization(mean=[0.0] * 6, variance=[-1.0] * 6), "negative variance"),
    (lambda: L.Rescaling(float("inf")), "scale is inf"),
    (lambda: L.GroupNormalization(2, axis=1), "works on axis 1"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_has_no_kernel_is_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        graph_of(keras.Sequential([keras.Input((4, 4, 6)), make()]))
    assert caught.value.hint
