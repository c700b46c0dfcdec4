"""Data set + what is to be learned -> samples to learn from, and samples held out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.targets import MOST_CLASSES, are_whole, class_numbers, column
from mcusim.system.arrays import Array, Floats, Labels
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.tasks.anomaly import anomalous
from mcusim.training.goals import Classes, Goal, Itself

ELSEWHERE = "train the model elsewhere, and name its file in [[model]]"
NO_REALS = "mcusim trains classifiers and autoencoders"
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Lesson:
    """Samples (N, *shape), their class numbers (N,), and their groups, where there are some."""

    x: Floats
    y: Labels
    groups: Array | None
    goal: Goal


def lesson(dataset: Dataset, repeats: bool = False) -> Lesson:
    """Of all training samples; of those that are normal, where the network `repeats` its input."""
    _demand_one_and_one(dataset)
    return _of_itself(dataset) if repeats else _of_classes(dataset)


def training_samples(dataset: Dataset) -> Array:
    """(N, *shape). DataError where there are none, or a lesson would have several inputs or outputs."""
    _demand_one_and_one(dataset)
    if dataset.x_train is None or not len(dataset.x_train):
        hint = "add x_train, or name a trained model: [[model]] file = .."
        raise DataError(f"data set {dataset.name!r} has no training samples", hint=hint)
    return dataset.x_train


def _demand_one_and_one(dataset: Dataset) -> None:
    if len(dataset.inputs) > 1 or len(dataset.outputs) > 1:
        raise DataError(
            f"data set {dataset.name!r} has {len(dataset.inputs)} inputs and {len(dataset.outputs)} outputs, "
            "mcusim trains models of one and one",
            hint=ELSEWHERE,
        )


def _of_classes(dataset: Dataset) -> Lesson:
    if dataset.x_train is None or dataset.y_train is None:
        what = f"data set {dataset.name!r} has no training samples with labels"
        raise DataError(what, hint="add x_train and y_train, or name a trained model: [[model]] file = ..")
    if column(dataset.y_train).ndim == 1 and not are_whole(dataset.y_train):
        raise DataError(f"the training labels of data set {dataset.name!r} are reals: {NO_REALS}", hint=ELSEWHERE)
    names = dataset.classes_of()
    labels = class_numbers(dataset.y_train, "training labels", len(names) or MOST_CLASSES)
    names = names or tuple(map(str, range(int(labels.max()) + 1)))
    if len(names) < 2:
        raise DataError(f"data set {dataset.name!r} has one class", hint="give samples of 2 or more classes")
    return Lesson(dataset.x_train, labels, dataset.groups_train, Classes(names))


def _of_itself(dataset: Dataset) -> Lesson:
    x, y, groups = training_samples(dataset), dataset.y_train, dataset.groups_train
    normal = np.ones(len(x), bool) if y is None else anomalous(y, dataset.classes_of(), "training labels") == 0
    if not normal.any():
        hint = "label what is normal 0, or leave y_train out: then all samples are"
        raise DataError(f"no training sample of data set {dataset.name!r} is normal", hint=hint)
    return Lesson(x[normal], np.zeros(normal.sum(), np.int64), None if groups is None else groups[normal], Itself())


def hold_out(
    labels: Array, groups: Array | None, share: float, random: np.random.Generator, where: str = "[training]"
) -> tuple[Indices, Indices]:
    """Indices to learn from and to validate on; the second is empty for share 0.

    Whole groups are held out when there are groups: windows of one person overlap, so a window held out alone is not
    unseen. Otherwise the same share of every class. ConfigurationError when nothing would be left on either side;
    `where`: the table that has the share.
    """
    if share == 0:
        return np.arange(len(labels)), np.arange(0)
    held = _groups(groups, share, random) if groups is not None else _classes(labels, share, random)
    learned, validated = np.flatnonzero(~held), np.flatnonzero(held)
    if not len(validated) or not len(learned):
        count = 0 if groups is None else len(np.unique(groups))
        told = f" of {count} {'group' if count == 1 else 'groups'}, each held out whole," if count else ""
        raise ConfigurationError(
            f"validation = {share} of {len(labels)} training samples{told} leaves {len(learned)} to learn from and "
            f"{len(validated)} to validate on",
            where=where,
            hint="leave groups_train out, or set 0 for none" if count == 1 else "give another share, or 0 for none",
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
