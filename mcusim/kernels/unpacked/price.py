"""What the code of a plan takes, in cycles and bytes, without writing all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mcusim.kernels.assembly import LONGEST_OFFSET, WORD_BYTES
from mcusim.kernels.finish import Ending
from mcusim.kernels.memory import Memory
from mcusim.kernels.unpacked.plan import Block, Plan, Span
from mcusim.kernels.unpacked.schedule import assembly_of, first_sum, move_to

LATE = 0.5  # cycles of a load in the mean, where half of them do not lie on words


class Around(NamedTuple):
    """Of a block, but for its words: cycles of a call, of a block, and of a tile; bytes likewise."""

    call: float
    block: float
    tile: float
    call_bytes: int
    block_bytes: int
    tile_bytes: int


@dataclass(frozen=True, eq=False, kw_only=True)
class _Alone(Plan):
    block: Block

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (self.block,)


class Words(NamedTuple):
    """Of a tile."""

    cycles: float
    code_bytes: int


def cycles_of(plan: Plan, memory: Memory) -> float:
    """Of a line."""
    total, call = 0.0, 0.0
    for span, words in zip(plan.spans, _words(plan), strict=True):
        around = _around_of(plan, span.filters)
        size = around.tile_bytes + words.code_bytes
        turns = 1 + (plan.tiles - 1) * memory.crowding(size)
        waits = turns * memory.fetched(size) + memory.fetched(around.block_bytes)
        records = WORD_BYTES * span.filters * (plan.finish.record_words - 1)
        again = memory.streamed(records, records + (0 if memory.data_cache_bytes else size))
        total += around.block + plan.tiles * (around.tile + words.cycles) + waits
        total += memory.scattered(records) + (plan.tiles - 1) * again
        call = around.call + memory.fetched(around.call_bytes)
    return call + total


def routine_bytes(plan: Plan) -> int:
    every = [_around_of(plan, span.filters) for span in plan.spans]
    of_words = sum(words.code_bytes for words in _words(plan))
    return every[0].call_bytes + of_words + sum(around.block_bytes + around.tile_bytes for around in every)


@lru_cache(maxsize=64)
def _words(plan: Plan) -> tuple[Words, ...]:
    """Of each block."""
    return tuple(_words_of(plan, span) for span in plan.spans)


def _words_of(plan: Plan, span: Span) -> Words:
    filters = range(span.first, span.first + span.filters)
    there = plan.pairs[span.first : span.first + span.filters] != 0
    used, weights, pairs = plan.used(span), int(there.any(axis=-1).sum()), int(there.all(axis=-1).sum())
    instructions = sum(first_sum(plan, filter_) > 0xFFFF for filter_ in filters)  # MOVT
    instructions += plan.positions * (len(used) + weights) + weights + pairs
    instructions += _moves(plan, [plan.places[word] + span.shift for word in used])
    bursts, late = -(-plan.positions // plan.at_once), LATE * plan.positions * plan.is_odd
    return Words(instructions + len(used) * (bursts + late), WORD_BYTES * instructions)


def _moves(plan: Plan, places: Sequence[int]) -> int:
    """Instructions that move the input to what offsets do not reach."""
    moved = count = 0
    if places and move_to(plan, max(places), 0):
        for place in places:
            further = move_to(plan, place, moved)
            count += 0 if not further else 1 if abs(further) <= LONGEST_OFFSET else 2 + (abs(further) > 0xFFFF)
            moved += further
    return count


def _around_of(plan: Plan, filters: int) -> Around:
    return _around(filters, (plan.positions, plan.length, plan.step, len(plan.pairs)), plan.finish)


@lru_cache(maxsize=256)
def _around(filters: int, shape: tuple[int, int, int, int], finish: Ending) -> Around:
    """As it is written, of so many filters that read nothing, among those in the middle."""
    positions, length, step, outputs = shape
    nothing = np.zeros((outputs, 1, 2), np.int64)
    records = np.full((outputs, 1), -finish.raised)
    first = min(outputs - filters, 1)
    alone = Block(Span(first, filters, 0), ())
    plan = _Alone(filters, positions, 1, length, step, 1, 0, (0,), nothing, records, finish, block=alone)
    a = assembly_of(plan, "alone")
    parts, sizes = a.parts, a.part_bytes
    return Around(parts[""], parts["block"], parts["tile"], sizes[""], sizes["block"], sizes["tile"])
