"""Graph + board -> what kernels take there: built, run in QEMU on a few samples, priced by the timing model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.cores import core_of
from mcusim.engines.engine import Execution, Job, numbers, records
from mcusim.engines.qemu import engine as qemu
from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.line.build import Firmware
from mcusim.line.destination import destination_of
from mcusim.line.emit import emit_library
from mcusim.line.lower import lowered, options_of
from mcusim.line.select import Choice
from mcusim.line.within import within
from mcusim.program import Program
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from mcusim.timing.time_counts import time_counts
from mcusim.timing.timing import Timing
from mcusim.workloads.generated import make_firmware

ANY, PLAIN = Target(), Target(kernels=KernelChoice(default=("plain",)))


@dataclass(frozen=True)
class LayerRun:
    """One layer for one sample. `expected`: the cycles that the kernel's formula says, None where there is none.

    `cycles` are None where the compiler made one function of two equal ones, as it may of another library's calls.
    """

    name: str
    kernel: str
    macs: int
    cycles: float | None
    expected: float | None = None


@dataclass(frozen=True)
class Run:
    """One sample of a network. ROM and RAM are those of the firmware, harness and stack included.

    `answers` (samples, numbers) are those of the firmware. `compiler`: its version.
    """

    macs: int
    cycles: float
    clock_hz: int
    rom_bytes: int
    ram_bytes: int
    answers: Array
    layers: tuple[LayerRun, ...]
    compiler: str

    @property
    def latency_ms(self) -> float:
        return 1e3 * self.cycles / self.clock_hz

    @property
    def cycles_per_mac(self) -> float:
        return self.cycles / self.macs


@dataclass(frozen=True)
class Row:
    """One network in one data type on one board. What could not be run has `problem` in place of figures.

    `mismatches`: samples whose answer is not, number for number, that of `Graph.run`; of float32, whose sums numpy adds
    in another order, that of plain C. `library`: the same on the functions of another library, and the largest
    `difference` of one of its answers from `Graph.run`, in units of the last bit; rescaling rounds otherwise there.
    """

    network: str
    data_type: str
    board: Board
    ours: Run | None = None
    plain: Run | None = None
    mismatches: int = 0
    library: Run | None = None
    difference: float = 0.0
    problem: str = ""

    @property
    def speed_up(self) -> float:
        """How many times as long plain C takes."""
        assert self.ours and self.plain
        return self.plain.cycles / self.ours.cycles


def run_ours(graph: Graph, x: Array, board: Board, folder: Path, target: Target = ANY) -> Run:
    """With the kernels that `mcusim run` chooses for `target`, under its limits.

    Raises BuildError for what the board cannot hold, and for limits that nothing can meet.
    """

    def build(choice: Choice) -> tuple[Program, Firmware]:
        program = lowered(choice)
        return program, make_firmware(emit_library(program), qemu.FACTS, board, folder)

    options = options_of(graph, destination_of(board, target), target.kernels)
    choice = within(graph, options, board, target, build)
    program, firmware = build(choice)
    seen, timing = price(firmware, graph.encode(x), board, folder)
    cycles = timing.function_cycles
    layers = tuple(
        LayerRun(step.name, str(option), step.macs, cycles[step.function], option.cycles)
        for step in program.steps
        for option in [choice.selected[step.name]]
    )
    return run_of(graph, firmware, seen, timing, board, layers)


def _rom_bytes(firmware: Firmware) -> int:
    assert firmware.rom_bytes is not None
    return firmware.rom_bytes.total


def run_of(
    graph: Graph, firmware: Firmware, seen: Execution, timing: Timing, board: Board, layers: tuple[LayerRun, ...]
) -> Run:
    assert seen.stack_bytes is not None
    return Run(
        macs=graph.macs,
        cycles=timing.cycles.mean,
        clock_hz=board.clock_hz,
        rom_bytes=_rom_bytes(firmware),
        ram_bytes=(firmware.arena_bytes or 0) + (firmware.ram_static_bytes or 0) + seen.stack_bytes,
        answers=numbers(seen.answers, graph.answer_dtype),
        layers=layers,
        compiler=firmware.compiler,
    )


def price(firmware: Firmware, samples: Array, board: Board, folder: Path) -> tuple[Execution, Timing]:
    """Every one of `samples` (N, ...), raw numbers, is profiled.

    Raises ConfigurationError for a board whose core or chip has no timing model.
    """
    parameters = core_of(board.chip).TIMING
    if parameters is None or board.chip.timing is None:
        hint = "name another board, or give its chip a table [timing]: docs/timing.md"
        raise ConfigurationError(f"there is no timing model of board {board.name!r}", hint=hint)
    with qemu.open(1) as ready:
        seen = ready.run(Job(firmware.image, records(samples), folder, board, profile=True))
    if not seen.complete or seen.counts is None:
        raise KeyboardInterrupt
    return seen, time_counts(seen.counts, firmware.elf, board, folder, parameters)


def at_clock(board: Board, clock_hz: int | None) -> Board:
    """The board with another clock; its wait states follow from that."""
    return board if clock_hz is None else board.model_copy(update={"clock_hz": clock_hz})
