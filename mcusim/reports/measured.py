"""Runs of the same work -> how far the model was from what a board counted."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mcusim.reports.report import Run
from mcusim.timing.timing import HOW

MOST_LAYERS = 12  # that are told


class Pair(NamedTuple):
    """The same model, on the same board: priced by the model, and counted by the board (or what stood in for it)."""

    modelled: Run
    counted: Run

    @property
    def error_pct(self) -> float | None:
        """Above 0 where the model is too slow; None of a board that counted nothing."""
        first, second = self.modelled.cycles, self.counted.cycles
        return 100 * (first.mean / second.mean - 1) if first and second and second.mean else None

    @property
    def layers(self) -> "tuple[LayerPair, ...]":
        """In the order in which they run; none where the counter was not read between them."""
        both = zip(self.modelled.layers, self.counted.layers, strict=False)
        return tuple(
            LayerPair(one.name, one.cycles, other.cycles)
            for one, other in both
            if one.name == other.name and one.cycles is not None and other.cycles is not None
        )

    @property
    def of_layers(self) -> str:
        """Of the longest ones; empty where nobody knows."""
        longest = sorted(self.layers, key=lambda layer: -layer.counted)[:MOST_LAYERS]
        told = [str(layer) for layer in self.layers if layer in longest]
        more = len(self.layers) - len(told)
        return (
            f"cycles by layer, modelled and counted: {'; '.join(told)}{f'; {more} more' if more else ''}"
            if told
            else ""
        )

    def __str__(self) -> str:
        first, second = self.modelled.cycles, self.counted.cycles
        assert first and second
        error = self.error_pct
        far = f", the model is off by {error:+.2f} %" if error is not None else ""
        cold = f" ({second.first:,} in the first call, with cold caches)" if second.first else ""
        told = f"{first.mean:,.0f} {first.how} by {self.modelled.engine}, {second.mean:,.0f} {second.how}"
        return f"cycles: {told} by {self.counted.engine}{cold}{far}"


class LayerPair(NamedTuple):
    """Cycles of a layer."""

    name: str
    modelled: float
    counted: float

    def __str__(self) -> str:
        far = f" ({100 * (self.modelled / self.counted - 1):+.1f} %)" if self.counted else ""
        return f"{self.name} {self.modelled:,.0f}, {self.counted:,.0f}{far}"


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
