"""Outputs -> nothing: only time, size and whether the firmware computes the model. No labels are needed."""

from mcusim.tasks.figure import Row
from mcusim.tasks.task import Answers, Asked, Scores, TaskLabels, far

NAME = "none"
DECIDES = True
FIGURES: tuple[Row, ...] = ()
differs = far


def claim(asked: Asked) -> str | None:
    return "there are no labels to score with" if asked.targets is None else None


def labels(asked: Asked) -> TaskLabels:
    """Whatever there is is not looked at."""
    return TaskLabels(None)


def score(asked: Asked, answers: Answers) -> Scores:
    return Scores()
