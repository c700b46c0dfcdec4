"""Execution -> cycles, latency and energy as a board counted them, with its own clock held against this machine's."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcusim.engines.engine import Execution, Silicon
from mcusim.line.measure import LayerFigures
from mcusim.reports.report import Run
from mcusim.system.errors import EngineError
from mcusim.timing.timing import COUNTED, MEASURED, Cycles

READ_BETWEEN = "its firmware reads the counter between layers: ROM, RAM and stack hold that, cycles do not"
BY_PIN, BY_REPEATS = "pin", "repeats"
FARTHEST = 0.03  # of a clock from that of the board's file: an RC oscillator is within 1 %, another clock is a mistake


def with_silicon(run: Run, execution: Execution) -> Run:
    """`run`, and what real boards told of time; as it is where no such board ran it.

    What stands in for a board counts, but measures nothing. Raises EngineError for a clock that is not the board's.
    """
    silicon, counted = execution.silicon, execution.cycle_counter
    if silicon is None:
        return run
    if counted is None or not len(counted):
        why = "no board's cycle counter was read"
        return replace(run, no_cycles=why, clock_hz_measured=_clock_hz(silicon, run))
    window = round((silicon.window_cycles or 0) + (silicon.layers.reading if silicon.layers else 0.0))
    cycles = np.maximum(counted.astype(np.int64) - window, 0)
    of_model = Cycles(
        mean=round(float(cycles.mean()), 1),
        min=int(cycles.min()),
        max=int(cycles.max()),
        samples=len(cycles),
        how=COUNTED if silicon.emulated else MEASURED,
        first=max(max(silicon.cold_cycles) - window, 0) if silicon.cold_cycles else None,
        window=window or None,
    )
    layers = _by_layer(run.layers, silicon.layers.cycles) if silicon.layers else run.layers
    run = replace(run, no_cycles=None, cycles=of_model, layers=layers, notes=(*run.notes, *_notes(silicon)))
    return _in_time(run, of_model, silicon)


def _by_layer(layers: Sequence[LayerFigures], cycles: Sequence[float]) -> tuple[LayerFigures, ...]:
    """In the order in which they run, as the marks between them stand."""
    whole = sum(cycles)
    return tuple(layer.taking(own, whole) for layer, own in zip(layers, cycles, strict=True))


def _in_time(run: Run, cycles: Cycles, silicon: Silicon) -> Run:
    measured_hz = _clock_hz(silicon, run)
    clock_hz = measured_hz or run.clock_hz
    if not clock_hz:
        return run
    seconds = cycles.mean / clock_hz
    windowed, measured = silicon.energy_j is not None, silicon.metered and not silicon.emulated
    energy_j = seconds * silicon.power_w if silicon.energy_j is None else silicon.energy_j
    return replace(
        run,
        clock_hz_measured=measured_hz,
        latency_ms=round(seconds * 1e3, 6),
        energy_uwh=round(energy_j / 3600 * 1e6, 9),
        energy_how=MEASURED if measured else None,
        energy_window=(BY_PIN if windowed else BY_REPEATS) if measured else None,
    )


def _clock_hz(silicon: Silicon, run: Run) -> int | None:
    """The mean of the boards' own; None where nobody measured any."""
    if not silicon.clock_hz:
        return None
    nominal = run.clock_hz or 0
    for board, clock_hz in silicon.clock_hz:
        if abs(clock_hz - nominal) > FARTHEST * nominal:
            far = f"{100 * (clock_hz / nominal - 1):+.1f} %" if nominal else "none"
            what = f"the core runs at {clock_hz / 1e6:.3f} MHz, and its file says {nominal / 1e6:g} ({far})"
            hint = "is it the board that the map says? else correct start_up or clock_hz in the board's file"
            raise EngineError(what, where=f"board {board!r}", hint=hint)
    return round(sum(hz for _, hz in silicon.clock_hz) / len(silicon.clock_hz))


def _notes(silicon: Silicon) -> tuple[str, ...]:
    notes = [READ_BETWEEN] if silicon.layers else []
    if silicon.emulated:
        return tuple(notes)
    if not silicon.clock_hz:
        notes.append("the clock of the board was not measured: latency is at the one of its file")
    return (*notes, f"measured on {', '.join(silicon.boards)}")
