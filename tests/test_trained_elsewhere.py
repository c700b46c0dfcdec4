"""A model trained with plain Keras, saved and run with four lines has the accuracy that Keras gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.datasets import load_dataset
from mcusim.line import bench
from mcusim.line.float_proof import Proved
from mcusim.models.keras.layers import CONVERTERS
from mcusim.reports.report import Report, Run
from mcusim.system.arrays import Array

pytestmark = pytest.mark.train
FOUR_LINES = """\
[dataset]
file = "{data}"
[[model]]
file = "{model}"
"""


@dataclass(frozen=True)
class Trained:
    """Files of models by name, in `folder`, and how many test samples Keras itself gets right with each."""

    folder: Path
    right: Mapping[str, int]


def model_of(keras: Any, kind: str) -> Any:
    make = keras.layers
    if kind == "raw":  # 0..16 as they are
        layers = [make.Conv2D(8, 3, padding="same"), make.BatchNormalization(), make.ReLU(), make.MaxPooling2D()]
    else:  # bytes, rescaled inside
        layers = [make.Rescaling(1 / 255), make.Conv2D(8, 3, strides=2, padding="same", activation="relu")]
    head = [make.Flatten(), make.Dropout(0.2), make.Dense(10, activation="softmax" if kind == "raw" else None)]
    return keras.Sequential([keras.Input((8, 8, 1)), *layers, *head])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    from mcusim.training.keras_setup import import_keras

    keras, folder, digits = import_keras(), tmp_path_factory.mktemp("elsewhere"), load_dataset("digits")
    right = {}
    for kind, scale in (("raw", 1.0), ("bytes", 15.9)):
        keras.utils.set_random_seed(1)
        x_train, x_test = ((x * scale).astype(np.uint8) for x in (digits.x_train, digits.x_test) if x is not None)
        model = model_of(keras, kind)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=kind == "bytes")
        model.compile("adam", loss, metrics=["accuracy"])
        model.fit(x_train, digits.y_train, epochs=4, batch_size=32, verbose=0)
        share = float(model.evaluate(x_test, digits.y_test, verbose=0)[1])
        arrays: dict[str, Array] = {"x_train": x_train, "x_test": x_test}
        np.savez(folder / f"{kind}.npz", **arrays, y_train=digits.y_train, y_test=digits.y_test)  # type: ignore[arg-type]
        for suffix in (".keras", ".h5"):
            model.save(folder / f"{kind}{suffix}")
            right[f"{kind}{suffix}"] = round(share * len(x_test))
    return Trained(folder, right)


def run(trained: Trained, model: str, data: str, out: Path, *more: str) -> tuple[int, Run]:
    text = FOUR_LINES.format(model=model, data=data) + "".join(more)
    (trained.folder / "four.toml").write_text(text)
    code = cli.execute(["run", str(trained.folder / "four.toml"), "--engine", "host", "--out", str(out)])
    (told,) = Report.read(out / "report.json").runs
    return code, told


@pytest.fixture
def unproved(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start of TensorFlow is enough."""
    monkeypatch.setattr(
        bench, "STAGES", replace(bench.STAGES, start_proof=lambda *_: lambda: Proved(reason="a stand-in"))
    )


def demand_the_same(trained: Trained, model: str, told: Run) -> None:
    assert told.error is None and told.accuracy is not None and told.accuracy_float is not None
    assert round(told.accuracy_float * told.samples) == trained.right[model]
    assert (told.accuracy, told.mismatches, told.normalization) == (told.accuracy_float, 0, "none")
    assert told.model == Path(model).stem and told.samples == 360
    assert not [note for note in told.notes if "was it trained on those" in note]


def test_four_lines_give_what_keras_gives(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    code, told = run(trained, "raw.keras", "raw.npz", tmp_path / "out")
    demand_the_same(trained, "raw.keras", told)
    assert code == 0 and told.no_float_proof is None
    assert told.float_proof and told.float_proof.samples == 16 and told.float_proof.max_difference < 1e-5


@pytest.mark.parametrize("model", ["raw.h5", "bytes.keras", "bytes.h5"])
def test_so_does_every_way_to_save(trained: Trained, tmp_path: Path, unproved: None, model: str) -> None:
    code, told = run(trained, model, f"{Path(model).stem}.npz", tmp_path)
    demand_the_same(trained, model, told)
    assert code == 0


def test_a_wrong_reader_ends_with_the_layer(
    trained: Trained,
    tmp_path: Path,
    asked_here: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    right = CONVERTERS["BatchNormalization"]
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setitem(CONVERTERS, "BatchNormalization", lambda keras: right(_with_epsilon(keras, 0.02)))
    code, told = run(trained, "raw.keras", "raw.npz", tmp_path / "out")
    assert code == 3 and told.error and told.error.kind == "ModelError" and told.accuracy is None
    assert "layer 'batch_normalization" in told.error.message and "(BatchNormalization) computes" in told.error.message
    assert "where keras 3" in told.error.message
    code, told = run(trained, "raw.keras", "raw.npz", tmp_path / "off", "proof = false\n")
    assert code == 0 and told.no_float_proof == "proof = false in the experiment"
    assert "no float proof: proof = false" in " ".join(capsys.readouterr().out.split())


def _with_epsilon(keras: Any, epsilon: float) -> Any:
    assert keras.config["epsilon"] != epsilon
    return replace(keras, config={**keras.config, "epsilon": epsilon})


def test_samples_that_it_was_not_trained_on_are_doubted(
    trained: Trained, tmp_path: Path, unproved: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(trained.folder / "raw.npz") as arrays:
        shifted = {name: array * 10.0 + 100.0 if name[0] == "x" else array for name, array in arrays.items()}
    np.savez(trained.folder / "shifted.npz", **shifted)
    (trained.folder / "standard.toml").write_text(FOUR_LINES.format(model="standard.keras", data="shifted.npz"))
    from mcusim.training.keras_setup import import_keras

    keras, x = import_keras(), shifted["x_train"]
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit((x - x.mean()) / x.std(), shifted["y_train"], epochs=5, batch_size=32, verbose=0)
    model.save(trained.folder / "standard.keras")
    _, raw = run(trained, "standard.keras", "shifted.npz", tmp_path / "raw")
    (note,) = [note for note in raw.notes if "was it trained on those" in note]
    assert note.startswith("raw samples give ") and 'normalize = "z-score"' in note
    assert "was it trained on those?" in " ".join(capsys.readouterr().out.split())
    fed = FOUR_LINES.format(model="standard.keras", data="shifted.npz").replace('npz"', 'npz"\nnormalize = "z-score"')
    (trained.folder / "four.toml").write_text(fed)
    line = ["run", str(trained.folder / "four.toml"), "--engine", "host", "--out", str(tmp_path / "fed")]
    assert cli.execute(line) == 0
    (told,) = Report.read(tmp_path / "fed" / "report.json").runs
    assert told.normalization == "z-score (training set)" and (told.accuracy or 0) > (raw.accuracy or 0) + 0.1
    assert not [note for note in told.notes if "was it trained on those" in note]
