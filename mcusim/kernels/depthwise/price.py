"""Cycles of a depthwise convolution: its calls, the C around them, and what comes from flash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mcusim.kernels.depthwise.frame import Timed
from mcusim.kernels.fetch import crowding, fetched

# Cycles of the C around, by the timing model: for 4 channels, for a call, for each channel that has calls of its own
TURN, CALL, OWN_CALLS, ZEROS = 26.0, 11.0, 7.0, 7.0
FLASH_WORD = 0.5  # for each wait state but one: of weights, two at a time
AROUND_BYTES, INNER_BYTES, ENTRY_BYTES = 100, 90, 100  # of code besides: for 4 channels, for calls, and what runs once
EDGE_BYTES, STRIP_EDGE_BYTES = 40, 60  # how far what lies in the cache may be off


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


def cycles(work: Work, wait_states: int) -> float:
    parts, own_calls = len(work.parts), work.calls > work.turns
    total = sum(work.calls * part.call + work.filters * part.each for part in work.parts)
    total += work.turns * work.spread.call + work.rows * (work.spread.each + work.row_more)
    total += work.zero_calls * (work.nothing.call + ZEROS) + work.zeros * work.nothing.each
    total += work.turns * (TURN + work.ready) + parts * work.calls * CALL + own_calls * work.calls * OWN_CALLS
    flash = work.filters * parts * (work.weight_words + 1) * FLASH_WORD * max(0, wait_states - 1)
    return total + flash + _fetches(work, wait_states)


def _fetches(work: Work, wait_states: int) -> float:
    """Cycles of bringing code: once, and again for each turn, call or strip of columns where it does not stay."""
    spread, calls = work.spread.routine.code_bytes, sum(part.routine.code_bytes for part in work.parts)
    around = AROUND_BYTES + INNER_BYTES * (work.calls > work.turns)
    again = (work.turns - 1) * crowding(spread + calls + work.ready_bytes + around, EDGE_BYTES)
    total = (1 + again) * fetched(spread + work.ready_bytes + around, wait_states)
    again += (work.calls - work.turns) * crowding(calls + INNER_BYTES, EDGE_BYTES)
    for part, strips in zip(work.parts, work.strips, strict=True):
        own = part.routine.code_bytes
        inside = (work.filters * strips - work.calls) * crowding(own - ENTRY_BYTES, STRIP_EDGE_BYTES)
        total += (1 + again + inside) * fetched(own, wait_states)
    if work.zero_calls:
        total += fetched(work.nothing.routine.code_bytes, wait_states)
    return total
