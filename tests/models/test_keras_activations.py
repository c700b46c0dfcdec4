"""Keras is the reference for every activation: by name, as an object, as a layer of its own, over extreme values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.models.keras.activations import ACTIVATIONS, chosen_activation
from mcusim.models.keras.layer import KerasLayer
from mcusim.numbers.functions import Function
from mcusim.system.errors import ModelError
from tests.live_keras import L, graph_of, keras

pytestmark = pytest.mark.train

EXTREME = np.concatenate(
    [
        np.linspace(-12, 12, 960),
        [0.0, 0.5, 1.0, -1.0, 3.0, -3.0, 6.0],
        -np.logspace(-8, 2, 20),
        np.logspace(-8, 1.9, 13),
    ]
).astype(np.float32)


def check(layer: Any) -> None:
    """Of a model of this layer alone: the same floats as Keras, and integers near to them."""
    model = keras.Sequential([keras.Input((10, 10)), layer])
    x = EXTREME.reshape(-1, 10, 10)
    expected = np.asarray(model(x, training=False)).reshape(len(x), -1)
    graph = graph_of(model)
    size = np.maximum(np.abs(expected), 1)
    assert (np.abs(graph.run(x) - expected) <= 4e-6 * size).all()
    for data_type, quanta in (("int16", 3.1), ("int8", 0.6)):
        quantized = quantize(graph, np.clip(x, -8, 8), data_type)
        entry, numbers = quantized.inputs[0].numbers, quantized.layers[-1].numbers
        assert entry is not None and numbers is not None
        x = entry.decode(quantized.encode(np.clip(x, -8, 8)))
        lowest, highest = numbers.decode(np.array([numbers.minimum, numbers.maximum]))
        expected = np.clip(np.asarray(model(x, training=False)).reshape(len(x), -1), lowest, highest)
        error = np.abs(numbers.decode(quantized.run(x)) - expected).max()
        quanta = 9.0 if layer.name == "softsign" else quanta  # see numbers/tables.py
        assert error <= quanta * float(numbers.decode(np.array(1)))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in ("linear", "softmax")])
def test_a_name(name: str) -> None:
    check(L.Activation(name, name=name))


LAYERS: list[Callable[[], Any]] = [
    L.LeakyReLU,
    lambda: L.LeakyReLU(negative_slope=0.07),
    L.ELU,
    lambda: L.ELU(alpha=0.3),
    lambda: L.ReLU(negative_slope=0.2),
    lambda: L.ReLU(threshold=1.25),
    lambda: L.ReLU(max_value=4.0, negative_slope=0.1, threshold=0.7),
    lambda: L.ReLU(max_value=4.0, threshold=0.7),
    lambda: L.Activation(L.LeakyReLU(negative_slope=0.4)),
    lambda: L.Activation(keras.activations.gelu),
]


@pytest.mark.parametrize("make", LAYERS)
def test_a_layer_of_its_own(make: Callable[[], Any]) -> None:
    check(make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: "tanh",
        lambda: L.LeakyReLU(negative_slope=0.1),
        lambda: L.ReLU(max_value=2.0),
        lambda: L.ELU(alpha=2.0),
    ],
)
def test_the_activation_of_another_layer(make: Callable[[], Any]) -> None:
    activation = make()
    model = keras.Sequential([keras.Input((9, 3)), L.Conv1D(4, 3, activation=activation), L.Flatten(), L.Dense(2)])
    x = np.random.default_rng(0).normal(size=(16, 9, 3)).astype(np.float32) * 3
    expected = np.asarray(model(x, training=False))
    for graph in (graph_of(model), optimize(graph_of(model))):
        np.testing.assert_allclose(graph.run(x), expected, rtol=1e-5, atol=1e-5)


def layer(activation: Any, version: str = "") -> KerasLayer:
    config = {"activation": activation}
    return KerasLayer("act", "Activation", config, (), ("input",), ((4,),), keras_version=version)


def test_the_hard_sigmoid_of_keras_2_is_another() -> None:
    for version, slope in (("2.15.0", 0.2), ("3.4.1", 1 / 6), ("", 1 / 6)):
        chosen = chosen_activation(layer("hard_sigmoid", version), "hard_sigmoid")
        assert chosen == Function("hard_sigmoid", (slope,))


@pytest.mark.parametrize(
    "activation",
    [
        "glu",
        3,
        {"class_name": "function", "config": "my_own", "module": "builtins", "registered_name": "function"},
        {"class_name": "PReLU", "config": {}, "module": "keras.layers"},
        {"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}, "module": "other.package"},
        {"class_name": "LeakyReLU", "config": {"negative_slope": float("nan")}, "module": "keras.layers"},
        {"class_name": "ReLU", "config": {"max_value": "6"}, "module": "keras.layers"},
        {"class_name": "Activation", "config": {"activation": ["relu"]}, "module": "keras.layers"},
        {"config": 7},
    ],
)
def test_what_is_no_activation_of_keras_is_refused(activation: Any) -> None:
    with pytest.raises(ModelError, match="'act'") as caught:
        chosen_activation(layer(activation), activation)
    assert caught.value.hint
