"""Outputs + labels -> Scores: what a model is for, and what its answers are worth. One file a task."""

from __future__ import annotations

from mcusim.tasks import classification
from mcusim.tasks.task import Task

TASKS: tuple[Task, ...] = (classification,)


def task_named(name: str) -> Task:
    """KeyError when there is none."""
    return {task.NAME: task for task in TASKS}[name]
