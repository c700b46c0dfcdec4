"""Counts + ELF file -> Timing: recorded for `mcusim profile`, priced for the board."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcusim.boards.board import Board
from mcusim.line.measure import Cycles, Timing
from mcusim.timing.counts import Counts
from mcusim.timing.parameters import CoreParameters
from mcusim.timing.profile import HOW, Profile, energy_uwh, price_recording
from mcusim.timing.recording import record, save

RECORDING = "profile.json"


def time_counts(counts: Counts, elf: Path, board: Board, folder: Path, parameters: CoreParameters) -> Timing:
    """What the counted samples of `elf` take at the board's clock. The recording stays in `folder`.

    Raises DataError for a file that is no ELF, ConfigurationError when the chip does not run at that clock.
    """
    recording = record(counts, elf, board.name)
    save(recording, folder / RECORDING)
    instructions = float(counts.instructions().mean())
    return to_timing(price_recording(recording, board.chip, board.clock_hz, parameters), board, instructions)


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
