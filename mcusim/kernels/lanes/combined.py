"""Two arrays of affine numbers in words: the call of a routine, for rows of which one may be the same throughout."""

from __future__ import annotations

from typing import NamedTuple

from mcusim.kernels.lanes.scaled_sums import ScaledSumming
from mcusim.kernels.lanes.streams import LAYER, stream
from mcusim.kernels.lanes.words import WORD_BYTES, fetched, unaligned
from mcusim.program import KernelCall, LayerCode

ROW, REST = 9.0, 36.0  # fitted: cycles of a row in C, and of what its words leave over, beside the routine

Combining = ScaledSumming


class Rows(NamedTuple):
    """Of so many numbers. `repeated`: which input is the same in all of them."""

    rows: int
    numbers: int
    repeated: int | None = None

    @property
    def y(self) -> int:
        """Which input is the second in the routine."""
        return 1 if self.repeated is None else self.repeated


def combined(work: Combining, over: Rows) -> LayerCode:
    routine = stream(work).routine
    repeated = {} if over.repeated is None else {"repeated": 1}
    fields = {"rows": over.rows, "numbers": over.numbers, **repeated, "y": over.y, "combine": routine.name}
    return LayerCode((KernelCall("combined_lanes", ("inputs", "output"), fields),), routines=(routine,))


def combined_cycles(work: Combining, over: Rows, wait_states: int) -> float:
    made = stream(work)
    words, rest = divmod(over.numbers, WORD_BYTES)
    row = ROW * (over.rows > 1) + (made.cycles(words) if words else 0) + (REST + made.cycles(1) if rest else 0)
    askew = words * unaligned(over.numbers) * (1 if over.repeated is None else 0.5) * 2 if over.rows > 1 else 0.0
    return LAYER + over.rows * (row + askew) + fetched((made.routine,), wait_states)
