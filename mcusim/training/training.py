"""Dataset + architecture + settings -> trained `.keras` files, the best epoch and the last."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mcusim.datasets.dataset import Dataset, Normalization
from mcusim.datasets.targets import MOST_CLASSES, class_numbers
from mcusim.system.arrays import Array, Floats, Labels
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.training.architectures import build_model
from mcusim.training.augmentation import demand_fit
from mcusim.training.keras_setup import import_keras
from mcusim.training.learner import Learner
from mcusim.training.model_files import ModelFiles
from mcusim.training.settings import TrainingSettings

NORMALIZATIONS = ("z-score", "none")
Samples = tuple[Floats, Labels]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Epoch:
    """Means over the (mixed) batches of one epoch. `accuracy`: None where nothing is classified; `validation_accuracy`
    likewise, and when nothing is held out."""

    loss: float
    accuracy: float | None
    validation_accuracy: float | None
    learning_rate: float


@dataclass(frozen=True)
class TrainingProgress:
    """Batches done of those of all epochs; epochs finished, and the figures of the last of them, None before it is."""

    batches: int
    all_batches: int
    epochs: int
    all_epochs: int
    last: Epoch | None


@dataclass(frozen=True)
class TrainedFiles:
    """`history` holds the finished epochs, `best_epoch` is an index into it. `complete` is False after Ctrl-C, and True
    where `patience` ended it."""

    best: Path
    last: Path
    history: tuple[Epoch, ...]
    best_epoch: int
    complete: bool


def train(
    dataset: Dataset,
    architecture: str,
    parameters: Mapping[str, Any],
    settings: TrainingSettings,
    folder: Path,
    name: str,
    seed: int,
    progress: Callable[[TrainingProgress], None] | None = None,
    *,
    normalize: str = "z-score",
) -> TrainedFiles:
    """Train on the training set; write `<name>_best.keras` and `<name>_last.keras` into `folder`.

    Best is the highest validation accuracy, or the lowest training loss when nothing is held out. Both files keep the
    normalization (statistics of the samples learned from) and no optimizer. The same seed gives the same weights on the
    same machine with the same versions. Ctrl-C ends training early: the files hold the finished epochs (before the
    first is finished there is nothing to keep, and KeyboardInterrupt goes on). `progress` is told after every batch.
    ConfigurationError for settings that do not fit or a loss that diverges, DataError for a data set of several inputs
    or outputs, MissingToolError without TensorFlow.
    """
    demand_one_of_each(dataset)
    if normalize not in NORMALIZATIONS:
        raise ConfigurationError(f"'normalize' is {normalize!r}", where="[dataset]", hint="give 'z-score' or 'none'")
    random = np.random.default_rng(seed)
    x, labels, classes = lesson(dataset)
    learned, validated = hold_out(labels, dataset.groups_train, settings.validation, random)
    demand_fit(settings, dataset.shape)
    model = build_model(architecture, parameters, dataset.shape, len(classes), seed=seed)
    statistics = Normalization.fit(x[learned]) if normalize == "z-score" else None
    x = statistics.apply(x) if statistics else x
    files = ModelFiles(folder, name, statistics, _record(dataset, classes, architecture, parameters, settings, seed))
    learner = Learner(model, len(classes), settings, random)
    course = Course.of(len(learned), settings, progress)
    fit, held_out = ((x[chosen], labels[chosen]) for chosen in (learned, validated))
    return run_epochs(learner, fit, held_out, settings, files, course)


def demand_one_of_each(dataset: Dataset) -> None:
    if len(dataset.inputs) > 1 or len(dataset.outputs) > 1:
        raise DataError(
            f"data set {dataset.name!r} has {len(dataset.inputs)} inputs and {len(dataset.outputs)} outputs, "
            "mcusim trains models of one and one",
            hint="train the model elsewhere, and name its file in [[model]]",
        )


def lesson(dataset: Dataset) -> tuple[Floats, Labels, tuple[str, ...]]:
    """Samples (N, *shape), their class numbers (N,), and the names of the classes."""
    if dataset.x_train is None or dataset.y_train is None:
        what = f"data set {dataset.name!r} has no training samples with labels"
        raise DataError(what, hint="add x_train and y_train, or name a trained model: [[model]] file = ..")
    names = dataset.classes_of()
    labels = class_numbers(dataset.y_train, "training labels", len(names) or MOST_CLASSES)
    names = names or tuple(map(str, range(int(labels.max()) + 1)))
    if len(names) < 2:
        raise DataError(f"data set {dataset.name!r} has one class", hint="give samples of 2 or more classes")
    return dataset.x_train, labels, names


class Course:
    """Counts batches and epochs for whoever is told of them, first of all that none is done."""

    @classmethod
    def of(
        cls, samples: int, settings: TrainingSettings, listener: Callable[[TrainingProgress], None] | None
    ) -> "Course":
        return cls(math.ceil(samples / settings.batch_size) * settings.epochs, settings.epochs, listener)

    def __init__(self, batches: int, epochs: int, listener: Callable[[TrainingProgress], None] | None) -> None:
        self._listener = listener
        self._reach(TrainingProgress(0, batches, 0, epochs, None))

    def step(self) -> None:
        self._reach(replace(self._now, batches=self._now.batches + 1))

    def finish(self, epoch: Epoch) -> None:
        self._reach(replace(self._now, epochs=self._now.epochs + 1, last=epoch))

    def _reach(self, now: TrainingProgress) -> None:
        self._now = now
        if self._listener:
            self._listener(now)


class Learning(Protocol):
    """`Learner`, or one of integers."""

    model: Any

    def learn(self, x: Floats, y: Array, epoch: int, step_done: Callable[[], None]) -> tuple[float, float]: ...

    def accuracy(self, x: Floats, y: Array) -> float | None: ...


def run_epochs(
    learner: Learning, fit: Samples, held_out: Samples, settings: TrainingSettings, files: ModelFiles, course: Course
) -> TrainedFiles:
    history: list[Epoch] = []
    best = 0
    try:
        for number in range(settings.epochs):
            loss, accuracy = learner.learn(*fit, number, course.step)
            demand_finite(loss, number, "[training]", _slower(settings))
            epoch = Epoch(loss, accuracy, learner.accuracy(*held_out), settings.rate(number))
            history.append(epoch)
            best = number if _score(epoch) >= _score(history[best]) else best
            files.keep(learner.model, is_best=best == number)
            course.finish(epoch)
            if settings.patience and number - best >= settings.patience:
                break
        complete = True
    except KeyboardInterrupt:
        complete = False
        if not history:
            raise
    finally:
        if history:
            files.write(learner.model)
    return TrainedFiles(files.best, files.last, tuple(history), best, complete)


def _score(epoch: Epoch) -> float:
    """Higher is better. Of equals the later epoch wins: it was trained longer."""
    return -epoch.loss if epoch.validation_accuracy is None else epoch.validation_accuracy


def demand_finite(loss: float, number: int, where: str, hint: str) -> None:
    if not math.isfinite(loss):
        raise ConfigurationError(f"training diverged: the loss is {loss} in epoch {number + 1}", where=where, hint=hint)


def _slower(settings: TrainingSettings) -> str:
    other = "" if settings.schedule == "one-cycle" else ", or schedule = 'one-cycle', which begins with less"
    return f"give a 'learning_rate' below {settings.learning_rate:g}{other}"


def _record(
    dataset: Dataset,
    classes: Sequence[str],
    architecture: str,
    parameters: Mapping[str, Any],
    settings: TrainingSettings,
    seed: int,
) -> dict[str, Any]:
    """How the model was made, kept in its file for people."""
    import tensorflow

    return {
        "dataset": dataset.name,
        "classes": list(classes),
        "architecture": architecture,
        "parameters": dict(parameters),
        "training": settings.model_dump(),
        "seed": seed,
        "keras": import_keras().__version__,
        "tensorflow": tensorflow.__version__,
    }


def hold_out(labels: Array, groups: Array | None, share: float, random: np.random.Generator) -> tuple[Indices, Indices]:
    """Indices to learn from and to validate on; the second is empty for share 0.

    Whole groups are held out when there are groups: windows of one person overlap, so a window held out alone is not
    unseen. Otherwise the same share of every class. ConfigurationError when nothing would be left on either side.
    """
    if share == 0:
        return np.arange(len(labels)), np.arange(0)
    held = _groups(groups, share, random) if groups is not None else _classes(labels, share, random)
    learned, validated = np.flatnonzero(~held), np.flatnonzero(held)
    if not len(validated) or not len(learned):
        raise ConfigurationError(
            f"validation = {share} of {len(labels)} training samples leaves {len(learned)} to learn from and "
            f"{len(validated)} to validate on",
            where="[training]",
            hint="give another share, or 0 for none",
        )
    return learned, validated


def _groups(groups: Array, share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Shuffled groups, taken as long as they bring the number of samples nearer to the share asked for."""
    held = np.zeros(len(groups), dtype=bool)
    wanted = share * len(groups)
    for group in random.permutation(np.unique(groups)):
        members = groups == group
        if abs(held.sum() + members.sum() - wanted) < abs(held.sum() - wanted):
            held |= members
    return held


def _classes(labels: Array, share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        held[members[: round(share * len(members))]] = True
    return held
