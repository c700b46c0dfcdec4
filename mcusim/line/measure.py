"""Execution + labels + Program + Firmware -> Measurements: what the outputs and counts of a run are worth.

`expected` is `Graph.run()` of the same samples: the firmware should have computed exactly that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.line.build import RomBytes
from mcusim.numbers.power_of_two import Array, decode
from mcusim.system.errors import DataError

if TYPE_CHECKING:
    from mcusim.datasets.dataset import Dataset
    from mcusim.engines.engine import Execution
    from mcusim.graph import Graph
    from mcusim.line.build import Firmware
    from mcusim.line.lower import Program, Step

LARGEST_CONFUSION = 256  # classes; a larger matrix would be most of the report


@dataclass(frozen=True)
class Instructions:
    """Executed inside cnn() for one sample, over the samples."""

    mean: float
    min: int
    max: int


@dataclass(frozen=True)
class Cycles:
    """CPU cycles for one sample, over `samples` of them. `how`: modelled, measured (on silicon) or counted."""

    mean: float
    min: int
    max: int
    samples: int
    how: str


@dataclass(frozen=True)
class RamBytes:
    """`arena`: the model's buffers; `static`: other variables; `stack`: its deepest use. None where nobody looked."""

    arena: int
    static: int
    stack: int | None
    total: int | None


@dataclass(frozen=True)
class Mismatch:
    """The first output that is not the expected one. Integers are the raw numbers; None stands for NaN or infinity."""

    sample: int
    output: int
    expected: int | float | None
    got: int | float | None


