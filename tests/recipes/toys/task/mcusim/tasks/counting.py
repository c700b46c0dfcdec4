"""Outputs + labels -> shares: the label is a number of things, and the output is rounded to one."""

from __future__ import annotations

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.tasks.figure import Budget, Figure, Row, percent
from mcusim.tasks.task import Answers, Asked, Scores, TaskLabels

NAME = "counting"
DECIDES = False
FIGURES: tuple[Row, ...] = (
    Figure(
        "scores.counted",
        "share of samples that are counted right",
        unit="share",
        word="share counted right",
        heading="counted %",
        show=percent,
        better="higher",
        budget=Budget(
            "counted_min", "share", lacks="share counted right", doc="share of samples that are counted right"
        ),
    ),
)


def claim(asked: Asked) -> str | None:
    return None  # by nothing is a count told from another number: the user has to say so


def labels(asked: Asked) -> TaskLabels:
    if asked.targets is None or asked.elements != 1:
        raise DataError(f"model {asked.model!r} answers {asked.elements} numbers", hint="one is asked for")
    return TaskLabels(asked.targets.reshape(-1))


def score(asked: Asked, answers: Answers) -> Scores:
    if answers.labels is None or not len(answers.labels):
        return Scores(numbers={"counted": None})
    return Scores(numbers={"counted": float(np.mean(np.rint(answers.outputs[:, 0]) == answers.labels))})


def differs(asked: Asked, outputs: Array, expected: Array) -> Array:
    wrong: Array = (np.rint(outputs) != np.rint(expected)).any(axis=1)
    return wrong
