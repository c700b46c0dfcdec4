"""The largest numbers of windows in assembly: of whole ones side by side, and of one of any size."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mcusim.kernels.assembly import Timed
from mcusim.kernels.lanes.sliding import OneWindow, SideBySide, Window, Windows, Writer
from mcusim.kernels.lanes.words import Words

MOST_TAPS = 9  # that have instructions of their own: the loop stays in the instruction cache
HOW = (
    "Words of channels are compared at once: SEL takes of each two numbers the one that the comparison",
    "before it told. Of real numbers that are equal the first stays, as in plain C.",
)


@lru_cache(maxsize=256)
def side_by_side(windows: Windows) -> Timed:
    """Any number of windows that are whole."""
    return _Whole(f"nn_largest_{windows.words.key}_{windows.key}", windows).write()


@lru_cache(maxsize=256)
def one_window(words: Words, channels: int, row_bytes: int) -> Window:
    windows = Windows(words, channels, 0, 0, row_bytes, 0)
    return _Any(f"nn_largest_in_{words.key}_{channels}_{row_bytes}", windows).write()


class _Largest(Writer):
    KERNEL = "largest"

    def __init__(self, name: str, windows: Windows) -> None:
        super().__init__(name, windows.head(name, "largest numbers", HOW), windows, windows.words.several)

    @property
    def fields(self) -> Mapping[str, Any]:
        return {**({"unsigned_input": 1} if self.words.unsigned else {}), **self.words.limits()}

    def tap(self, base: str, offset: int, there: Sequence[int], *, first: bool) -> None:
        best, others = self.words.first[: len(there)], self.words.second[: len(there)]
        self.words.load(self.a, best if first else others, base, offset, there)
        if not first:
            self.words.larger(self.a, best, others)

    def end(self, count: int) -> Sequence[str]:
        best = self.words.first[:count]
        self.words.limit(self.a, best, self.words.second[0])
        return best


class _Whole(_Largest, SideBySide):
    MOST_TAPS = MOST_TAPS


class _Any(_Largest, OneWindow):
    @property
    def around(self) -> float:
        """Without the first tap, and one for what the last row leaves out."""
        return self.a.cycles - self.row - 2 * self.each
