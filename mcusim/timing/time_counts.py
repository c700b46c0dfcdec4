"""Counts + ELF file -> Timing: recorded for `mcusim profile`, priced for the board, kept for flame graphs."""

import math
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.counts import Counts
from mcusim.timing import stacks
from mcusim.timing.parameters import CoreParameters
from mcusim.timing.profile import Profile, energy_uwh, price_recording
from mcusim.timing.record import error_of, told_kinds
from mcusim.timing.recording import RECORDING, record, save
from mcusim.timing.timing import HOW, Cycles, Timing


def time_counts(counts: Counts, elf: Path, board: Board, folder: Path, parameters: CoreParameters) -> Timing:
    """What the counted samples of `elf` take at the board's clock. The recording and its stacks stay in `folder`.

    Raises DataError for a file that is no ELF, ConfigurationError when the chip does not run at that clock.
    """
    recording = record(counts, elf, board.name)
    save(recording, folder / RECORDING)
    priced = price_recording(recording, board.chip, board.clock_hz, parameters)
    stacks.save(stacks.by_line(priced, recording), folder / stacks.STACKS)
    return to_timing(priced, board, float(counts.instructions().mean()))


def to_timing(priced: Profile, board: Board, instructions: float) -> Timing:
    """The figures of a profile that a report keeps. `instructions`: mean of the same samples."""
    shortest, longest = math.floor(priced.cycles.min()), math.ceil(priced.cycles.max())
    kinds = priced.work.kinds()
    error = error_of(kinds, board.chip)
    known, unknown = (None, error) if isinstance(error, str) else (error, None)
    return Timing(
        cycles=Cycles(
            round(priced.mean, 1), shortest, longest, len(priced.cycles), HOW, told_kinds(kinds), known, unknown
        ),
        latency_ms=round(priced.latency_ms, 6),
        energy_uwh=round(energy_uwh(priced.mean, board, priced.clock_hz), 9),
        function_cycles=priced.inclusive,
        cycles_per_instruction=priced.mean / instructions,
        each=tuple(priced.cycles.tolist()),
    )
