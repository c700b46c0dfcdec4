"""Means of windows in assembly: of whole ones side by side, and of one of any size."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mcusim.kernels.assembly import Timed, imm
from mcusim.kernels.lanes.averages import FACTOR, START, Mean
from mcusim.kernels.lanes.sliding import OneWindow, SideBySide, Window, Windows, Writer
from mcusim.kernels.lanes.words import FAR, SPARE

MOST_TAPS = 16  # that have instructions of their own
HOW_REAL = ("Taps are added in the order of plain C, from one row to the next.",)
HOW = (
    "Numbers of 8 bits are added two in a word, as long as 16 bits hold their sums. Where taps are no 2^n, a line",
    "makes means of sums: (start + sum * factor / 2^n) >> shift has the steps of rounded means, for every sum.",
)


@lru_cache(maxsize=256)
def side_by_side(mean: Mean, windows: Windows) -> Timed:
    """Any number of windows that are whole."""
    return _Whole(f"nn_means_{mean.key}_{windows.key}", mean, windows).write()


@lru_cache(maxsize=256)
def one_window(mean: Mean, channels: int, row_bytes: int) -> Window:
    windows = Windows(mean.words, channels, 0, 0, row_bytes, 0)
    return _Any(f"nn_means_in_{mean.key}_{channels}_{row_bytes}", mean, windows).write()


class _Means(Writer):
    KERNEL = "averaged"

    def __init__(self, name: str, mean: Mean, windows: Windows) -> None:
        head = windows.head(name, "means", HOW_REAL if mean.words.real else HOW)
        super().__init__(name, head, windows, mean.together)
        self.mean = mean

    @property
    def fields(self) -> Mapping[str, Any]:
        return {**({"unsigned_input": 1} if self.mean.unsigned else {}), **dict(self.mean.fields)}

    @property
    def kept(self) -> Sequence[tuple[str, str, str]]:
        return () if self.words.real else ((FACTOR, "r10", "of a sum"), (START, "r11", "what is added to it"))

    def tap(self, base: str, offset: int, there: Sequence[int], *, first: bool) -> None:
        self.mean.load(self.a, base, offset, there, first=first)
        self.mean.add(self.a, len(there), first=first)

    def end(self, count: int) -> Sequence[str]:
        self.a.block("Their means")
        return self.mean.end(self.a, count)


class _Whole(_Means, SideBySide):
    MOST_TAPS = MOST_TAPS

    def prepare(self) -> None:
        self.mean.prepare(self.a)

    def from_second_tap(self) -> tuple[str, str]:
        self.a("addw", FAR, "input", imm(self.w.pixel_bytes))
        return FAR, SPARE


class _Any(_Means, OneWindow):
    def prepare(self) -> None:
        self.mean.prepare_any(self.a, "rows", "columns")
