"""Outputs + labels -> accuracy: each sample is of one class, and the largest output tells which."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.tasks.figure import Budget, Figure, Row, Value, percent
from mcusim.tasks.task import Scores

NAME = "classification"
LARGEST_CONFUSION = 256  # classes; a larger matrix would be most of the report


def check(elements: int, dataset: Dataset, model: str, output: str = "") -> None:
    """An element for each class."""
    classes = len(dataset.classes_of(output))
    if elements != classes:
        have = f"data set {dataset.name!r} has {classes} classes" + (f" of {output!r}" if output else "")
        hint = "check the data set, or choose the model that was trained on it"
        raise DataError(f"{have}, model {model!r} tells {elements} apart", hint=hint)


def score(outputs: Array, labels: Array) -> Scores:
    decided = decide(outputs)
    return Scores(
        accuracy=accuracy(outputs, labels) if len(outputs) else None,
        confusion=_confusion(decided, labels, outputs.shape[1]),
    )


def differs(outputs: Array, expected: Array) -> Array:
    """Another class is decided."""
    wrong: Array = decide(outputs) != decide(expected)
    return wrong


def accuracy(outputs: Array, labels: Array) -> float:
    """Share of samples whose largest output is that of the label; of equal outputs the first counts."""
    return float(np.mean(decide(outputs) == labels)) if len(labels) else 0.0


def decide(outputs: Array) -> Array:
    """Class of each sample (N, outputs) -> (N,). NaN never wins."""
    decided: Array = np.argmax(np.where(np.isnan(outputs), -np.inf, outputs), axis=1)
    return decided


def _confusion(decided: Array, labels: Array, classes: int) -> tuple[tuple[int, ...], ...] | None:
    """Rows: the label. Columns: what was decided."""
    if classes > LARGEST_CONFUSION:
        return None
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, decided), 1)
    return tuple(tuple(row) for row in matrix.tolist())


def _drop(run: Any) -> Value:
    if run.accuracy is None or run.accuracy_float is None:
        return None
    return round(float(run.accuracy_float - run.accuracy), 12)  # 0.95 - 0.948 is not quite 0.002


FIGURES: tuple[Row, ...] = (
    Figure(
        "accuracy",
        "of these samples, those whose largest output of the firmware is that of the label",
        unit="share",
        word="accuracy",
        heading="accuracy %",
        show=percent,
        better="higher",
        budget=Budget(
            "accuracy_min",
            "share",
            lacks="accuracy",
            doc="share of test samples: 0.93",
            wanted="a share from 0 to 1, for example 0.915",
        ),
    ),
    Figure(
        "accuracy_float",
        "the same of the model before quantization, computed in NumPy",
        unit="share",
        heading="float %",
        show=percent,
        better="higher",
    ),
    Figure(
        "accuracy_drop",
        "`accuracy_float - accuracy`",
        unit="share",
        word="accuracy drop",
        better="lower",
        junit=False,
        of=_drop,
        budget=Budget(
            "accuracy_drop_max",
            "share",
            lacks="accuracy to compare with the float model's",
            doc="share lost against the model before quantization: 0.002 is 0.2 points",
            wanted="a share from 0 to 1, for example 0.002",
        ),
    ),
    Row("confusion", "rows: label, columns: decided class; null above 256 classes", unit="samples"),
)
