"""Somebody else's firmware: an ELF file for a board, which reads what it reads. Calls of one function are measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mcusim.boards.board import Board
from mcusim.engines.engine import Facts
from mcusim.system.elf import read_elf
from mcusim.system.errors import ConfigurationError, EngineError, suggestion
from mcusim.system.image import Image


@dataclass(frozen=True)
class ForeignElf:
    """`start`: the symbol that is called; `end`: where measuring ends, None for where the call returns."""

    NAME: ClassVar[str] = "foreign"
    elf: Path
    start: str
    end: str | None = None

    def image(self, facts: Facts, board: Board | None, folder: Path) -> Image:
        """The file itself. Raises ConfigurationError for an unknown symbol, EngineError where only ours can run."""
        if not facts.foreign or board is None:
            raise EngineError(f"engine {facts.name!r} runs no firmware but that of mcusim", where=str(self.elf))
        file = read_elf(self.elf)
        for name in (self.start, self.end):
            if name is not None and name not in file.symbols:
                known = suggestion(name, list(file.symbols))
                raise ConfigurationError(f"{self.elf.name!r} has no symbol {name!r}", hint=known)
        return Image(
            elf=self.elf.absolute(),
            board=board.name,
            entry=file.symbols[self.start].address,
            leave=file.symbols[self.end].address if self.end else None,
            input_bytes=0,
            output_bytes=0,
            sections=file.sections,
            symbols=file.symbols,
        )
