"""Recordings of two runs -> FunctionChanges: where cycles went that are others now."""

from collections.abc import Mapping

from mcusim.comparison.comparison import FunctionChange
from mcusim.comparison.pairs import Pair, Place
from mcusim.reports.beside import file_of
from mcusim.system.errors import McusimError

_SAME_CYCLES = 1e-6


def function_changes(pair: Pair) -> tuple[FunctionChange, ...]:
    """Of a pair whose cycles differ. The largest first; none where a recording is not there, or cannot be priced."""
    assert pair.one is not None and pair.other is not None
    before, after = _priced(pair.one), _priced(pair.other)
    if before is None or after is None:
        return ()
    every = [FunctionChange(name, before.get(name, 0.0), after.get(name, 0.0)) for name in {**after, **before}]
    moved = [change for change in every if abs(change.head - change.base) > _SAME_CYCLES]
    return tuple(sorted(moved, key=lambda change: -abs(change.head - change.base)))


def _priced(place: Place) -> Mapping[str, float] | None:
    """Cycles of each function at the clock of the run."""
    from mcusim.timing.of_run import priced
    from mcusim.timing.recording import RECORDING

    path = file_of(place.folder, place.run.id, RECORDING)
    try:
        return priced(path, place.run.clock_hz).profile.by_function if path else None
    except McusimError:
        return None
