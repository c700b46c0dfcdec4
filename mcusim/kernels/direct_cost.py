"""Cycles of direct convolution on a Cortex-M4F: what its schedule says, and what was fitted of all around it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.direct_plan import Geometry, Plan, plan, tilings

GRANULE_BYTES = 8  # of code that the flash gives at a time
WORTH_A_ROUTINE = 0.99  # a second size of tile has to save so much


class Work(NamedTuple):
    """How often what was fitted is done in a layer; `tiles`: their cycles."""

    tiles: float = 0
    rows: float = 0  # of outputs in a tall block
    blocks: float = 0
    tall_blocks: float = 0
    fetched: float = 0  # granules of code, once a block
    turns: float = 0  # of filters
    pieces: float = 0  # of weights
    byte_words: float = 0  # of weights, as the flash has them
    pair_words: float = 0
    regions: float = 0
    copied_rows: float = 0
    fast_words: float = 0  # of the input, by the routine for bytes
    columns: float = 0  # of the input, in C
    column_words: float = 0
    zeros: float = 0
    layers: float = 0


# Fitted over shapes of all kinds, L452 at 48 MHz; what waits for the flash is `fetched`, and a part of the words.
CYCLES = Work(
    tiles=1,
    rows=12,
    blocks=102,
    tall_blocks=78,
    fetched=0.45,
    byte_words=7.6,
    pair_words=4,
    regions=190,
    fast_words=6.5,
    column_words=6,
    zeros=5.5,
)


@lru_cache(maxsize=1024)
def cheapest(geometry: Geometry, stripes: int = 1, *, single: bool = False) -> Plan | None:
    """None where none is possible. `single`: with tiles of one size."""
    best: tuple[float, Plan] | None = None
    for tiles in tilings(geometry, single=single):
        found = plan(geometry, tiles, stripes)
        bar = WORTH_A_ROUTINE if best and tiles.small and not best[1].tiling.small else 1.0
        if best is None or cycles(found) < bar * best[0]:
            best = cycles(found), found
    return best[1] if best else None


def cycles(plan: Plan, wait_states: int = 2) -> float:
    """Of a layer, for one sample."""
    fits = CYCLES._replace(fetched=CYCLES.fetched * max(0, wait_states - 1))
    return sum(each * times for each, times in zip(fits, work(plan), strict=True))


def work(plan: Plan) -> Work:
    g = plan.geometry
    tile = plan.tiling.tile
    turns = g.groups * -(-g.filters // tile.window.filters)
    pieces = 1 if tile.weights_pitch == tile.row_of_weights else g.window[0]
    words = g.window[0] * tile.row_of_weights / 4 / (2 if g.number_bytes == 1 else 1)
    total = dict.fromkeys(Work._fields, 0.0)
    total["layers"] = 1
    for regions, blocks in plan.parts:
        total["turns"] += turns
        total["pieces"] += turns * pieces
        total["byte_words" if g.number_bytes == 1 else "pair_words"] += turns * words
        for region in regions:
            rows = g.groups * region.rows
            total["regions"] += g.groups
            total["copied_rows"] += rows
            total["zeros"] += rows * (region.left + region.right) * g.column_bytes / 4
            if g.by_fours:
                total["fast_words"] += rows * region.columns * g.words / 2
            else:
                total["columns"] += rows * region.columns
                total["column_words"] += rows * region.columns * g.words
        for block in blocks:
            own = plan.tiling.small if block.tile and plan.tiling.small else tile
            total["tiles"] += turns * block.rows * block.tiles * own.cycles(block.window_rows, *g.end_cycles)
            total["rows"] += turns * block.rows * plan.has_rows(block.tile)
            total["blocks"] += turns
            total["tall_blocks"] += turns * own.tall
            total["fetched"] += turns * own.code_bytes / GRANULE_BYTES
    return Work(**total)
