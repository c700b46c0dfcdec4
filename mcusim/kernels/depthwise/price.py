"""Cycles of a depthwise convolution: its calls, the C around them, and what comes from flash."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mcusim.kernels.assembly import Timed
from mcusim.kernels.depthwise.frame import CHANNELS_A_CALL
from mcusim.kernels.memory import Memory

# Cycles of the C around, by the timing model: for 4 channels, for a call, for each channel that has calls of its own
TURN, CALL, OWN_CALLS, ZEROS = 26.0, 11.0, 7.0, 7.0
AROUND_BYTES, INNER_BYTES, ENTRY_BYTES = 100, 90, 100  # of code besides: for 4 channels, for calls, and what runs once
EDGE_BYTES, STRIP_EDGE_BYTES = 40, 60  # how far what lies in the cache may be off


@dataclass(frozen=True)
class Plan:
    """Functions that compute all columns of a row: `tiles` those that come in full tiles, `rest` what is left."""

    tiles: Timed | None
    rest: Timed | None
    columns: int  # of a tile
    first: int  # column of the rest
    in_registers: bool  # the weights
    goes_down: bool = False  # a strip of so many columns after the other

    @property
    def strips(self) -> list[int]:
        """Of each part."""
        return [self.first // self.columns if self.goes_down and part is self.tiles else 1 for part in self.parts]

    @property
    def parts(self) -> list[Timed]:
        return [part for part in (self.tiles, self.rest) if part]

    @property
    def cycles(self) -> float:
        """Of the planes of 4 channels."""
        return sum(part.cycles(CHANNELS_A_CALL) for part in self.parts)


class Work(NamedTuple):
    """Of a layer, all stripes together. `turns`: of 4 channels; `calls` of each of `parts` for `filters`. `rows` come
    into the planes, and `zeros` words of nothing with `zero_calls`. `ready`: cycles of weights that come into RAM, for
    a turn, and `ready_bytes` of code for it; else `weight_words` of each filter come from flash into registers.
    """

    turns: int
    calls: int
    filters: int
    parts: Sequence[Timed]
    strips: Sequence[int]  # of the columns of each part, one after another
    spread: Timed
    rows: int
    row_more: float  # cycles
    nothing: Timed
    zero_calls: int
    zeros: int
    ready: float = 0
    ready_bytes: int = 0
    weight_words: int = 0


def cycles(work: Work, memory: Memory) -> float:
    parts, own_calls = len(work.parts), work.calls > work.turns
    total = sum(work.calls * part.call + work.filters * part.each for part in work.parts)
    total += work.turns * work.spread.call + work.rows * (work.spread.each + work.row_more)
    total += work.zero_calls * (work.nothing.call + ZEROS) + work.zeros * work.nothing.each
    total += work.turns * (TURN + work.ready) + parts * work.calls * CALL + own_calls * work.calls * OWN_CALLS
    flash = memory.streamed(4 * work.filters * parts * (work.weight_words + 1))
    return total + flash + _fetches(work, memory)


def _fetches(work: Work, memory: Memory) -> float:
    """Cycles of bringing code: once, and again for each turn, call or strip of columns where it does not stay."""
    spread, calls = work.spread.routine.code_bytes, sum(part.routine.code_bytes for part in work.parts)
    around = AROUND_BYTES + INNER_BYTES * (work.calls > work.turns)
    again = (work.turns - 1) * memory.crowding(spread + calls + work.ready_bytes + around, EDGE_BYTES)
    total = (1 + again) * memory.fetched(spread + work.ready_bytes + around)
    again += (work.calls - work.turns) * memory.crowding(calls + INNER_BYTES, EDGE_BYTES)
    for part, strips in zip(work.parts, work.strips, strict=True):
        own = part.routine.code_bytes
        inside = (work.filters * strips - work.calls) * memory.crowding(own - ENTRY_BYTES, STRIP_EDGE_BYTES)
        total += (1 + again + inside) * memory.fetched(own)
    if work.zero_calls:
        total += memory.fetched(work.nothing.routine.code_bytes)
    return total
