"""What a workload is: something to run, and how it becomes an image."""

from pathlib import Path
from typing import ClassVar, Protocol

from mcusim.boards.board import Board
from mcusim.engines.engine import Facts
from mcusim.system.image import Image


class Workload(Protocol):
    """A frozen dataclass: its fields say what is to run."""

    NAME: ClassVar[str]

    def image(self, facts: Facts, board: Board | None, folder: Path) -> Image:
        """What the engine of `facts` is given to run, on `board` if it needs one. Built below `folder`.

        Raises MissingToolError, BuildError or ConfigurationError when it cannot be had.
        """
