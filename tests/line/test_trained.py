"""A training is used again only when it would give the same again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import DatasetChoice, General, Model, TaskChoice
from mcusim.line import trained
from mcusim.system.errors import ConfigurationError
from mcusim.training.settings import AwareSettings, TrainingSettings
from mcusim.training.training import TrainedFiles
from tests.lines import dataset, experiment

MODEL = Model(name="net 1", architecture="mlp", parameters={"units": [3]})


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Arguments of every training; a training writes the number of it."""
    seen: list[dict[str, Any]] = []

    def train(
        data: Dataset,
        architecture: str,
        parameters: Any,
        settings: Any,
        folder: Path,
        name: str,
        seed: int,
        progress: Any,
        **rest: Any,
    ) -> TrainedFiles:
        seen.append({"name": name, "seed": seed, "progress": progress, **rest})
        folder.mkdir(parents=True, exist_ok=True)
        files = TrainedFiles(folder / f"{name}_best.keras", folder / f"{name}_last.keras", (), 0, True)
        files.best.write_text(f"best {len(seen)}")
        files.last.write_text(f"last {len(seen)}")
        return files

    monkeypatch.setattr("mcusim.training.training.train", train)
    return seen


def train(chosen: Experiment, folder: Path, model: Model = MODEL, repeat: int = 0, data: Dataset | None = None) -> Path:
    return trained.Trained(chosen, model, repeat, data or dataset(), folder).train(listen)


def listen(_: object) -> None:
    """Who is told how far a training is."""


def test_the_same_settings_are_the_same_training(trainings: list[dict[str, Any]], tmp_path: Path) -> None:
    chosen = experiment(tmp_path)
    assert trained.Trained(chosen, MODEL, 0, dataset(), tmp_path).before() is None
    path = train(chosen, tmp_path)
    assert path.read_text() == "last 1" and trainings[0]["progress"] is listen
    assert trained.Trained(chosen, MODEL, 0, dataset(), tmp_path).before() == path


