"""A firmware that mcusim built before, as a file: nothing is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mcusim.boards.board import Board
from mcusim.engines.engine import Facts
from mcusim.line.build import read_firmware
from mcusim.system.image import Image


@dataclass(frozen=True)
class Prebuilt:
    """An ELF file of ours."""

    NAME: ClassVar[str] = "prebuilt"
    elf: Path

    def image(self, facts: Facts, board: Board | None, folder: Path) -> Image:
        """The file itself. Raises BuildError when it is none of ours."""
        return read_firmware(self.elf, board.name if facts.needs_board and board else None).image
