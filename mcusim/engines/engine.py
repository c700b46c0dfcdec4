"""What an engine is: a module that runs a firmware over samples and says what it saw, uninterpreted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines.counts import Counts
from mcusim.line.build import Firmware
from mcusim.system.errors import MissingToolError
from mcusim.system.progress import Progress as Progress  # noqa: PLC0414  (engines import it from here)


@dataclass(frozen=True)
class Execution:
    """What was seen.

    `outputs`: raw numbers, (finished samples, output elements), rows in the order of `indices`.
    `indices`: which samples were finished, ascending; all of them when `complete`, fewer after Ctrl-C.
    `instructions`: executed inside cnn() in each of these samples, from its first instruction to its return; None when
    the engine does not count. `total_instructions`: of the whole run with the harness (start-up may count a few extra).
    `wall_s` is the time from the first process started to the last one ended, `emulated_mips` their ratio.
    `stack_bytes` is the deepest use of the stack in any process. `notes` are what a reader of the report should know.
    `cycle_counter`: what DWT_CYCCNT went on by around each sample, as the firmware read it; None when nobody asked.
    """

    outputs: npt.NDArray[np.generic]
    indices: npt.NDArray[np.int64]
    instructions: npt.NDArray[np.uint64] | None
    total_instructions: int
    wall_s: float
    emulated_mips: float | None
    stack_bytes: int | None
    engine: str
    engine_version: str
    complete: bool
    notes: tuple[str, ...]
    cycle_counter: npt.NDArray[np.uint64] | None = None


class Profiler(Protocol):
    def __call__(
        self,
        firmware: Firmware,
        board: Board,
        inputs: npt.NDArray[np.generic],
        *,
        folder: Path,
        jobs: int,
        progress: Progress | None = None,
    ) -> Counts:
        """Counts of each of `inputs` inside cnn(), the same for any number of jobs.

        Raises EngineError as the engine does, KeyboardInterrupt after Ctrl-C.
        """


class Engine(Protocol):
    """A module with these names.

    `MEASURES`: what it can honestly give, of outputs, instructions, cycles, rom, ram, stack.
    """

    NAME: str
    MEASURES: frozenset[str]

    def missing(self) -> MissingToolError | None:
        """Why it cannot run here, or None."""

    def version(self) -> str:
        """Version of what executes the firmware. Raises MissingToolError when that is not installed."""

    def run(
        self,
        firmware: Firmware,
        board: Board,
        inputs: npt.NDArray[np.generic],
        output_dtype: np.dtype[np.generic],
        output_elements: int,
        *,
        folder: Path,
        jobs: int,
        stall_s: float = 60.0,
        progress: Progress | None = None,
        cycles_per_instruction: float | None = None,
    ) -> Execution:
        """Runs all of `inputs` (samples, ...), raw numbers of the firmware, in `jobs` processes below `folder`.

        `cycles_per_instruction`: how fast the cycle counter and SysTick go on, where an engine emulates them.

        `progress` is told the samples done, about five times a second.

        Outputs and counts are the same for any number of jobs. Ctrl-C ends the processes and gives what is finished.
        Raises EngineError when the firmware faults, answers nothing for `stall_s` seconds or ends without its last
        record.
        """
