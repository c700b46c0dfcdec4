"""What a search is given, and what it is: points that it wants -> what they are worth, until it has enough."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcusim.explore.axes import Genes, Space
from mcusim.explore.front import Limits
from mcusim.explore.point import Point
from mcusim.system.errors import MissingToolError

Asking = Generator[list[Genes], list[Point], None]


@dataclass(frozen=True)
class Wanted:
    """`batch`: points asked for at once, whatever there are of workers: a search goes the same way everywhere.

    `evaluations`: different points, at most.
    """

    space: Space
    objectives: Sequence[str]
    limits: Limits
    batch: int
    seed: int
    evaluations: int


class Search(Protocol):
    """What a module of this package is."""

    NAME: str
    SUMMARY: str

    def missing(self) -> MissingToolError | None:
        """What it needs and is not installed."""

    def ask(self, wanted: Wanted) -> Asking:
        """Yields points to evaluate, and is sent them in the same order.

        The same answers lead to the same questions: that is how an exploration goes on where it was interrupted.
        """