def test_the_best_epoch_when_asked_for(trainings: list[dict[str, Any]], tmp_path: Path) -> None:
    train(experiment(tmp_path), tmp_path)
    best = MODEL.model_copy(update={"keep": "best"})
    kept = trained.Trained(experiment(tmp_path), best, 0, dataset(), tmp_path).before()
    assert kept and kept.read_text() == "best 1", "both files are there: choosing the other needs no training"


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"parameters": {"units": [4]}}},
        {"model": {"architecture": "cnn"}},
        {"model": {"training": TrainingSettings(epochs=31)}},
        {"general": General(name="test", seed=1)},
        {"dataset": DatasetChoice(name="digits", normalize="z-score")},
        {"data": True},
        {"version": "9.9"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_the_result_needs_a_new_training(
    trainings: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    train(experiment(tmp_path), tmp_path)
    model = MODEL.model_copy(update=change.pop("model", {}))
    data = dataset()
    if change.pop("data", False):
        data = dataclasses.replace(data, x_train=data.x_train + 1)
    if version := change.pop("version", None):
        monkeypatch.setattr(trained, "VERSION", version)
    assert trained.Trained(experiment(tmp_path, **change), model, 0, data, tmp_path).before() is None


def test_repeats_are_apart_and_have_seeds_of_their_own(trainings: list[dict[str, Any]], tmp_path: Path) -> None:
    chosen = experiment(tmp_path, general=General(name="test", seed=10))
    paths = [train(chosen, tmp_path, Model(name="m", architecture="mlp"), repeat) for repeat in range(3)]
    train(chosen, tmp_path, Model(name="m-1", architecture="mlp"))
    assert len(set(paths)) == 3 and [path.read_text() for path in paths] == ["last 1", "last 2", "last 3"]
    assert [call["seed"] for call in trainings] == [10, 11, 12, 10]


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("own", [True, False])
def test_integers_begin_with_the_epoch_that_is_kept(
    trainings: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, own: bool
) -> None:
    """Or with the user's file, which stays as it is; another epoch is another training."""
    begun: list[str] = []

    def for_integers(
        file: Path, data: Any, settings: Any, normalize: Any, folder: Path, name: str, *_: Any, shapes: Any
    ) -> Any:
        assert shapes == ({"": (3,)} if own else {})
        begun.append(file.read_text())
        files = TrainedFiles(folder / f"{name}_best.keras", folder / f"{name}_last.keras", (), 0, True)
        files.best.write_text("integers best")
        files.last.write_text("integers last")
        return files

    monkeypatch.setattr(trained, "trained_for_integers", for_integers)
    settings, mine = TrainingSettings(quantization=AwareSettings(data_type="int8")), tmp_path / "mine.keras"
    mine.write_text("mine")
    made = {"file": mine, "input_shape": [3]} if own else {"architecture": "mlp"}
    model = Model(name="m", training=settings, keep=keep, **made)
    path = train(experiment(tmp_path), tmp_path, model)
    assert path.read_text() == f"integers {keep}" and begun == ["mine" if own else f"{keep} 1"]
    assert len(trainings) == (not own) and mine.read_text() == "mine"
    assert trained.Trained(experiment(tmp_path), model, 0, dataset(), tmp_path).before() == path
    changes: list[dict[str, Any]] = [{"keep": {"best": "last", "last": "best"}[keep]}, {"input_shape": [4]}]
    for change in changes[: 1 + own]:
        other = model.model_copy(update=change)
        assert trained.Trained(experiment(tmp_path), other, 0, dataset(), tmp_path).before() is None


@pytest.mark.parametrize("change", ["nothing", "file", "settings"])
def test_reals_are_not_trained_again_when_their_integers_were_interrupted(
    change: str, trainings: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    def for_integers(
        file: Path, data: Any, settings: Any, normalize: Any, folder: Path, name: str, *_: Any, **__: Any
    ) -> Any:
        assert file.read_text() == f"last {len(trainings)}"
        files = TrainedFiles(folder / f"{name}_best.keras", folder / f"{name}_last.keras", (), 0, True)
        files.best.write_text("integers best")
        files.last.write_text("integers last")
        return files

    model = MODEL.model_copy(
        update={"training": TrainingSettings(quantization=AwareSettings(data_type="int8", epochs=3))}
    )
    monkeypatch.setattr(trained, "trained_for_integers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(experiment(tmp_path), tmp_path, model)
    assert trained.Trained(experiment(tmp_path), model, 0, dataset(), tmp_path).before() is None
    if change == "file":
        next(tmp_path.glob("*_last.keras")).write_text("another")
    if change == "settings":
        settings = model.training.model_copy(update={"epochs": 7})
        model = model.model_copy(update={"training": settings})
    monkeypatch.setattr(trained, "trained_for_integers", for_integers)
    assert train(experiment(tmp_path), tmp_path, model).read_text() == "integers last"
    assert len(trainings) == 1 + (change != "nothing")
    train(experiment(tmp_path), tmp_path, model)
    assert len(trainings) == 2 + (change != "nothing"), "what has ended is trained again when that is asked for"


@pytest.mark.parametrize("damage", ["edited", "deleted", "stamp"])
def test_files_that_are_not_what_was_trained_are_not_used(
    trainings: list[dict[str, Any]], tmp_path: Path, damage: str
) -> None:
    path = train(experiment(tmp_path), tmp_path)
    [stamp] = tmp_path.glob("net_1*.json")
    if damage == "edited":
        path.write_text("something else")
    elif damage == "deleted":
        path.unlink()
    else:
        stamp.write_text("[]")
    assert trained.Trained(experiment(tmp_path), MODEL, 0, dataset(), tmp_path).before() is None


def test_an_interrupted_training_is_not_used(
    trainings: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(experiment(tmp_path), tmp_path)
    files = TrainedFiles(tmp_path / "b", tmp_path / "l", (), 0, False)
    monkeypatch.setattr("mcusim.training.training.train", lambda *_, **__: files)
    with pytest.raises(KeyboardInterrupt):
        train(experiment(tmp_path), tmp_path)
    assert trained.Trained(experiment(tmp_path), MODEL, 0, dataset(), tmp_path).before() is None


def test_a_full_disk_is_an_error_with_advice(
    trainings: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trained, "write_text", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        train(experiment(tmp_path), tmp_path)


def test_names_stay_in_the_folder(trainings: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "models"
    path = train(experiment(tmp_path), folder, Model(name="../../evil\x00", architecture="mlp"))
    assert path.parent == folder and {entry.parent for entry in folder.rglob("*")} == {folder}


@pytest.mark.parametrize(("architecture", "trains"), [("mlp", False), ("autoencoder", True)])
def test_whole_numbers_that_are_no_classes_are_told_before_training(
    architecture: str, trains: bool, trainings: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Of an autoencoder they tell what is normal."""
    chosen = experiment(tmp_path).model_copy(update={"task": TaskChoice(kind="regression")})
    model = MODEL.model_copy(update={"architecture": architecture})
    data = dataclasses.replace(dataset(), y_train=np.arange(len(dataset().x_test)) % 2)
    if not trains:
        with pytest.raises(
            ConfigurationError, match=r"\[task\] kind is 'regression': mcusim trains classifiers"
        ) as caught:
            train(chosen, tmp_path, model, data=data)
        assert caught.value.hint
    else:
        train(chosen, tmp_path, model, data=data)
    assert len(trainings) == trains
