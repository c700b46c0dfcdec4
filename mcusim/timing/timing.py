"""Firmware + a few samples -> Timing: profiled in an engine, priced for the board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines.engine import Profiler, Progress
from mcusim.line.build import Firmware
from mcusim.line.measure import Cycles, Timing
from mcusim.timing.profile import HOW, Profile, energy_uwh, price_recording
from mcusim.timing.recording import record, save

RECORDING = "profile.json"


def time_firmware(
    firmware: Firmware,
    board: Board,
    inputs: npt.NDArray[np.generic],
    folder: Path,
    jobs: int,
    progress: Progress | None,
    profiler: Profiler,
) -> Timing:
    """Cycles of each of `inputs` at the board's clock. The recording stays in `folder`, for `mcusim profile`.

    Raises EngineError as the engine of `profiler` does, KeyboardInterrupt after Ctrl-C.
    """
    counts = profiler(firmware, board, inputs, folder=folder, jobs=jobs, progress=progress)
    recording = record(counts, firmware.elf, board.name)
    save(recording, folder / RECORDING)
    instructions = float(counts.instructions().mean())
    return to_timing(price_recording(recording, board.chip, board.clock_hz), board, instructions)


def to_timing(priced: Profile, board: Board, instructions: float) -> Timing:
    """The figures of a profile that a report keeps. `instructions`: mean of the same samples."""
    whole = np.rint(priced.cycles).astype(np.int64)
    return Timing(
        cycles=Cycles(round(priced.mean, 1), int(whole.min()), int(whole.max()), len(whole), HOW),
        latency_ms=round(priced.latency_ms, 6),
        energy_uwh=round(energy_uwh(priced.mean, board, priced.clock_hz), 9),
        function_cycles=priced.inclusive,
        cycles_per_instruction=priced.mean / instructions,
    )
