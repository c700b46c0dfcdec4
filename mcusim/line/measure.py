"""Execution + labels + Program + Firmware -> Measurements: what the outputs and counts of a run are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mcusim.line.build import Firmware, RomBytes
from mcusim.line.score import Scored, Wanted, score
from mcusim.program import Buffer, Program, Step
from mcusim.system.arrays import Array
from mcusim.system.elf import Symbol
from mcusim.system.records import fields_of
from mcusim.timing.timing import Cycles, Timing

if TYPE_CHECKING:
    from mcusim.engines.engine import Execution


@dataclass(frozen=True)
class Instructions:
    """Executed inside cnn() for one sample, over the samples."""

    mean: float
    min: int
    max: int


@dataclass(frozen=True)
class RamBytes:
    """`arena`: the model's buffers; `static`: other variables; `stack`: its deepest use. None where nobody looked."""

    arena: int
    static: int
    stack: int | None
    total: int | None


@dataclass(frozen=True)
class LayerFigures:
    """One layer of the program. Cycles are None until somebody counts them."""

    name: str
    kind: str
    macs: int
    kernel: str = "plain"
    variant: str | None = None
    data_type: str | None = None
    numbers: str | None = None
    weight_numbers: str | None = None
    cycles: float | None = None
    cycles_per_mac: float | None = None
    share: float | None = None
    code_bytes: int | None = None
    weight_bytes: int | None = None

    def taking(self, cycles: float, whole: float) -> LayerFigures:
        """`whole`: cycles of the model."""
        per_mac = round(cycles / self.macs, 4) if self.macs else None
        share = round(cycles / whole, 6) if whole else None
        return replace(self, cycles=round(cycles, 3), cycles_per_mac=per_mac, share=share)


@dataclass(frozen=True)
class LayerRange:
    """Finite reals of the float model from `low` to `high`, and what the layer's numbers hold; None of reals.

    `beyond`: share of these reals that saturate, being more than half a step beyond. `so_far_db`: signal to noise
    behind this layer with it and all before it quantized; None where there is no noise, or no signal.
    """

    name: str
    low: float | None
    high: float | None
    holds_low: float | None
    holds_high: float | None
    beyond: float | None
    so_far_db: float | None


@dataclass(frozen=True)
class CascadeFigures:
    """Two `networks`, of which the second is asked where the first's margin is below `threshold`, in real units.

    `went_on`: the share of the test samples of which it was. Latencies are None where nobody knows time.
    """

    networks: tuple[str, ...]
    threshold: float
    went_on: float
    latency_p95_ms: float | None
    latency_worst_ms: float | None


@dataclass(frozen=True, kw_only=True)
class Measurements(Scored):
    """Figures of one run; None where the engine cannot know. docs/report.md tells unit and origin of each."""

    samples: int = 0
    complete: bool = False
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
    buffers: tuple[Buffer, ...] = ()
    wall_s: float | None = None
    emulated_mips: float | None = None


Known = TypeVar("Known", bound=Measurements)


def of_firmware(program: Program, firmware: Firmware, timing: Timing | None = None) -> Measurements:
    """What is the same whichever samples run. `timing` is None where nobody knows time."""
    return Measurements(
        rom_bytes=firmware.rom_bytes,
        ram_bytes=_ram(firmware),
        arena_bytes=program.arena_bytes,
        arena_lower_bound_bytes=program.arena_lower_bound_bytes,
        arena_buffers_bytes=program.buffers_bytes,
        layers=_layers(program, firmware, timing),
        buffers=program.buffers,
        cycles=timing.cycles if timing else None,
        latency_ms=timing.latency_ms if timing else None,
        energy_uwh=timing.energy_uwh if timing else None,
    )


def of_samples(
    before: Known, execution: Execution, answer: np.dtype[Any], wanted: Mapping[str, Wanted], positions: Array
) -> Known:
    """`before`, and what the samples tell that an engine was given. `answer`: the type of one, as the firmware has it.

    `wanted` tells of each output by name what it should answer. It and `positions` belong to these N samples;
    `positions` are their indices in the test set. After Ctrl-C only the finished ones count.
    """
    from mcusim.engines.engine import numbers  # which knows all engines; who reads a report needs none

    finished, ram, stack = execution.indices, before.ram_bytes, execution.stack_bytes
    of_finished = {name: entry.at(finished) for name, entry in wanted.items()}
    scored = score(fields_of(numbers(execution.answers, answer)), of_finished, positions[finished])
    return replace(
        before,
        **vars(scored),
        samples=len(finished),
        complete=execution.complete,
        instructions=_instructions(execution.instructions),
        ram_bytes=ram and replace(ram, stack=stack, total=None if stack is None else ram.arena + ram.static + stack),
        wall_s=round(execution.wall_s, 3),
        emulated_mips=None if execution.emulated_mips is None else round(execution.emulated_mips, 1),
    )


def _layers(program: Program, firmware: Firmware, timing: Timing | None) -> tuple[LayerFigures, ...]:
    found, counted = [], set[str]()
    for step in program.steps:
        layer = _layer(step, timing)
        if firmware.rom_bytes is not None:
            code, weights = _sizes(step, firmware.image.symbols, counted)
            layer = replace(layer, code_bytes=code, weight_bytes=weights)
        found.append(layer)
    return tuple(found)


def _sizes(step: Step, symbols: Mapping[str, Symbol], counted: set[str]) -> tuple[int, int]:
    """Bytes of code and of constants. What several layers share is of the first: `counted` has what others have."""
    code = {step.function, *(routine.name for routine in step.code.routines)} - counted
    counted |= code
    arrays = (f"{step.function}_{constant.role}" for constant in step.code.constants)
    of_code, of_arrays = ([symbols[name].size for name in names if name in symbols] for names in (code, arrays))
    return sum(of_code), sum(of_arrays)


def _layer(step: Step, timing: Timing | None) -> LayerFigures:
    known = LayerFigures(
        name=step.name,
        kind=step.kind,
        macs=step.macs,
        kernel=step.kernel,
        variant=step.variant or None,
        data_type=step.data_type,
        numbers=str(step.numbers) if step.numbers else None,
        weight_numbers=str(step.weight_numbers) if step.weight_numbers else None,
    )
    cycles = timing.function_cycles.get(step.function) if timing else None
    if timing is None or cycles is None:
        return known
    return known.taking(cycles, timing.cycles.mean)


def _instructions(counts: Array | None) -> Instructions | None:
    if counts is None or not len(counts):
        return None
    return Instructions(float(np.mean(counts, dtype=np.float64)), int(counts.min()), int(counts.max()))


def _ram(firmware: Firmware) -> RamBytes | None:
    if firmware.ram_static_bytes is None or firmware.arena_bytes is None:
        return None
    return RamBytes(firmware.arena_bytes, firmware.ram_static_bytes, None, None)
