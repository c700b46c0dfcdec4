"""Outputs + labels -> Scores: what a model is for, and what its answers are worth. One file a task."""

from mcusim.system.errors import DataError
from mcusim.tasks import anomaly, classification, multilabel, none, regression
from mcusim.tasks.task import Asked, Judge, Task

TASKS: tuple[Task, ...] = (classification, multilabel, regression, anomaly, none)


def task_named(name: str) -> Task:
    """KeyError when there is none."""
    return {task.NAME: task for task in TASKS}[name]


def judge_of(asked: Asked, kind: str | None = None) -> Judge:
    """The task of that kind, or the first that claims the output, with the labels as it wants them.

    DataError when an output and its targets do not belong together.
    """
    if kind is not None:
        told = task_named(kind).labels(asked)
        return Judge(task_named(kind), asked, told.values, told.notes, told.uses)
    task, reason = _guessed(asked)
    told = task.labels(asked)
    guess = f"task{asked.of} is guessed to be {task.NAME!r}: {reason} ([task] kind overrules)"
    return Judge(task, asked, told.values, (guess, *told.notes) if reason else told.notes, told.uses)


def _guessed(asked: Asked) -> tuple[Task, str]:
    for task in TASKS:
        reason = task.claim(asked)
        if reason is not None:
            return task, reason
    assert asked.targets is not None  # else there is nothing to score: `none` claims it
    raise DataError(
        f"targets{asked.of} of data set {asked.dataset!r} have shape {asked.targets.shape} and type "
        f"{asked.targets.dtype}, model {asked.model!r} answers {asked.elements} numbers: they do not belong together",
        hint='check the data set, or say [task] kind = "none" to run without scores',
    )
