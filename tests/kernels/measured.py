"""Kernels on an emulated board: what they answer, and the cycles of each layer under the timing model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.cores import core_of
from mcusim.engines.engine import numbers
from mcusim.engines.qemu import engine as qemu
from mcusim.graph import Graph, Layer
from mcusim.kernels import plain
from mcusim.kernels.kernel import DEFAULT, Inputs, Kernel, Variant
from mcusim.line.emit import emit_library
from mcusim.line.lower import Chosen, program_of, running_layers
from mcusim.program import Program, Step
from mcusim.system.arrays import Array
from mcusim.timing.profile import price_recording
from mcusim.timing.recording import Recording, executed
from mcusim.timing.source import functions_of
from mcusim.workloads.generated import make_firmware
from tests.jobs import run

CORE = "cortex-m4"


@dataclass(frozen=True)
class Measured:
    """`cycles` of each layer with all that it calls, for one sample."""

    program: Program
    answers: Array
    cycles: Mapping[str, float]
    rom_bytes: int


def forced(graph: Graph, kernel: Kernel, variant: Variant = DEFAULT) -> dict[str, Chosen]:
    """That kernel wherever it fits, and plain C elsewhere."""

    def one(layer: Layer, inputs: Inputs) -> Chosen:
        return (kernel, variant) if kernel.fits(layer, inputs) is None else (plain, DEFAULT)

    return {layer.name: one(layer, graph.inputs_of(layer)) for layer in running_layers(graph)}


def measure(
    graph: Graph,
    x: Array,
    folder: Path,
    chosen: Mapping[str, Chosen],
    board: str | Board = "nucleo_l452re_p",
    *,
    fast_ram_bytes: int | None = None,
) -> Measured:
    """On QEMU, every sample profiled. `fast_ram_bytes`: as of `program_of`."""
    there = load_board(board) if isinstance(board, str) else board
    program = program_of(graph, chosen, fast_ram_bytes)
    firmware = make_firmware(emit_library(program), qemu.FACTS, there, folder / "build")
    execution = run(qemu, firmware, there, graph.encode(x), folder / "run", profile=True)
    assert execution.complete and execution.counts is not None
    parameters = core_of(there.chip).TIMING
    assert parameters is not None and firmware.rom_bytes is not None
    # Without lines of the source: reading them takes half as long as the price.
    code, functions = executed(execution.counts, firmware.elf), functions_of(firmware.elf, execution.counts)
    recording = Recording(there.name, execution.counts, code, functions, lines=())
    priced = price_recording(recording, there.chip, there.clock_hz, parameters)
    # Of layers that are equal to the bit the compiler keeps one function.
    cycles = {step.name: priced.inclusive[step.function] for step in program.steps}
    answers = numbers(execution.answers, graph.answer_dtype)
    return Measured(program, answers, cycles, firmware.rom_bytes.total)


def differing(measured: Measured, graph: Graph, x: Array) -> int:
    """Samples that are not what `Graph.run` computes."""
    return int(np.sum(np.any(measured.answers != graph.run(x), axis=-1)))


def assert_priced(told_and_measured: Iterable[tuple[float, float]], within: float = 0.05, cycles: float = 100) -> None:
    """Prices are that near, or within so many cycles; one of all may be off twice as many percent."""
    far = [(told, own) for told, own in told_and_measured if abs(told - own) > max(within * own, cycles)]
    assert len(far) <= 1, far
    assert all(abs(told - own) <= 2 * within * own for told, own in far), far


def misplaced(program: Program, step: Step) -> bool:
    """Is an input not at a whole word, as one of several inputs of a model may be?"""
    start, places = 0, {}
    for tensor in program.inputs:
        places[tensor.name] = start
        start += tensor.elements * tensor.dtype.itemsize
    where = [places[place.name] if place.region == "input" else place.offset_bytes for place in step.sources]
    return any(place % 4 for place in where)
