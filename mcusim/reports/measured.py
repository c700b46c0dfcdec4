"""Runs of the same work -> how far the model was from what a board counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mcusim.reports.report import Run
from mcusim.timing.timing import HOW


class Pair(NamedTuple):
    """The same model, on the same board: priced by the model, and counted by the board (or what stood in for it)."""

    modelled: Run
    counted: Run

    @property
    def error_pct(self) -> float | None:
        """Above 0 where the model is too slow; None of a board that counted nothing."""
        first, second = self.modelled.cycles, self.counted.cycles
        return 100 * (first.mean / second.mean - 1) if first and second and second.mean else None

    def __str__(self) -> str:
        first, second = self.modelled.cycles, self.counted.cycles
        assert first and second
        error = self.error_pct
        far = f", the model is off by {error:+.2f} %" if error is not None else ""
        cold = f" ({second.first:,} in the first call, with cold caches)" if second.first else ""
        told = f"{first.mean:,.0f} {first.how} by {self.modelled.engine}, {second.mean:,.0f} {second.how}"
        return f"cycles: {told} by {self.counted.engine}{cold}{far}"


def pairs(runs: Sequence[Run]) -> Iterator[Pair]:
    """Each run that a board counted, with the first that is modelled of the same work."""
    modelled: dict[tuple[object, ...], Run] = {}
    for run in runs:
        if run.cycles and run.cycles.how == HOW:
            modelled.setdefault(_work(run), run)
    for run in runs:
        if not run.error and run.cycles and run.cycles.how != HOW and (first := modelled.get(_work(run))):
            yield Pair(first, run)


def _work(run: Run) -> tuple[object, ...]:
    return run.model, run.repeat, run.type_label, run.board
