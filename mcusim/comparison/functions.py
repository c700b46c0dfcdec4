"""Recordings of two runs -> FunctionChanges: where cycles went that are others now."""

import os
from collections.abc import Mapping

from mcusim.comparison.comparison import FunctionChange
from mcusim.comparison.pairs import Pair, Place
from mcusim.system.errors import McusimError

_SAME_CYCLES = 1e-6


def function_changes(pair: Pair) -> tuple[FunctionChange, ...]:
    """The largest first; none where a recording is not there, or cannot be priced here."""
    if pair.one is None or pair.other is None:
        return ()
    before, after = _priced(pair.one), _priced(pair.other)
    if before is None or after is None:
        return ()
    every = [FunctionChange(name, before.get(name, 0.0), after.get(name, 0.0)) for name in {**after, **before}]
    moved = [change for change in every if abs(change.head - change.base) > _SAME_CYCLES]
    return tuple(sorted(moved, key=lambda change: -abs(change.head - change.base)))


def _priced(place: Place) -> Mapping[str, float] | None:
    """Cycles of each function at the clock of the run."""
    from mcusim.boards.load import load_board
    from mcusim.cores import core_of
    from mcusim.timing.load_recording import load
    from mcusim.timing.profile import price_recording
    from mcusim.timing.recording import RECORDING

    path = place.folder / place.run.id / RECORDING
    if "/" in place.run.id or not os.path.isfile(path):
        return None
    try:
        recording = load(path)
        board = load_board(recording.board)
        parameters = core_of(board.chip).TIMING
        if parameters is None:
            return None
        clock_hz = place.run.clock_hz or board.clock_hz
        return price_recording(recording, board.chip, clock_hz, parameters).by_function
    except McusimError:
        return None
