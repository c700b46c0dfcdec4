"""What a core is: a module that says how code for it is compiled and protected, what its faults mean, what it takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from mcusim.boards.board import MemoryMap
from mcusim.system.errors import EngineError
from mcusim.system.image import Image
from mcusim.system.toolchain import Toolchain
from mcusim.timing.parameters import CoreParameters


class Core(Protocol):
    """A module with these names.

    `COMPILER`: what people call that which compiles for it. `CHIPS`: (core, fpu) as the files of chips spell them.
    `HARNESS`: folder below codegen/harness with what starts it, calls the model and catches faults. `TIMING`: None when
    nobody knows its cycles.
    """

    NAME: str
    COMPILER: str
    CHIPS: tuple[tuple[str, str | None], ...]
    HARNESS: str
    TIMING: CoreParameters | None

    def toolchain(self) -> Toolchain:
        """Raises MissingToolError when it is not installed."""

    def memory_protection(self, memory: MemoryMap, board: str) -> Mapping[str, str]:
        """Headers, by name, from which the harness of a firmware for `memory` takes what it may do where.

        `board` is named in a comment. Raises ConfigurationError when the core cannot protect such a map.
        """

    def explain_fault(
        self, record: bytes, image: Image, memory: MemoryMap, first_sample: int, folder: Path, told: str | None = None
    ) -> EngineError | None:
        """What `image` did wrong, in which sample and line. None when `record` is not a whole fault record.

        The run is kept in `folder` and began with `first_sample`. `told`: the cause, when an emulator knows it better.
        """

    def locate(self, image: Image, address: int) -> str:
        """Function, file and line of an address in the code."""

    def program_counter(self, dump: str) -> int | None:
        """That of the last register dump in QEMU's log."""
