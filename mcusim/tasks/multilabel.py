"""Outputs + labels -> accuracy: each output says yes or no by itself, above a threshold or not."""

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.tasks.class_scores import overall, scores_of_classes
from mcusim.tasks.classification import threshold
from mcusim.tasks.figure import Budget, Figure, Row, percent
from mcusim.tasks.task import Answers, Asked, ClassScores, Scores, TaskLabels
from mcusim.tasks.worst import Wrong, furthest

NAME = "multilabel"
DECIDES = False  # a softmax makes outputs compete, and so is no part of the decision to leave out
LARGEST_TOLD = 256  # labels; more would be most of the report
MOST_NAMED = 5  # labels of a sample


def claim(asked: Asked) -> str | None:
    """A 0 or 1 for each output; where there is one 1 in each row, classification has claimed it."""
    y = asked.targets
    if y is None or y.shape[1:] != asked.shape or asked.elements < 2 or asked.repeats_its_input:
        return None
    return "each target has a 0 or 1 for each output" if _are_yes_or_no(y) else None


def labels(asked: Asked) -> TaskLabels:
    """(N, elements) int64 of 0 and 1."""
    y = asked.targets
    if y is None or y.size != len(y) * asked.elements or not _are_yes_or_no(y):
        have = "no labels" if y is None else f"labels of shape {y.shape[1:]} for each sample"
        what = f"data set {asked.dataset!r} has {have}{asked.of}, which are"
        raise DataError(
            f"{what} not 0 or 1 for each of {asked.elements} outputs",
            hint=f"store y of shape (N, {asked.elements}) with 0 and 1",
        )
    if asked.classes and len(asked.classes) != asked.elements:
        what = f"data set {asked.dataset!r} names {len(asked.classes)} classes{asked.of}"
        raise DataError(f"{what}, model {asked.model!r} has {asked.elements} outputs", hint="name each output")
    rule = f"a label is decided where its output is above {threshold(asked):g} ([task] threshold)"
    return TaskLabels(y.reshape(len(y), -1).astype(np.int64), (rule,), ("threshold",))


def score(asked: Asked, answers: Answers) -> Scores:
    if answers.labels is None:
        return Scores()
    decided, wanted = _decided(asked, answers.outputs), answers.labels.astype(bool)
    classes = tuple(
        _of_label(asked.classes[number] if asked.classes else str(number), decided[:, number], wanted[:, number])
        for number in range(asked.elements)
    )
    means, right = overall(classes), decided == wanted
    all_right = right.all(axis=1)
    numbers = {name: means[name] for name in ("f1_macro", "recall_worst")}
    return Scores(
        accuracy=float(all_right.mean()) if len(right) else None,
        classes=classes if len(classes) <= LARGEST_TOLD else (),
        numbers={"label_accuracy": float(right.mean()) if len(right) else None, **numbers},
        right=all_right,
        worst=_worst(asked, answers.outputs, decided, wanted),
    )


def _worst(asked: Asked, outputs: Array, decided: Array, wanted: Array) -> tuple[Wrong, ...]:
    """How far beyond the threshold the furthest of its wrong outputs is."""
    with np.errstate(invalid="ignore"):
        off = np.abs(outputs.astype(np.float64) - threshold(asked))
    return furthest(
        np.where(decided == wanted, 0.0, off).max(axis=1),
        lambda row: (_named(asked, wanted[row]), _named(asked, decided[row])),
    )


def _named(asked: Asked, yes: Array) -> str:
    names = [asked.classes[number] if asked.classes else str(number) for number in np.flatnonzero(yes)[:MOST_NAMED]]
    return ", ".join([*names, ".."] if yes.sum() > MOST_NAMED else names) or "none"


def differs(asked: Asked, outputs: Array, expected: Array) -> Array:
    """Another set of labels is decided."""
    return np.asarray((_decided(asked, outputs) != _decided(asked, expected)).any(axis=1))


def _decided(asked: Asked, outputs: Array) -> Array:
    """(N, elements) bool. NaN is no."""
    return np.asarray(outputs > np.float32(threshold(asked)))


def _of_label(name: str, decided: Array, wanted: Array) -> ClassScores:
    _, yes = scores_of_classes(decided.astype(np.int64), wanted.astype(np.int64), ("", name))
    return yes


def _are_yes_or_no(y: Array) -> bool:
    return y.dtype.kind in "buif" and bool(np.isin(y, (0, 1)).all())


FIGURES: tuple[Row, ...] = (
    Figure(
        "scores.label_accuracy",
        "multilabel: share of labels of all samples that are decided right (`accuracy`: of samples, those with all of "
        "them right)",
        unit="share",
        word="label accuracy",
        show=percent,
        better="higher",
        budget=Budget("label_accuracy_min", "share", lacks="label accuracy", doc="share of labels decided right"),
    ),
)
