"""Dataset + architecture + settings -> trained `.keras` files, the best epoch and the last."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mcusim.datasets.dataset import Dataset, Normalization
from mcusim.system.arrays import Floats, Labels
from mcusim.system.errors import ConfigurationError
from mcusim.training.architectures import architecture_of, build_model
from mcusim.training.augmentation import demand_fit
from mcusim.training.checkpoint import Checkpoint, Lasting
from mcusim.training.course import Course, Epoch, TrainingProgress
from mcusim.training.goals import Judged
from mcusim.training.keras_setup import device_trouble, framework, import_keras
from mcusim.training.learner import Learner
from mcusim.training.lesson import hold_out, lesson
from mcusim.training.model_files import ModelFiles
from mcusim.training.settings import TrainingSettings

NORMALIZATIONS = ("z-score", "none")
Samples = tuple[Floats, Labels]


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
    if normalize not in NORMALIZATIONS:
        raise ConfigurationError(f"'normalize' is {normalize!r}", where="[dataset]", hint="give 'z-score' or 'none'")
    random = np.random.default_rng(seed)
    given = lesson(dataset, architecture_of(architecture).repeats)
    learned, validated = hold_out(given.y, given.groups, settings.validation, random)
    demand_fit(settings, dataset.shape, not given.goal.classes)
    model = build_model(architecture, parameters, dataset.shape, len(given.goal.classes), seed=seed)
    statistics = Normalization.fit(given.x[learned]) if normalize == "z-score" else None
    x = statistics.apply(given.x) if statistics else given.x
    record = _record(dataset, given.goal.classes, architecture, parameters, settings, seed)
    files = ModelFiles(folder, name, statistics, record)
    checkpoint = Checkpoint(folder, name, record, (x, given.y))
    learner = Learner(model, given.goal, settings, random)
    course = Course.of(len(learned), settings, progress)
    fit, held_out = ((x[chosen], given.y[chosen]) for chosen in (learned, validated))
    return run_epochs(learner, fit, held_out, settings, files, course, checkpoint)


class Learning(Lasting, Protocol):
    """`Learner`, or one of integers. `TABLE` of an experiment has its settings."""

    TABLE: str
    model: Any

    def learn(self, x: Floats, y: Labels, epoch: int, step_done: Callable[[], None]) -> tuple[float, float | None]: ...

    def judge(self, x: Floats, y: Labels) -> Judged: ...


def run_epochs(
    learner: Learning,
    fit: Samples,
    held_out: Samples,
    settings: TrainingSettings,
    files: ModelFiles,
    course: Course,
    checkpoint: Checkpoint,
) -> TrainedFiles:
    """All epochs, or those that an interruption has left."""
    history, best = checkpoint.go_on(learner) if files.best.is_file() else ([], 0)  # whose weights only the file has
    if history:
        course.go_on(history)
    try:
        for number in range(len(history), settings.epochs):
            if settings.patience and number - best > settings.patience:
                break
            with device_trouble(settings.batch_size):
                loss, accuracy = learner.learn(*fit, number, course.step)
            with _forgotten(checkpoint):
                demand_finite(loss, number, learner.TABLE, _slower(learner, settings))
                _demand_finite_state(learner, number, settings)
            with device_trouble(settings.batch_size):
                judged = learner.judge(*held_out)
            epoch = Epoch(loss, accuracy, judged.accuracy, settings.rate(number), judged.loss)
            history.append(epoch)
            best = number if _score(epoch) >= _score(history[best]) else best
            checkpoint.keep(learner, history, best)
            if files.keep(learner.model, is_best=best == number):
                checkpoint.write()
            course.finish(epoch)
        complete = True
    except KeyboardInterrupt:
        complete = False
        if not history:
            raise
    finally:
        if history:
            files.write(learner.model)
            checkpoint.write()
    if complete:
        checkpoint.forget()
    return TrainedFiles(files.best, files.last, tuple(history), best, complete)


def _score(epoch: Epoch) -> float:
    """Higher is better. Of equals the later epoch wins: it was trained longer."""
    if epoch.validation_accuracy is not None:
        return epoch.validation_accuracy
    return -(epoch.loss if epoch.validation_loss is None else epoch.validation_loss)


def demand_finite(loss: float, number: int, where: str, hint: str) -> None:
    if not math.isfinite(loss):
        raise ConfigurationError(f"training diverged: the loss is {loss} in epoch {number + 1}", where=where, hint=hint)


def _demand_finite_state(learner: Learning, number: int, settings: TrainingSettings) -> None:
    """What the last batch of an epoch did to weights or ranges no loss tells before the next one."""
    if not all(np.isfinite(array).all() for array in learner.state()):
        what = f"training diverged: a weight is no number after epoch {number + 1}"
        raise ConfigurationError(what, where=learner.TABLE, hint=_slower(learner, settings))


@contextmanager
def _forgotten(checkpoint: Checkpoint) -> Iterator[None]:
    """What diverged would diverge again."""
    try:
        yield
    except ConfigurationError:
        checkpoint.forget()
        raise


def _slower(learner: Learning, settings: TrainingSettings) -> str:
    may_rise = learner.TABLE == Learner.TABLE and settings.schedule != "one-cycle"
    other = ", or schedule = 'one-cycle', which begins with less" if may_rise else ""
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
    name, version = framework()
    return {
        "dataset": dataset.name,
        "classes": list(classes),
        "architecture": architecture,
        "parameters": dict(parameters),
        "training": settings.model_dump(),
        "seed": seed,
        "keras": import_keras().__version__,
        name: version,
    }
