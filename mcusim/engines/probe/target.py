"""What a debug probe can do with a board, whoever speaks to it. Every wait has a limit, and ends when it is told to."""

from collections.abc import Callable
from typing import Protocol

from mcusim.engines.hardware.run_on import BoardTrouble

Stop = Callable[[], bool]
LOOK_S = 0.25  # so often a wait asks whether it is still wanted
ANSWER_S = 10.0  # the longest that a probe takes for a piece of memory, or to stop the core


class Refused(BoardTrouble):
    """The probe cannot do that at this address: nothing is there, or it is protected."""


class Target(Protocol):
    """A board behind a probe, whose core is halted at first.

    `kind`: of what speaks to the probe, as the hardware map calls it. `reads_running`: may memory be read while the
    core runs? `emulator`: there is no board, and its time is not real.
    All methods raise BoardTrouble (Refused: for an address) or Stopped.
    """

    kind: str
    title: str
    version: str
    reads_running: bool
    emulator: bool

    def read(self, address: int, count: int) -> bytes:
        """Memory or registers of the chip."""

    def write(self, address: int, data: bytes) -> None:
        """RAM, or registers in whole words."""

    def same(self, address: int, data: bytes) -> bool:
        """Does memory hold these bytes?"""

    def load(self, pieces: list[tuple[int, bytes]]) -> None:
        """Erases and programs flash, whole pages of it."""

    def reset(self, vectors: int) -> None:
        """The core waits behind a reset. `vectors`: where it looks for its first two."""

    def break_at(self, address: int) -> bool:
        """Stop there from now on; False when no hardware breakpoint can be had."""

    def go(self) -> None:
        """From where the core stopped, also when that is a breakpoint."""

    def halt(self) -> None: ...

    def stopped(self, limit_s: float) -> bool:
        """Waits until the core has stopped by itself. False: not within the limit."""

    def program_counter(self) -> int:
        """Of a halted core."""

    def close(self) -> None:
        """Leaves the board alone, as it is. Never raises."""
