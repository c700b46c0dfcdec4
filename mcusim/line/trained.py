"""Model of an experiment + Dataset -> its `.keras` file: trained now, or before with the very same settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcusim.datasets.dataset import Dataset
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import Model
from mcusim.line.watcher import Watcher
from mcusim.reports.report import write_text
from mcusim.system.errors import ConfigurationError
from mcusim.system.names import file_name
from mcusim.system.version import VERSION
from mcusim.training import training
from mcusim.training.training import TrainingProgress


def trained_model(
    experiment: Experiment,
    model: Model,
    repeat: int,
    dataset: Dataset,
    folder: Path,
    watcher: Watcher,
    *,
    may_train: bool,
    again: bool = False,
) -> Path:
    """The file in `folder`, trained now unless it was before, or `again`. ConfigurationError when it may not be."""
    before = None if again else trained_before(experiment, model, repeat, dataset, folder)
    if before:
        return before
    if not may_train:
        what = f"model {model.name!r} has not been trained with the settings of this experiment"
        raise ConfigurationError(what, where=str(folder), hint=f"mcusim train {experiment.path} --out {folder.parent}")
    watcher.training(f"training {model.name}" + (f" #{repeat}" if repeat else ""))
    return train_model(experiment, model, repeat, dataset, folder, progress=watcher.learning)


def trained_before(experiment: Experiment, model: Model, repeat: int, dataset: Dataset, folder: Path) -> Path | None:
    """The file in `folder` that training would give again, or None."""
    stamp = _stamp_path(folder, model, repeat)
    try:
        values = json.loads(stamp.read_text(encoding="utf-8"))
        path = folder / str(values["files"][model.keep]["name"])
        same = values["settings"] == _settings(experiment, model, repeat, dataset)
        return path if same and _sha256(path) == values["files"][model.keep]["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def train_model(
    experiment: Experiment,
    model: Model,
    repeat: int,
    dataset: Dataset,
    folder: Path,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> Path:
    """Train and keep, telling `progress` after every batch.

    After Ctrl-C raises KeyboardInterrupt; what the finished epochs gave lies in `folder` too.
    """
    assert model.architecture is not None
    stamp = _stamp_path(folder, model, repeat)
    try:
        stamp.unlink(missing_ok=True)  # from here on the files are no longer what it says
        files = training.train(
            dataset,
            model.architecture,
            model.parameters,
            model.training,
            folder,
            stamp.stem,
            experiment.general.seed + repeat,
            progress,
            normalize=experiment.dataset.normalize,
        )
        if not files.complete:
            raise KeyboardInterrupt
        kept = {"last": files.last, "best": files.best}
        values = {
            "settings": _settings(experiment, model, repeat, dataset),
            "files": {keep: {"name": path.name, "sha256": _sha256(path)} for keep, path in kept.items()},
        }
        write_text(stamp, json.dumps(values, indent=1) + "\n")
    except OSError as error:
        hint = "choose another folder with --out, or make room there"
        what = f"cannot write in {folder.name!r}: {error.strerror or error}"
        raise ConfigurationError(what, where=str(folder), hint=hint) from None
    return kept[model.keep]


def _stamp_path(folder: Path, model: Model, repeat: int) -> Path:
    """`+` is in no file name of a model: `m` repeated never meets a model that is called so."""
    name = file_name(model.name)
    return folder / (f"{name}+{repeat}.json" if repeat else f"{name}.json")


def _settings(experiment: Experiment, model: Model, repeat: int, dataset: Dataset) -> dict[str, Any]:
    """All that training depends on."""
    values = {
        "mcusim": VERSION,
        "dataset": _digest(dataset),
        "normalize": experiment.dataset.normalize,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "training": model.training.to_dict(),
        "seed": experiment.general.seed + repeat,
    }
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def _digest(dataset: Dataset) -> str:
    sha = hashlib.sha256(repr((dataset.name, dataset.classes, dataset.x_train.shape)).encode())
    for array in (dataset.x_train, dataset.y_train, dataset.groups_train):
        if array is not None:
            sha.update(array.tobytes())
    return sha.hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
