"""Keras itself, looked into: every layer that our reader knows by its place in the file, and its outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mcusim.graph import Graph, Layer
from mcusim.line.float_proof import compare
from mcusim.line.front import read_model
from mcusim.models.keras import reference
from mcusim.models.reference import Values
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of

pytestmark = pytest.mark.train
SMALL = 1e-5


def plain(keras: Any) -> Any:
    make = keras.layers
    convolution = make.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="first")
    return keras.Sequential(
        [
            keras.Input((9, 9, 3)),
            *(convolution, make.BatchNormalization(epsilon=1e-3, name="norm"), make.ReLU(name="relu")),
            *(make.DepthwiseConv2D(3, padding="same", name="deep"), make.AveragePooling2D(2, padding="same")),
            *(make.Dropout(0.5), make.Flatten(), make.Dense(4, activation="softmax", name="last")),
        ]
    )


def shared(keras: Any) -> Any:
    """Nested models that are called several times, a shared layer, functions, inputs and outputs by name."""
    make = keras.layers
    inner = keras.Sequential(
        [keras.Input((6, 6, 2)), make.Conv2D(2, 3, padding="same", name="c"), make.BatchNormalization(name="n")],
        name="inner",
    )
    a, b = keras.Input((6, 6, 2), name="a"), keras.Input((6, 6, 2), name="b")
    both = keras.ops.concatenate([inner(inner(a)), inner(b)], axis=-1)
    twice = make.Dense(5, name="twice")
    narrow = twice(make.Dense(7)(make.Flatten()(both)))
    wide = keras.activations.relu(make.Dense(7)(narrow)) + 0.5 * make.Dense(7)(narrow)
    return keras.Model({"b": b, "a": a}, {"y": twice(wide), "x": make.Softmax(name="sm")(narrow)})


def fixed_batch(keras: Any) -> Any:
    return keras.Sequential([keras.Input((5,), batch_size=6), keras.layers.Dense(3, activation="relu")])


def augmented(keras: Any) -> Any:
    """Layers of training only, most of which train when nobody tells them what to do."""
    make = keras.layers
    inner = keras.Sequential([keras.Input((8, 8, 3)), make.RandomFlip(), make.RandomTranslation(0.3, 0.3)])
    random = [make.RandomRotation(0.4), make.RandomZoom(0.5), make.RandomContrast(0.9), make.RandomBrightness(0.9)]
    noisy = [make.GaussianNoise(1.0), make.GaussianDropout(0.5), make.SpatialDropout2D(0.5)]
    ends = [make.Conv2D(4, 3, name="conv"), make.Flatten(), make.Dense(4)]
    return keras.Sequential([keras.Input((8, 8, 3)), inner, make.Rescaling(0.1), *random, *noisy, *ends])


MODELS: dict[str, Callable[[Any], Any]] = {
    "plain": plain,
    "shared": shared,
    "fixed_batch": fixed_batch,
    "augmented": augmented,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    from mcusim.training.keras_setup import import_keras

    keras, folder = import_keras(), tmp_path_factory.mktemp("keras")
    keras.utils.set_random_seed(7)
    random = np.random.default_rng(7)
    for name, make in MODELS.items():
        model = make(keras)
        for weight in model.weights:  # batch normalizations as they are after a training
            weight.assign(random.uniform(0.05, 0.4, weight.shape))
        model.compile("adam", "mse")
        model.save(folder / f"{name}.keras")
    model = MODELS["plain"](keras)
    (folder / "beside.json").write_text(model.to_json())
    model.save_weights(folder / "beside.weights.h5")
    return {path.stem: path for path in folder.iterdir() if path.suffix in (".keras", ".json")}


def asked(path: Path) -> tuple[Source, Array, Values]:
    source = read_model(path)
    dtype = source.graph.sample_dtype
    x = np.zeros(16, dtype) if dtype.names else np.zeros((16, *dtype.shape), np.float32)
    for number, field in enumerate(fields_of(x).values()):
        field[...] = np.random.default_rng(number).normal(size=field.shape)
    return source, x, reference.values(path, list(fields_of(x).values()), list(source.origins.values()))


@pytest.mark.parametrize("name", [*MODELS, "beside"])
def test_every_layer_is_seen_and_none_differs(files: Mapping[str, Path], name: str) -> None:
    source, x, values = asked(files[name])
    assert set(values.layers) == set(source.origins.values()), "all of them"
    assert all(len(value) == 16 for value in (*values.outputs, *values.layers.values()))
    largest = max(float(np.abs(value).max()) for value in values.outputs)
    assert compare(source, x, values, "keras", files[name]) < SMALL * largest


def test_settings_of_keras_2_are_taken(keras_2_lstm: Path) -> None:
    source, x, values = asked(keras_2_lstm)
    assert compare(source, x, values, "keras", keras_2_lstm) < 1e-5


@pytest.fixture(scope="module")
def keras_2_lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras_2") / "lstm.h5"
    keras = pytest.importorskip("keras")
    series = [keras.layers.LSTM(3, return_sequences=True), keras.layers.GRU(2)]
    keras.Sequential([keras.Input((5, 2)), *series]).save(path)
    with h5py.File(path, "r+") as file:
        told = file.attrs["model_config"]
        file.attrs["model_config"] = told.replace('"return_sequences"', '"time_major": false, "return_sequences"')
    return path


def test_calls_are_told_apart(files: Mapping[str, Path]) -> None:
    source, _, _ = asked(files["shared"])
    paths = {(origin.path, origin.calls) for origin in source.origins.values()}
    assert {(("inner", "c"), (call, 0)) for call in range(3)} <= paths
    assert {(("twice",), (0,)), (("twice",), (1,))} <= paths


def wrong(source: Source, name: str, **changes: Any) -> Source:
    """The same with one layer of the graph changed, as a wrong reader would."""
    read: Graph = source.as_read
    broken = tuple(replace(layer, **changes) if layer.name == name else layer for layer in read)
    return replace(source, unoptimized=replace(read, layers=broken))


def weights(layer: Layer) -> Array:
    return layer.weights["kernel"]


@pytest.mark.parametrize("kind", ["epsilon", "padding", "axis", "taps", "activation"])
def test_a_wrong_reader_is_found_out(files: Mapping[str, Path], kind: str) -> None:
    source, x, values = asked(files["plain"])
    by_name = {layer.name: layer for layer in source.as_read}
    first, norm, deep, last = (by_name[name] for name in ("first", "norm", "deep", "last"))
    name, changes = {
        "epsilon": ("norm", {"kernel": weights(norm) * np.sqrt((0.5 + 1e-3) / (0.5 + 2e-3)).astype(np.float32)}),
        "padding": ("deep", {"padding": ((2, 0), (1, 1))}),
        "axis": ("last", {"kernel": np.roll(weights(last), 1, axis=1)}),
        "taps": ("first", {"kernel": weights(first)[:, ::-1].copy()}),
        "activation": ("deep", {"kernel": weights(deep) * np.float32(1.001)}),
    }[kind]
    with pytest.raises(ModelError, match=rf"layer '{name}' \(\w+\) computes") as caught:
        compare(wrong(source, name, **changes), x, values, reference.version() or "", files["plain"])
    assert "where keras 3" in caught.value.what and caught.value.where == str(files["plain"])


def test_half_precision_has_a_wider_bound(tmp_path: Path) -> None:
    from mcusim.training.keras_setup import import_keras

    keras = import_keras()
    make, half = keras.layers, "mixed_float16"
    model = keras.Sequential(
        [keras.Input((9,)), make.Dense(5, dtype=half, activation="relu"), make.Dense(2, dtype=half)]
    )
    model.save(tmp_path / "half.keras")
    source, x, values = asked(tmp_path / "half.keras")
    assert values.unit == 2.0**-10
    assert 0 < compare(source, x, values, "keras", tmp_path / "half.keras") < 0.1


@pytest.mark.parametrize("has_settings", [False, True])
def test_keras_writes_no_settings_into_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_settings: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "")
    if has_settings:
        (tmp_path / ".keras").mkdir()
        (tmp_path / ".keras" / "keras.json").write_text("{}")
    reference._keep_home_clean()
    assert os.environ["KERAS_HOME"] == ("" if has_settings else os.getcwd())


def test_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (reference.version() or "").startswith("keras 3.") and "(tensorflow 2." in (reference.version() or "")
    monkeypatch.setattr(reference, "installed", lambda package: "3.0" if package == "keras" else None)
    assert reference.version() is None and reference.install().startswith("TensorFlow, on which Keras runs")
    monkeypatch.setattr(reference, "installed", lambda package: None)
    assert reference.version() is None and reference.install().startswith("Keras is not installed: pip install")
