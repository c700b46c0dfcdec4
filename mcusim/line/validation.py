"""Dataset -> the same, judged by training samples that were held out: the test set is never looked at."""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.targets import MOST_CLASSES, class_numbers
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import Model
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.system.records import fields_of
from mcusim.training.lesson import Indices, hold_out

MOST_OVERLAP = 0.01  # of the samples that judge may be in the test set; more are no accident


@dataclass(frozen=True)
class HeldShare:
    """Of the training samples; `where`: the table that says so."""

    share: float
    where: str


def share_of(model: Model, experiment: Experiment) -> HeldShare:
    """What [training] holds out: no weight has seen it; where it says nothing, what [explore] judges by."""
    if model.training.validation:
        return HeldShare(model.training.validation, "[training]")
    return HeldShare(experiment.explore.validation, "[explore]")


def seen(model: Model) -> str:
    """A note, where the network may have learned from the samples that judge it."""
    if model.is_trained and model.training.validation:
        return ""
    how = "set validation in [training]" if model.is_trained else "hold some out when you train it"
    return f"{model.name!r} may have learned from the samples that judge its points, which flatters it: {how}"


def judged_by_validation(dataset: Dataset, chosen: HeldShare, seed: int) -> Dataset:
    """The samples that judge stand where the test set stood. Calibration and training see what they always see.

    Raises DataError where there are none, or where they are the test set's.
    """
    if dataset.x_train is None:
        hint = "add x_train and y_train: points are never judged by the test set"
        raise DataError(f"data set {dataset.name!r} has no training samples to judge points by", hint=hint)
    _, held = held_out(dataset, chosen, seed)
    held = _apart(dataset, held if 0 < chosen.share < 1 else np.arange(len(dataset.x_train)))
    y = None if dataset.y_train is None else dataset.y_train[held]
    return replace(dataset, x_test=dataset.x_train[held], y_test=y)


def held_out(dataset: Dataset, chosen: HeldShare, seed: int) -> tuple[Indices, Indices]:
    """Training samples to learn from, and those that judge: none of a share of 0, or of all."""
    assert dataset.x_train is not None
    labels = np.zeros(len(dataset.x_train)) if dataset.y_train is None else _strata(dataset.y_train)
    share = chosen.share if 0 < chosen.share < 1 else 0.0
    return hold_out(labels, dataset.groups_train, share, np.random.default_rng(seed), chosen.where)


def _strata(y: Array) -> Array:
    """Class numbers (N,), as training holds them out; of targets that are no classes all samples are alike."""
    with suppress(DataError):
        if not y.dtype.names:
            return class_numbers(y, "training labels", MOST_CLASSES)
    return np.zeros(len(y))


def _apart(dataset: Dataset, held: Array) -> Array:
    """Without samples that are in the test set, byte for byte."""
    assert dataset.x_train is not None
    tested = set(map(hash, _bytes(dataset.x_test)))
    inside = np.array([hash(one) in tested for one in _bytes(dataset.x_train[held])], bool)
    if inside.mean() > MOST_OVERLAP:
        what = f"{inside.sum():,} of {len(held):,} samples that should judge points are in the test set, too"
        hint = "give a data set whose training and test samples are not the same"
        raise DataError(f"data set {dataset.name!r}: {what}", hint=hint)
    apart: Array = held[~inside]
    return apart


def _bytes(x: Array) -> list[bytes]:
    columns = [np.ascontiguousarray(one).reshape(len(x), -1) for one in fields_of(x).values()]
    return [b"".join(row.tobytes() for row in rows) for rows in zip(*columns, strict=True)]
