"""What a task is: a module that scores outputs, and brings the figures that it scores them with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mcusim.datasets.dataset import Dataset
from mcusim.system.arrays import Array
from mcusim.tasks.figure import Row


@dataclass(frozen=True)
class Scores:
    """What outputs are worth; None where there is nothing to tell.

    `accuracy` and `confusion` are keys of a run. `numbers` are whatever else the task has: its rows are called
    `scores.<name>`, and the report keeps them in `scores`.
    """

    accuracy: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


class Task(Protocol):
    """A module with these names. `FIGURES`: the rows of the report that it fills, best known first."""

    NAME: str
    FIGURES: tuple[Row, ...]

    def check(self, elements: int, dataset: Dataset, model: str, output: str) -> None:
        """Raises DataError when an output of so many elements cannot answer for the data set's labels of that name."""

    def score(self, outputs: Array, labels: Array) -> Scores:
        """`outputs`: real numbers (N, elements), any of them NaN or infinite; `labels`: (N,). N may be 0."""

    def differs(self, outputs: Array, expected: Array) -> Array:
        """Which samples (N,) are answered otherwise than expected: floats (N, elements) that were rounded on their own.

        Integers are not asked about: they have to be equal.
        """
