"""Recurrent layers: Keras is the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcusim.system.errors import ModelError
from tests.live_keras import L, graph_of, keras
from tests.models.test_keras import check_equal, randomize

pytestmark = pytest.mark.train

LAYERS: list[Callable[[], Any]] = [
    lambda: L.LSTM(5),
    lambda: L.LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.1),
    lambda: L.LSTM(4, go_backwards=True, return_sequences=True, use_bias=False),
    lambda: L.LSTM(4, activation="relu", recurrent_activation="hard_sigmoid", unit_forget_bias=False),
    lambda: L.LSTM(4, activation="linear", unroll=True),
    lambda: L.LSTM(4, activation="softsign"),
    lambda: L.GRU(5),
    lambda: L.GRU(5, reset_after=False, return_sequences=True),
    lambda: L.GRU(5, use_bias=False, go_backwards=True),
    lambda: L.GRU(5, activation="relu", recurrent_activation="hard_sigmoid", reset_after=False),
    lambda: L.SimpleRNN(5),
    lambda: L.SimpleRNN(5, activation="relu", return_sequences=True),
    lambda: L.Bidirectional(L.LSTM(3)),
    lambda: L.Bidirectional(L.LSTM(3, return_sequences=True)),
    lambda: L.Bidirectional(L.GRU(3, return_sequences=True), merge_mode="sum"),
    lambda: L.Bidirectional(L.GRU(3), merge_mode="ave"),
    lambda: L.Bidirectional(L.LSTM(3), backward_layer=L.LSTM(4, go_backwards=True)),
]


@pytest.mark.parametrize("make", LAYERS)
def test_a_layer_equals_keras(make: Callable[[], Any]) -> None:
    check_equal(keras.Sequential([keras.Input((9, 3)), make(), L.Flatten()]))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files_give_the_same_layers(suffix: str) -> None:
    inside = [L.Bidirectional(L.GRU(3, return_sequences=True)), L.TimeDistributed(L.Dense(4)), L.LSTM(5)]
    model = randomize(keras.Sequential([keras.Input((6, 3)), *inside, L.LayerNormalization(), L.Dense(2)]))
    x = np.random.default_rng(1).normal(size=(4, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(graph_of(model, suffix=suffix).run(x), np.asarray(model(x)), rtol=1e-4, atol=1e-5)


def test_several_in_a_row_with_convolutions() -> None:
    layers = [L.Conv1D(6, 3, activation="relu"), L.MaxPooling1D(2), L.LSTM(5, return_sequences=True), L.GRU(4)]
    check_equal(keras.Sequential([keras.Input((20, 3)), *layers, L.Dense(3)]))


def test_an_encoder_and_a_decoder() -> None:
    layers = [L.LSTM(4), L.RepeatVector(7), L.LSTM(4, return_sequences=True), L.TimeDistributed(L.Dense(3))]
    check_equal(keras.Sequential([keras.Input((7, 3)), *layers, L.Flatten()]))


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: L.LSTM(3, activation="gelu"), "activation 'gelu' has no kernel"),
    (lambda: L.LSTM(3, recurrent_activation="relu"), "recurrent_activation 'relu' has no kernel"),
    (lambda: L.Bidirectional(L.LSTM(3), merge_mode="mul"), "'mul' has no kernel"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_has_no_kernel_is_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        graph_of(keras.Sequential([keras.Input((8, 3)), make()]))
    assert caught.value.hint


def test_a_state_of_its_own_is_refused() -> None:
    batch = keras.Input(batch_shape=(1, 8, 3))
    with pytest.raises(ModelError, match="starts each sample with the state"):
        graph_of(keras.Model(batch, L.LSTM(3, stateful=True)(batch)))
    entry, state = keras.Input((8, 3)), keras.Input((4,))
    with pytest.raises(ModelError, match="GRU"):
        graph_of(keras.Model([entry, state], L.GRU(4)(entry, initial_state=state)))
    with pytest.raises(ModelError, match="has its state as an output"):
        graph_of(keras.Model(entry, L.LSTM(4, return_state=True)(entry)[0]))
