"""What an engine is: a module that says what it can do, runs an image over samples, and says what it saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board, MemoryMap
from mcusim.engines.counts import Counts
from mcusim.system.arrays import Array
from mcusim.system.errors import EngineError, McusimError, MissingToolError
from mcusim.system.image import Image
from mcusim.system.progress import Listener, Progress
from mcusim.system.tool import Tool

Records = npt.NDArray[np.uint8]  # (samples, bytes of one): raw numbers, as the firmware has them in memory
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Facts:
    """What an engine is and can do. Whoever has to choose or to prepare asks these, nobody its name.

    `title` is the name that its users know. `transport`: how samples get in, codegen/harness/transport_<transport>.c.
    `memory_map`: what an image is linked for, so that it runs here; None: images are programs of this machine, on no
    board. `measures`: what it can honestly give, of outputs, instructions, cycles, rom, ram, stack.
    `profiles`: does it give Counts? `foreign`: does it run, and profile, any firmware for the board? `has_registers`:
    are those that start-up code sets there?
    `serial`: does it give a foreign firmware serial input?
    `silicon`: does it run on a real board, of the hardware map? Then cycles are measured, and nothing of it is kept for
    later runs.
    `install`, where no package manager has it: fetches it, again when told so, tells what came out of it, and the
    Listener how far it is. Raises MissingToolError.
    """

    name: str
    title: str
    summary: str
    transport: str
    memory_map: Callable[[Board], MemoryMap] | None
    measures: frozenset[str]
    profiles: bool = False
    foreign: bool = False
    has_registers: bool = True
    serial: bool = False
    silicon: bool = False
    install: Callable[[bool, Tell, Listener], None] | None = None

    @property
    def needs_board(self) -> bool:
        return self.memory_map is not None


@dataclass(frozen=True)
class SerialInput:
    """What a firmware receives, `sent` to it once it has said `after`: nothing: from the start."""

    sent: bytes
    after: bytes = b""


@dataclass(frozen=True)
class Job:
    """What an engine is asked to run: an image, over `samples` (N, image.input_bytes), in a new folder below `folder`.

    `board`: None for a native image. `stall_s`: how long an answer may take, of a foreign image a measured call.
    `cycles_per_instruction`: how fast the cycle counter and SysTick go on, where an engine emulates them.
    `cycle_counter`: shall the firmware read its own around each sample? That takes longer than a small model.

    `profile`: count blocks, edges and, unless `replay` is off, what caches and slow memory do, which the chip's
    [timing] describes. It is slower, and done for a few samples. `calls`: a foreign image is left after so many
    measured calls; 0 lets it run to its end. `tell` hears every few seconds what a foreign one does.
    `serial`: what a foreign image receives, in an engine whose FACTS say that it does.
    `hardware`: the map of real boards, None: the user's; `wait_s`: how long to wait for one that another run has.
    """

    image: Image
    samples: Records
    folder: Path
    board: Board | None = None
    stall_s: float = 60.0
    progress: Progress | None = None
    cycles_per_instruction: float | None = None
    cycle_counter: bool = False
    profile: bool = False
    replay: bool = True
    calls: int = 0
    serial: SerialInput | None = None
    tell: Tell | None = None
    hardware: Path | None = None
    wait_s: float = 0.0


@dataclass(frozen=True)
class LayerSums:
    """What the cycle counter went on by in `samples`: in each of the `layers`, and while it was read between, `marks`.

    Of each gap between two of these as much as `nothing` is not a layer's. (codegen/harness/layers.h)
    """

    samples: int
    marks: int
    nothing: int
    layers: tuple[int, ...]

    def plus(self, other: LayerSums, sign: int = 1) -> LayerSums:
        """Of the samples of both; with the other sign, of those that the other has not."""
        layers = tuple(one + sign * two for one, two in zip(self.layers, other.layers, strict=True))
        samples, marks = self.samples + sign * other.samples, self.marks + sign * other.marks
        return LayerSums(samples, marks, self.nothing + sign * other.nothing, layers)

    @property
    def cycles(self) -> tuple[float, ...]:
        """Of each layer, in the mean; of at least one sample."""
        return tuple(max(0, cycles - self.nothing) / self.samples for cycles in self.layers)

    @property
    def reading(self) -> float:
        """What it takes of a sample: `nothing` is the call of a mark, and there are two marks more than layers."""
        return (self.marks + (len(self.layers) + 2) * self.nothing) / self.samples


@dataclass(frozen=True)
class Silicon:
    """What real boards told besides answers.

    `boards`: their ids in the hardware map. `clock_hz`: id and clock of each whose clock was measured.
    `cold_cycles`: the cycle counter around the first call after a start of each, that was made again to be counted.
    `window_cycles`: what it goes on by around an empty model. `power_w`: what a board takes, by a meter if `metered`,
    else by its file; `energy_j`: of a run of the model, where a pin told the meter when. `emulated`: was a board none?
    Then nothing was measured on silicon. `layers`: of firmware that reads the counter between them.
    """

    boards: tuple[str, ...] = ()
    clock_hz: tuple[tuple[str, float], ...] = ()
    cold_cycles: tuple[int, ...] = ()
    window_cycles: int | None = None
    power_w: float = 0.0
    metered: bool = False
    energy_j: float | None = None
    emulated: bool = False
    layers: LayerSums | None = None


@dataclass(frozen=True)
class Execution:
    """What was seen.

    `answers`: (finished samples, image.output_bytes), rows in the order of `indices`.
    `indices`: which samples were finished, ascending; all of them when `complete`, fewer after Ctrl-C or `trouble`,
    which ended real boards: what they had answered is kept.
    `instructions`: executed inside cnn() in each of these samples, from its first instruction to its return; None when
    the engine does not count. `total_instructions`: of the whole run with the harness (start-up may count a few extra).
    `wall_s` is the time from the first process started to the last one ended, `emulated_mips` their ratio.
    `stack_bytes` is the deepest use of the stack in any process. `notes` are what a reader of the report should know.
    `cycle_counter`: what it went on by around each sample, as the firmware read it; None when nobody asked.
    `counts`: of a job that asked to profile. `cached`: is it what an earlier run saw? `silicon`: of real boards only.
    """

    answers: Records
    indices: npt.NDArray[np.int64]
    wall_s: float
    engine: str
    engine_version: str
    complete: bool = True
    instructions: npt.NDArray[np.uint64] | None = None
    total_instructions: int = 0
    emulated_mips: float | None = None
    stack_bytes: int | None = None
    notes: tuple[str, ...] = ()
    cycle_counter: npt.NDArray[np.uint64] | None = None
    counts: Counts | None = None
    cached: bool = False
    silicon: Silicon | None = None
    trouble: McusimError | None = None


class LacksMemoryError(EngineError):
    """It stands in for the board, but has not the memory that the image needs: another engine may have it."""


class Ready(Protocol):
    """An open engine."""

    def run(self, job: Job) -> Execution:
        """Runs all samples of `job`. Answers and counts are the same for any number of processes.

        Ctrl-C ends the processes and gives what is finished; a profile is whole, or KeyboardInterrupt is raised.
        Raises EngineError when the firmware faults, answers nothing for `stall_s` seconds or ends without its last
        record, or when the image is not for this engine and board.
        """


class Engine(Protocol):
    """A module with these names."""

    FACTS: Facts

    def missing(self) -> MissingToolError | None:
        """Why it cannot run here, or None."""

    def version(self) -> str:
        """Version of what executes the firmware. Raises MissingToolError when that is not installed."""

    def tools(self) -> Iterable[Tool]:
        """What it needs of this machine, for `mcusim doctor`. Starts nothing for what is not there."""

    def open(self, jobs: int) -> AbstractContextManager[Ready]:
        """It runs a job in up to `jobs` processes at once, and jobs one after the other.

        What outlives a job, as a warm emulator or an open port, begins here or with the first job, and ends with the
        context.
        """


def own_memory(board: Board) -> MemoryMap:
    """`Facts.memory_map` of an engine that has all memory of the board's chip."""
    return board.memory


def records(numbers: npt.NDArray[np.generic]) -> Records:
    """Samples (N, ..) of numbers -> (N, bytes of one): a sample is one flat record."""
    flat = np.ascontiguousarray(numbers)
    return flat.reshape(len(flat), -1).view(np.uint8) if flat.size else no_samples()


def numbers(records: Records, dtype: np.dtype[Any]) -> Array:
    """Inverse of `records`. `dtype`: of one sample or answer."""
    return np.frombuffer(records.tobytes(), dtype) if len(records) else np.empty(0, dtype)


def no_samples() -> Records:
    """For a firmware with a world of its own."""
    return np.empty((0, 0), np.uint8)
