"""Outputs -> nothing: only time, size and whether the firmware computes the model. No labels are needed."""

from __future__ import annotations

from mcusim.system.arrays import Array
from mcusim.tasks.figure import Row
from mcusim.tasks.task import Answers, Asked, Scores, TaskLabels, far

NAME = "none"
DECIDES = True
FIGURES: tuple[Row, ...] = ()


def claim(asked: Asked) -> str | None:
    return "there are no labels to score with" if asked.targets is None else None


def labels(asked: Asked) -> TaskLabels:
    """Whatever there is is not looked at."""
    return TaskLabels(None)


def score(asked: Asked, answers: Answers) -> Scores:
    return Scores()


def differs(asked: Asked, outputs: Array, expected: Array) -> Array:
    """A number is further off than rounding in float32 explains."""
    return far(outputs, expected)
