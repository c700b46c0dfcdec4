"""Model of an experiment + Dataset -> its `.keras` file: trained now, or before with the very same settings."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcusim.datasets.dataset import Dataset
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import Model
from mcusim.line.aware import trained_for_integers
from mcusim.line.watcher import Watcher
from mcusim.system.disk import WRITE_HINT
from mcusim.system.errors import ConfigurationError
from mcusim.system.files import sha256_of, write_text
from mcusim.system.names import file_name
from mcusim.system.version import VERSION
from mcusim.training import training
from mcusim.training.architectures import architecture_of
from mcusim.training.course import TrainingProgress
from mcusim.training.keras_setup import demand_tensorflow
from mcusim.training.lesson import ELSEWHERE, NO_REALS
from mcusim.training.training import TrainedFiles

Progress = Callable[[TrainingProgress], None] | None


@dataclass(frozen=True)
class Trained:
    """A training of a model, the `repeat`-th of an experiment, and the folder that keeps what came out."""

    experiment: Experiment
    model: Model
    repeat: int
    dataset: Dataset
    folder: Path

    def file(self, watcher: Watcher, *, may_train: bool, again: bool = False) -> Path:
        """Trained now unless it was before, or `again`. ConfigurationError when it may not be."""
        before = None if again else self.before()
        if before:
            return before
        if not may_train:
            raise ConfigurationError(
                f"model {self.model.name!r} has not been trained with the settings of this experiment",
                where=str(self.folder),
                hint=f"mcusim train {self.experiment.path} --out {self.folder.parent}",
            )
        watcher.training(f"training {self.model.name}" + (f" #{self.repeat}" if self.repeat else ""))
        return self.train(watcher.learning)

    def before(self) -> Path | None:
        """The file that training would give again, or None."""
        return self._told_by(self._stamp)

    def _told_by(self, stamp: Path) -> Path | None:
        try:
            values = json.loads(stamp.read_text(encoding="utf-8"))
            kept = values["files"][self.model.keep]
            path = self.folder / str(kept["name"])
            return path if values["settings"] == self._settings() and sha256_of(path) == kept["sha256"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def train(self, progress: Progress = None) -> Path:
        """Train and keep, telling `progress` after every batch.

        After Ctrl-C raises KeyboardInterrupt; what the finished epochs gave lies in `folder` too.
        """
        model, stamp = self.model, self._stamp
        if model.training.quantization:
            demand_tensorflow("[training.quantization]")
        self._demand_classes()
        try:
            stamp.unlink(missing_ok=True)  # from here on the files are no longer what it says
            if model.training.quantization:
                kept = self._kept(self._of_integers(self._to_begin_with(progress), progress))
            else:
                kept = self._kept(self._of_reals(progress))
            self._tell(stamp, kept)
            self._stamp_of_reals.unlink(missing_ok=True)
        except OSError as error:
            what = f"cannot write in {self.folder.name!r}: {error.strerror or error}"
            raise ConfigurationError(what, where=str(self.folder), hint=WRITE_HINT) from None
        return kept[model.keep]

    def _to_begin_with(self, progress: Progress) -> Path:
        """What is trained for its integers: the user's file, or reals, which an interruption of that does not cost."""
        before = self.model.file or self._told_by(self._stamp_of_reals)
        if before:
            return before
        kept = self._kept(self._of_reals(progress))
        self._tell(self._stamp_of_reals, kept)
        return kept[self.model.keep]

    def _tell(self, stamp: Path, kept: Mapping[str, Path]) -> None:
        told = {keep: {"name": path.name, "sha256": sha256_of(path)} for keep, path in kept.items()}
        write_text(stamp, json.dumps({"settings": self._settings(), "files": told}, indent=1) + "\n")

    def _demand_classes(self) -> None:
        """Whole numbers could be classes, too: what they are for is not found out after hours."""
        name, y = self.model.architecture, self.dataset.y_train
        repeats = name is not None and architecture_of(name).repeats
        if self.experiment.scoring.kind == "regression" and y is not None and y.ndim == 1 and not repeats:
            raise ConfigurationError(f"[task] kind is 'regression': {NO_REALS}", hint=ELSEWHERE)

    def _of_reals(self, progress: Progress) -> TrainedFiles:
        model = self.model
        assert model.architecture is not None
        return training.train(
            self.dataset,
            model.architecture,
            model.parameters,
            model.training,
            self.folder,
            self._stamp.stem,
            self._seed,
            progress,
            normalize=self.experiment.dataset.normalize_in_training,
        )

    def _of_integers(self, file: Path, progress: Progress) -> TrainedFiles:
        name = f"{self._stamp.stem}+integers"  # which no model is called, either
        normalization = self.experiment.dataset.normalize
        settings = self.model.training
        return trained_for_integers(
            *(file, self.dataset, settings, normalization, self.folder, name, self._seed, progress),
            shapes=self.model.shapes,
        )

    @staticmethod
    def _kept(files: TrainedFiles) -> dict[str, Path]:
        if not files.complete:
            raise KeyboardInterrupt
        return {"last": files.last, "best": files.best}

    @property
    def _seed(self) -> int:
        return self.experiment.general.seed + self.repeat

    @property
    def _stamp(self) -> Path:
        return stamp(self.folder, self.model, self.repeat)

    @property
    def _stamp_of_reals(self) -> Path:
        """While they are trained on for their integers."""
        return self._stamp.with_name(f"{self._stamp.stem}+reals.json")

    def _settings(self) -> Any:
        """All that training depends on, as JSON gives it back."""
        values: dict[str, Any] = {
            "mcusim": VERSION,
            "dataset": _digest(self.dataset),
            "normalize": self.experiment.dataset.normalize_in_training,
            "file": sha256_of(self.model.file) if self.model.file else None,
            "architecture": self.model.architecture,
            "parameters": self.model.parameters,
            "training": self.model.training.model_dump(),
            "begins": self.model.keep
            if self.model.training.quantization
            else None,  # the epoch that integers begin with
            "seed": self._seed,
        }
        if self.model.shapes:
            values["input_shape"] = self.model.shapes
        return json.loads(json.dumps(values, default=str))


def stamp(folder: Path, model: Model, repeat: int) -> Path:
    """The file that tells how a model in `folder` was trained.

    `+` is in no file name of a model: `m` repeated never meets a model that is called so.
    """
    name = file_name(model.name)
    return folder / (f"{name}+{repeat}.json" if repeat else f"{name}.json")


def _digest(dataset: Dataset) -> str:
    shape = None if dataset.x_train is None else dataset.x_train.shape
    sha = hashlib.sha256(repr((dataset.name, dataset.classes, shape)).encode())
    for array in (dataset.x_train, dataset.y_train, dataset.groups_train):
        if array is not None:
            sha.update(array.tobytes())
    return sha.hexdigest()
