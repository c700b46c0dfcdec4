"""What an engine is given to run: a program, where it is entered and left, how long a sample and an answer are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcusim.system.elf import Symbol


@dataclass(frozen=True)
class Image:
    """A linked program. `board` is the name of the one that it is for; None: it is native, a program of this machine.

    What is counted and profiled goes from address `entry` to `leave`; None: to where the call of `entry` returns.
    A sample is a flat record of `input_bytes`, an answer one of `output_bytes`; both are 0 where the program has a
    world of its own. `sections` that take memory: their bytes by name.
    """

    elf: Path
    board: str | None
    entry: int
    leave: int | None
    input_bytes: int
    output_bytes: int
    sections: Mapping[str, int]
    symbols: Mapping[str, Symbol]

    @property
    def native(self) -> bool:
        return self.board is None
