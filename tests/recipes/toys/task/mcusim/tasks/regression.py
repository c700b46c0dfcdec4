"""Outputs + labels -> mean absolute error: the label is the number that the output should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.tasks.figure import Budget, Figure, Row
from mcusim.tasks.task import Scores

if TYPE_CHECKING:
    from mcusim.datasets.dataset import Dataset

NAME = "regression"
FIGURES: tuple[Row, ...] = (
    Figure(
        "scores.mae",
        "mean absolute error",
        word="mean absolute error",
        heading="MAE",
        show="{:.3f}".format,
        better="lower",
        budget=Budget("mae_max", "positive", lacks="mean absolute error", doc="mean absolute error"),
    ),
)


def check(elements: int, dataset: Dataset, model: str) -> None:
    if elements != 1:
        raise DataError(f"model {model!r} answers {elements} numbers", hint="one is asked for")


def score(outputs: Array, labels: Array) -> Scores:
    return Scores(numbers={"mae": float(np.abs(outputs[:, 0] - labels).mean())} if len(labels) else {})


def differs(outputs: Array, expected: Array) -> Array:
    wrong: Array = ~np.isclose(outputs, expected, equal_nan=True).all(axis=1)
    return wrong
