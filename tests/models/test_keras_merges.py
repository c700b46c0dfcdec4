"""Keras is the reference for merging layers, PReLU, and what is nothing at inference."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.line.optimize import optimize
from mcusim.models import read_model
from mcusim.system.errors import ModelError
from tests.live_keras import L, graph_of, keras

pytestmark = pytest.mark.train


def check(model: Any) -> None:
    x = np.random.default_rng(0).normal(size=(7, *model.input_shape[1:])).astype(np.float32)
    expected = np.asarray(model(x, training=False)).reshape(7, -1)
    for graph in (graph_of(model), optimize(graph_of(model))):
        np.testing.assert_allclose(graph.run(x), expected, rtol=1e-5, atol=1e-5)


KINDS = [L.Add, L.Average, L.Maximum, L.Minimum, L.Multiply, L.Subtract]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shape", [(4, 5, 3), (1, 1, 3), (1, 5, 1), (4, 1, 3), (4, 5, 1), (1, 1, 1), (3,), (5, 3), (1,)]
)
def test_two_tensors(kind: Callable[[], Any], shape: tuple[int, ...]) -> None:
    entry = keras.Input((4, 5, 3))
    small = L.Reshape(shape)(L.Dense(int(np.prod(shape)), activation="sigmoid")(L.Flatten()(entry)))
    check(keras.Model(entry, kind()([entry, small])))
    check(keras.Model(entry, L.ReLU()(kind()([small, entry]))))


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_more_tensors(kind: Callable[[], Any]) -> None:
    entry = keras.Input((6, 3))
    check(keras.Model(entry, kind()([L.Conv1D(3, 1)(entry), entry, L.Conv1D(3, 1)(entry), entry])))
    check(keras.Model(entry, kind()([L.Dense(3)(entry) for _ in range(18)])))


def test_squeeze_and_excite() -> None:
    entry = keras.Input((6, 6, 8))
    squeezed = L.Dense(8, activation="hard_sigmoid")(L.Dense(2, activation="relu")(L.GlobalAveragePooling2D()(entry)))
    scaled = L.Multiply()([entry, squeezed])
    check(keras.Model(entry, L.GlobalAveragePooling2D()(scaled)))


def test_operators() -> None:
    entry = keras.Input((4, 3))
    other = L.Dense(3)(entry)
    ops = keras.ops
    check(keras.Model(entry, (entry - other) * ops.sigmoid(other) + ops.maximum(entry, other) * 0.5 - 1.0))
    check(keras.Model(entry, ops.minimum(1.0 - entry, ops.tanh(other)) * ops.mean(entry, axis=1, keepdims=True)))


def test_functions_as_operations() -> None:
    entry = keras.Input((4, 3))
    ops = keras.ops
    named = [
        ops.gelu(entry),
        ops.gelu(entry, approximate=False),
        keras.activations.gelu(entry),
    ]
    named += [
        ops.elu(entry, alpha=0.4),
        ops.leaky_relu(entry, negative_slope=0.1),
        ops.exp(entry),
        ops.hard_tanh(entry),
    ]
    named += [ops.hard_sigmoid(entry), ops.hard_silu(entry), ops.selu(entry), ops.celu(entry), ops.softplus(entry)]
    check(keras.Model(entry, L.Concatenate()(named)))


@pytest.mark.parametrize("make", [L.LeakyReLU, lambda: L.Activation("tanh"), lambda: L.Dense(4, activation="gelu")])
def test_a_function_over_time(make: Callable[[], Any]) -> None:
    check(keras.Sequential([keras.Input((5, 3)), L.TimeDistributed(make())]))


@pytest.mark.parametrize("shared", [None, [1], [2], [1, 2]])
def test_prelu(shared: list[int] | None) -> None:
    model = keras.Sequential([keras.Input((4, 5, 3)), L.PReLU(shared_axes=shared)])
    model.set_weights([np.random.default_rng(1).normal(size=array.shape) for array in model.get_weights()])
    check(model)
    model = keras.Sequential(
        [keras.Input((4, 5, 3)), L.Conv2D(3, 2), L.PReLU(shared_axes=shared), L.ReLU(max_value=2.0)]
    )
    model.set_weights([np.random.default_rng(1).normal(size=array.shape) for array in model.get_weights()])
    check(model)


AUGMENTATIONS: list[Callable[[], Any]] = [
    lambda: L.RandomFlip("horizontal"),
    lambda: L.RandomRotation(0.2),
    lambda: L.RandomZoom(0.2),
    lambda: L.RandomTranslation(0.1, 0.1),
    lambda: L.RandomContrast(0.3),
    lambda: L.RandomBrightness(0.3),
    lambda: L.GaussianNoise(0.3),
    lambda: L.GaussianDropout(0.3),
    lambda: L.AlphaDropout(0.3),
    lambda: L.SpatialDropout2D(0.3),
    lambda: L.ActivityRegularization(0.1),
    L.Identity,
    lambda: L.Activation("linear"),
]


@pytest.mark.parametrize("make", AUGMENTATIONS)
def test_what_is_nothing_at_inference_is_dropped(make: Callable[[], Any]) -> None:
    model = keras.Sequential([keras.Input((6, 6, 3)), make(), L.Conv2D(2, 3), make()])
    check(model)
    assert [layer.kind for layer in graph_of(model)] == ["Input", "Conv2D"]


@pytest.mark.parametrize("make", [lambda: L.RandomCrop(4, 4), lambda: L.Masking(0.0)])
def test_what_changes_the_result_is_refused(make: Callable[[], Any]) -> None:
    model = keras.Sequential([keras.Input((6, 6, 3)), make(), L.Flatten()])
    with pytest.raises(ModelError, match=r"RandomCrop|Masking"):
        graph_of(model)


def test_shapes_that_do_not_fit_are_refused() -> None:
    entry = keras.Input((5, 3))
    model = keras.Model(entry, L.Flatten()(entry) * L.Dense(15)(L.Flatten()(entry)))
    check(model)
    with pytest.raises(ModelError, match="number of axes"):
        graph_of(keras.Model(entry, entry * L.Dense(3)(L.Flatten()(entry))))


@pytest.mark.parametrize(("version", "slope"), [("2.15.0", 0.2), ("3.4.1", 1 / 6)])
def test_a_file_tells_which_hard_sigmoid_it_means(tmp_path: Path, version: str, slope: float) -> None:
    model = keras.Sequential([keras.Input((3,)), L.Dense(3), L.Activation("hard_sigmoid")])
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as old, zipfile.ZipFile(tmp_path / "other.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, json.dumps({"keras_version": version}) if name == "metadata.json" else old.read(name))
    function = read_model(tmp_path / "other.keras", "model").graph.layers[-1].function  # type: ignore[attr-defined]
    assert function.parameters == (slope,)