@dataclass(frozen=True)
class LayerFigures:
    """One layer of the program. Cycles are None until somebody counts them."""

    name: str
    kind: str
    macs: int
    cycles: float | None = None
    cycles_per_mac: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class Timing:
    """What a run takes in time: of one sample, and of each function of the model with those that it calls."""

    cycles: Cycles
    latency_ms: float
    energy_uwh: float
    function_cycles: Mapping[str, float]
    cycles_per_instruction: float


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Figures of one run; None where the engine cannot know. docs/report.md tells unit and origin of each."""

    samples: int = 0
    complete: bool = False
    accuracy: float | None = None
    mismatches: int | None = None
    first_mismatch: Mismatch | None = None
    output_difference_max: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    instructions: Instructions | None = None
    cycles: Cycles | None = None
    latency_ms: float | None = None
    energy_uwh: float | None = None
    rom_bytes: RomBytes | None = None
    ram_bytes: RamBytes | None = None
    arena_bytes: int | None = None
    arena_lower_bound_bytes: int | None = None
    arena_buffers_bytes: int | None = None
    layers: tuple[LayerFigures, ...] = ()
    wall_s: float | None = None
    emulated_mips: float | None = None


def check_fits(graph: Graph, dataset: Dataset) -> None:
    """DataError when the model takes other samples, or tells other classes apart, than the data set has."""
    hint = "check the data set, or choose the model that was trained on it"
    if graph.input_shape != dataset.shape:
        have = f"samples of data set {dataset.name!r} have shape {dataset.shape}"
        raise DataError(f"{have}, model {graph.name!r} takes {graph.input_shape}", hint=hint)
    if graph.output.elements != len(dataset.classes):
        have = f"data set {dataset.name!r} has {len(dataset.classes)} classes"
        raise DataError(f"{have}, model {graph.name!r} tells {graph.output.elements} apart", hint=hint)


def accuracy(outputs: Array, labels: Array) -> float:
    """Share of samples whose largest output is that of the label; of equal outputs the first counts."""
    return float(np.mean(decide(outputs) == labels)) if len(labels) else 0.0


def decide(outputs: Array) -> Array:
    """Class of each sample (N, outputs) -> (N,). NaN never wins."""
    decided: Array = np.argmax(np.where(np.isnan(outputs), -np.inf, outputs), axis=1)
    return decided


def measure(
    execution: Execution,
    outputs: Array,
    labels: Array,
    program: Program,
    firmware: Firmware,
    expected: Array,
    positions: Array,
    timing: Timing | None = None,
) -> Measurements:
    """All figures of a run.

    `outputs` (finished samples, outputs) are the answers of `execution` as numbers.
    `labels` (N,), `expected` (N, outputs) and `positions` (N,) belong to the N samples that the engine was given;
    `positions` are their indices in the test set. After Ctrl-C only the finished ones count. `timing` is None where
    nobody knows time.
    """
    indices = execution.indices
    wrong, distance = compare(outputs, expected[indices], program)
    return Measurements(
        samples=len(outputs),
        complete=execution.complete,
        accuracy=accuracy(outputs, labels[indices]) if len(outputs) else None,
        mismatches=int(wrong.sum()),
        first_mismatch=_first(wrong, outputs, expected[indices], positions[indices]),
        output_difference_max=distance,
        confusion=_confusion(decide(outputs), labels[indices], outputs.shape[1]),
        instructions=_instructions(execution.instructions),
        rom_bytes=firmware.rom_bytes,
        ram_bytes=_ram(execution, firmware),
        arena_bytes=program.arena_bytes,
        arena_lower_bound_bytes=program.arena_lower_bound_bytes,
        arena_buffers_bytes=program.buffers_bytes,
        layers=tuple(_layer(step, timing) for step in program.layers),
        cycles=timing.cycles if timing else None,
        latency_ms=timing.latency_ms if timing else None,
        energy_uwh=timing.energy_uwh if timing else None,
        wall_s=round(execution.wall_s, 3),
        emulated_mips=None if execution.emulated_mips is None else round(execution.emulated_mips, 1),
    )


def _layer(step: Step, timing: Timing | None) -> LayerFigures:
    cycles = timing.function_cycles.get(step.function) if timing else None
    if timing is None or cycles is None:
        return LayerFigures(step.name, step.kind, step.macs)
    per_mac = round(cycles / step.macs, 4) if step.macs else None
    share = round(cycles / timing.cycles.mean, 6) if timing.cycles.mean else None
    return LayerFigures(step.name, step.kind, step.macs, round(cycles, 1), per_mac, share)


def compare(outputs: Array, expected: Array, program: Program) -> tuple[Array, float | None]:
    """Which samples are wrong (N,), and the largest difference of any output in real units, None when not finite.

    Integers are wrong when any element differs. Floats are wrong when another class is decided, or when an output is
    not finite where a finite one was expected: both sides round on their own.
    """
    if outputs.dtype.kind != "f":
        difference = _real(outputs, program) - _real(expected, program)
        return (outputs != expected).any(axis=1), float(np.abs(difference).max(initial=0.0))
    broken = np.isfinite(outputs) != np.isfinite(expected)
    wrong = (decide(outputs) != decide(expected)) | broken.any(axis=1)
    if broken.any() or not np.isfinite(expected).all():
        return wrong, None
    difference = outputs.astype(np.float64) - expected.astype(np.float64)
    return wrong, float(np.abs(difference).max(initial=0.0))


def _real(numbers: Array, program: Program) -> Array:
    assert program.output_format is not None
    return decode(numbers, program.output_format).astype(np.float64)


def _first(wrong: Array, outputs: Array, expected: Array, positions: Array) -> Mismatch | None:
    """Of the first wrong sample, the output that is furthest off (integers: the first that differs)."""
    if not wrong.any():
        return None
    row = int(np.argmax(wrong))
    got, want = outputs[row], expected[row]
    if outputs.dtype.kind != "f":
        column = int(np.argmax(got != want))
    else:
        with np.errstate(invalid="ignore"):
            off = np.abs(got.astype(np.float64) - want)
        column = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
    return Mismatch(int(positions[row]), column, _plain(want[column]), _plain(got[column]))


def _plain(number: Any) -> int | float | None:
    """A number as JSON has it."""
    value: int | float = number.item()
    return value if np.isfinite(value) else None


def _confusion(decided: Array, labels: Array, classes: int) -> tuple[tuple[int, ...], ...] | None:
    """Rows: the label. Columns: what was decided."""
    if classes > LARGEST_CONFUSION:
        return None
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, decided), 1)
    return tuple(tuple(row) for row in matrix.tolist())


def _instructions(counts: Array | None) -> Instructions | None:
    if counts is None or not len(counts):
        return None
    return Instructions(float(np.mean(counts, dtype=np.float64)), int(counts.min()), int(counts.max()))


def _ram(execution: Execution, firmware: Firmware) -> RamBytes | None:
    if firmware.ram_static_bytes is None or firmware.arena_bytes is None:
        return None
    used, stack = firmware.arena_bytes + firmware.ram_static_bytes, execution.stack_bytes
    return RamBytes(firmware.arena_bytes, firmware.ram_static_bytes, stack, None if stack is None else used + stack)
