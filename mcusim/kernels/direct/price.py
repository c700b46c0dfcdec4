"""Cycles of direct convolution on a Cortex-M4F: what its schedule says, and what was fitted of all around it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.direct.plan import Geometry, Plan, plan, tilings

GRANULE_BYTES = 8  # of code that the flash gives at a time
INSTRUCTION_CACHE_BYTES = 1024  # of the L452
ENTRY_BYTES, AROUND_BYTES = 120, 300  # of code before the loop of a tile; of that, the C and the weights' routine
# So many bytes too many, and all code is fetched again for each block.
CROWDING_BYTES = 200
WORTH_A_ROUTINE = 0.99  # a second size of tile has to save so much


class Work(NamedTuple):
    """How often what was fitted is done in a layer; `tiles`: their cycles."""

    tiles: float = 0
    rows: float = 0  # of outputs in a tall block
    blocks: float = 0
    tall_blocks: float = 0
    fetched: float = 0  # granules of code, once a block
    byte_words: float = 0  # of weights, as the flash has them
    pair_words: float = 0
    regions: float = 0
    copied_rows: float = 0
    zeros: float = 0  # words
    fast_words: float = 0  # of the input, by the routine for bytes
    byte_columns: float = 0  # of the input, in C
    byte_column_words: float = 0
    pair_column_words: float = 0
    folded_rows: float = 0  # of the window, for each row of outputs
    folded_columns: float = 0
    folded_numbers: float = 0


# Fitted over shapes of all kinds, L452 at 48 MHz; what waits for the flash is `fetched`, and a part of the words.
CYCLES = Work(
    tiles=1,
    rows=15,
    blocks=100,
    tall_blocks=34,
    fetched=1.18,
    byte_words=6.4,
    pair_words=3.2,
    regions=142,
    copied_rows=6.2,
    zeros=5.5,
    fast_words=5.9,
    byte_columns=4.8,
    byte_column_words=4.6,
    pair_column_words=6.1,
    folded_rows=30,
    folded_columns=6,
    folded_numbers=3.5,
)


HOPEFUL = 12  # tilings that are tried for stripes


class Priced(NamedTuple):
    """A plan, and the cycles that it takes."""

    cycles: float
    plan: Plan

    @classmethod
    def of(cls, plan: Plan) -> Priced:
        return cls(cycles(plan), plan)


@lru_cache(maxsize=1024)
def cheapest(geometry: Geometry, stripes: int = 1, *, single: bool = False) -> Plan | None:
    """None where none is possible. `single`: with tiles of one size."""
    best: Priced | None = None
    for found in _striped(geometry, stripes, single) if stripes > 1 else _whole(geometry, single):
        bar = WORTH_A_ROUTINE if best and found.plan.tiling.small and not best.plan.tiling.small else 1.0
        if best is None or found.cycles < bar * best.cycles:
            best = found
    return best.plan if best else None


@lru_cache(maxsize=256)
def _whole(geometry: Geometry, single: bool) -> tuple[Priced, ...]:
    """The layer at once, in each way that there is."""
    return tuple(Priced.of(plan(geometry, tiles, 1)) for tiles in tilings(geometry, single=single))


def _striped(geometry: Geometry, stripes: int, single: bool) -> Iterator[Priced]:
    """With the tilings that are cheapest for the layer at once: one of them is for its stripes."""
    every = _whole(geometry, single)
    hopeful = sorted(range(len(every)), key=lambda index: every[index].cycles)[:HOPEFUL]
    for index in sorted(hopeful):
        yield Priced.of(plan(geometry, every[index].plan.tiling, stripes))


def cycles(plan: Plan, wait_states: int = 2) -> float:
    """Of a layer, for one sample."""
    fits = CYCLES._replace(fetched=CYCLES.fetched * max(0, wait_states - 1))
    return sum(each * times for each, times in zip(fits, work(plan), strict=True))


def work(plan: Plan) -> Work:
    g = plan.geometry
    tile = plan.tiling.tile
    turns = g.groups * -(-g.filters // tile.window.filters)
    words = g.window[0] * tile.row_of_weights / 4 / (2 if g.number_bytes == 1 else 1)
    used = tile.code_bytes + (plan.tiling.small.code_bytes if plan.tiling.small else 0)
    over = (used + AROUND_BYTES - INSTRUCTION_CACHE_BYTES) / CROWDING_BYTES
    crowded = min(1.0, max(0.0, over))  # the part of the code that is fetched again for each block
    total = dict.fromkeys(Work._fields, 0.0)
    for regions, blocks in plan.parts:
        total["byte_words" if g.number_bytes == 1 else "pair_words"] += turns * words
        for region in regions:
            rows = g.groups * region.rows
            total["regions"] += g.groups
            total["copied_rows"] += rows
            total["zeros"] += g.groups * (region.left + region.rows * region.gap) * g.column_bytes / 4
            if g.fold:
                total["folded_rows"] += rows * g.fold[0]
                total["folded_columns"] += rows * region.columns * g.fold[0]
                total["folded_numbers"] += rows * region.columns * g.words * 2
            elif g.by_fours:
                total["fast_words"] += rows * region.columns * g.words / 2
            elif g.number_bytes == 1:
                total["byte_columns"] += rows * region.columns
                total["byte_column_words"] += rows * region.columns * g.words
            else:
                total["pair_column_words"] += rows * region.columns * g.words
        for block in blocks:
            own = plan.tiling.small if block.tile and plan.tiling.small else tile
            total["tiles"] += turns * block.rows * block.tiles * own.cycles(block.window_rows, *g.end_cycles)
            total["rows"] += turns * block.rows * plan.has_rows(block.tile)
            total["blocks"] += turns
            total["tall_blocks"] += turns * own.tall
            total["fetched"] += max(1, turns * crowded) * (own.code_bytes + ENTRY_BYTES) / GRANULE_BYTES
    return Work(**total)
