"""Keras is the reference: every supported layer gives its numbers, every other one a clear error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.line.optimize import optimize
from mcusim.models import read_model
from mcusim.system.errors import ModelError
from mcusim.system.records import records_of
from tests.live_keras import L, graph_of, keras

pytestmark = pytest.mark.train


def randomize(model: Any, seed: int = 0) -> Any:
    """Weights of an ordinary size everywhere, moving variances positive."""
    random = np.random.default_rng(seed)
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if hasattr(layer, "layers"):
            continue
        arrays = [random.normal(size=array.shape) * 0.4 for array in layer.get_weights()]
        if type(layer).__name__ == "BatchNormalization":
            arrays[-1] = np.abs(arrays[-1]) + 0.1
        layer.set_weights(arrays)
    return model


def check_equal(model: Any) -> None:
    """The Graph, fused and not, computes what Keras computes."""
    randomize(model)
    x = np.random.default_rng(1).normal(size=(5, *model.input_shape[1:])).astype(np.float32)
    expected = np.asarray(model(x, training=False)).reshape(5, -1)
    graph = graph_of(model)
    np.testing.assert_allclose(graph.run(x), expected, rtol=1e-4, atol=1e-4)
    fused = optimize(graph)
    if not any("softmax" in note for note in fused.notes):
        np.testing.assert_allclose(fused.run(x), expected, rtol=1e-4, atol=1e-4)
    assert (fused.run(x).argmax(axis=1) == expected.argmax(axis=1)).all()


ONE_D: list[Callable[[], Any]] = [
    lambda: L.Conv1D(5, 3),
    lambda: L.Conv1D(5, 4, strides=2, padding="same", activation="relu"),
    lambda: L.Conv1D(5, 3, padding="causal", use_bias=False),
    lambda: L.Conv1D(6, 3, groups=3),
    lambda: L.DepthwiseConv1D(3, depth_multiplier=2, padding="same"),
    lambda: L.SeparableConv1D(4, 3, activation="relu6"),
    lambda: L.MaxPooling1D(3, strides=2, padding="same"),
    lambda: L.AveragePooling1D(3, strides=2, padding="same"),
    lambda: L.AveragePooling1D(2),
    L.GlobalMaxPooling1D,
    lambda: L.GlobalAveragePooling1D(keepdims=True),
    lambda: L.BatchNormalization(scale=False),
    lambda: L.BatchNormalization(center=False, epsilon=0.1),
    lambda: L.ZeroPadding1D((1, 3)),
    lambda: L.Dense(4, activation="relu"),
    lambda: L.Dropout(0.5),
    L.Flatten,
    lambda: L.Reshape((-1, 3)),
    lambda: L.Rescaling(0.5, offset=-1.0),
    lambda: L.ReLU(max_value=0.7),
    lambda: L.Activation("relu6"),
    L.Softmax,
]
TWO_D: list[Callable[[], Any]] = [
    lambda: L.Conv2D(5, (3, 2), strides=(2, 1), padding="same"),
    lambda: L.Conv2D(6, 3, groups=3, activation="relu"),
    lambda: L.DepthwiseConv2D((3, 3), strides=2, padding="same", depth_multiplier=2, activation="relu"),
    lambda: L.SeparableConv2D(4, 3, strides=2, padding="same", depth_multiplier=2),
    lambda: L.MaxPooling2D((3, 2), padding="same"),
    lambda: L.AveragePooling2D((2, 3), strides=(1, 2), padding="same"),
    lambda: L.GlobalMaxPooling2D(keepdims=True),
    L.GlobalAveragePooling2D,
    lambda: L.ZeroPadding2D(((1, 0), (2, 3))),
    L.BatchNormalization,
    L.Flatten,
]


@pytest.mark.parametrize("make", ONE_D)
def test_a_1d_layer_equals_keras(make: Callable[[], Any]) -> None:
    check_equal(keras.Sequential([keras.Input((11, 3)), make(), L.Flatten()]))
    check_equal(keras.Sequential([keras.Input((12, 6)), L.Conv1D(6, 3), make(), L.ReLU(), L.Flatten(), L.Dense(4)]))


@pytest.mark.parametrize("make", TWO_D)
def test_a_2d_layer_equals_keras(make: Callable[[], Any]) -> None:
    check_equal(keras.Sequential([keras.Input((9, 8, 6)), make(), L.Flatten()]))
    check_equal(keras.Sequential([keras.Input((9, 8, 3)), L.Conv2D(6, 2), make(), L.ReLU(), L.Flatten(), L.Dense(3)]))


def test_branches_shared_layers_and_nested_models() -> None:
    entry = keras.Input((16, 4))
    shared = L.Conv1D(4, 3, padding="same", name="shared")
    inner = keras.Sequential([keras.Input((16, 4)), L.Conv1D(4, 1), L.BatchNormalization(), L.ReLU()], name="inner")
    a = shared(entry)
    b = shared(L.ReLU()(a))
    c = inner(a)
    joined = L.Concatenate()([L.Add()([a, b, c]), entry, c])
    out = L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(joined))
    check_equal(keras.Model(entry, out))


def test_padding_and_normalization_fold_into_the_convolution() -> None:
    model = keras.Sequential(
        [
            keras.Input((9, 9, 2)),
            L.ZeroPadding2D(1),
            L.Conv2D(3, 3, strides=2),
            L.BatchNormalization(),
            L.ReLU(),
            L.Flatten(),
        ]
    )
    check_equal(model)
    assert [layer.kind for layer in optimize(graph_of(model))] == ["Input", "Conv2D", "Reshape"]


def test_files_give_the_same_graph(tmp_path: Path) -> None:
    model = randomize(
        keras.Sequential([keras.Input((8, 2)), L.Conv1D(3, 3, activation="relu"), L.Flatten(), L.Dense(2)])
    )
    x = np.random.default_rng(1).normal(size=(3, 8, 2)).astype(np.float32)
    for name in ("model.keras", "legacy.h5"):
        model.save(tmp_path / name)
        np.testing.assert_array_equal(read_model(tmp_path / name, "model").graph.run(x), graph_of(model).run(x))


def with_open_inputs() -> Any:
    sound, image = keras.Input((None, 2), name="sound"), keras.Input((4, None, 3), name="image")
    joined = L.Concatenate()([L.GlobalMaxPooling1D()(sound), L.GlobalMaxPooling2D()(image)])
    return keras.Model([sound, image], L.Dense(3)(joined))


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: keras.Sequential([keras.Input((8, 2)), L.UnitNormalization()]),
        "layer 'unit_norm.*' \\(UnitNormalization\\) has no kernel",
    ),
    (lambda: keras.Sequential([keras.Input((8, 2)), L.Dense(3, activation="glu")]), "'glu' has no kernel"),
    (lambda: keras.Sequential([keras.Input((8, 2)), L.Softmax(axis=1)]), "axis 1"),
    (lambda: keras.Sequential([keras.Input((None, 2)), L.GlobalMaxPooling1D()]), "has shape \\(None, 2\\)"),
    (with_open_inputs, "2 layers .* 'sound' has shape \\(None, 2\\); .* 'image' has shape \\(4, None, 3\\)"),
    (lambda: keras.Sequential([L.Dense(3)]), "has no shape"),
    (lambda: keras.Sequential([keras.Input((4,)), L.Dropout(0.5)]), "computes nothing"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_has_no_kernel_is_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        graph_of(make())
    assert caught.value.hint


def test_rows_of_an_embedding_are_to_be_looked_up_outside() -> None:
    model = keras.Sequential([keras.Input((6,), dtype="int32"), L.Embedding(50, 4), L.UnitNormalization()])
    with pytest.raises(ModelError, match="Embedding") as caught:
        graph_of(model)
    assert "look its rows up outside" in str(caught.value.hint)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinite_weights_are_refused(bad: float) -> None:
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="head")])
    model.layers[-1].set_weights([np.full((4, 3), bad), np.zeros(3)])
    with pytest.raises(ModelError, match="'head' \\(Dense\\) holds NaN"):
        graph_of(model)


def test_a_negative_variance_is_refused() -> None:
    model = keras.Sequential([keras.Input((4,)), L.BatchNormalization(name="norm")])
    model.layers[-1].set_weights([np.ones(4), np.zeros(4), np.zeros(4), np.full(4, -1.0)])
    with pytest.raises(ModelError, match="'norm' \\(BatchNormalization\\) has a negative variance"):
        graph_of(model)


def several() -> Any:
    """Two inputs in an order of their own, three outputs: a tensor twice, and an input as it is."""
    sound, image = keras.Input((12, 2), name="sound"), keras.Input((4, 4, 3), name="image")
    x = L.Flatten()(L.Conv1D(3, 3, activation="relu")(sound))
    y = L.GlobalAveragePooling2D()(L.Conv2D(4, 2)(image))
    joined = L.Concatenate()([y, x])
    gesture = L.Dense(3, name="gesture")(joined)
    user = L.Dense(2, activation="relu", name="user")(joined)
    return keras.Model([image, sound], [gesture, user, gesture, L.Reshape((24,), name="heard")(sound)])


def test_several_inputs_and_outputs() -> None:
    model = randomize(several())
    graph = graph_of(model)
    assert [layer.name for layer in graph.inputs] == ["image", "sound"]
    assert [output.name for output in graph.outputs] == ["gesture", "user", "gesture_2", "heard"]
    random = np.random.default_rng(1)
    image, sound = (random.normal(size=(5, *shape)).astype(np.float32) for shape in ((4, 4, 3), (12, 2)))
    x = records_of({"image": image, "sound": sound})
    for one in (graph, optimize(graph)):
        answers = one.run(x)
        for name, expected in zip(answers.dtype.names, model([image, sound], training=False), strict=True):
            np.testing.assert_allclose(answers[name], np.asarray(expected), rtol=1e-4, atol=1e-5)


def test_a_nested_model_of_several_outputs() -> None:
    entry = keras.Input((8,))
    inner_entry = keras.Input((8,))
    inner = keras.Model(inner_entry, [L.Dense(3)(inner_entry), L.Dense(5)(inner_entry)])
    first, second = inner(entry)
    check_equal(keras.Model(entry, L.Concatenate()([second, first])))
