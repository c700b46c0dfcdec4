"""Cycles of direct convolution on a Cortex-M4F: what its schedule says, and what was fitted of all around it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.direct.plan import Geometry, Plan, Region, plan, tilings
from mcusim.kernels.direct.tile import Block
from mcusim.kernels.expand import code_run, copy_cycles, expand_cycles
from mcusim.kernels.memory import USUAL, Memory

ENTRY_BYTES = 120  # of code before the loop of a tile
AROUND_BYTES, EDGE_BYTES = 24, 180  # of code of the C, that is not in ENTRY_BYTES; how far code sizes are off
MOST_STORED = 8  # words that a compiler stores instead of calling memset
WORTH_A_ROUTINE = 0.99  # a second size of tile has to save so much


class Work(NamedTuple):
    """How often what was measured is done in a layer; `tiles`, `weights`, `copies`, `fetches`: their cycles."""

    tiles: float = 0
    weights: float = 0
    copies: float = 0  # of rows of the input, by the routine for bytes
    fetches: float = 0
    once: float = 1
    long_tiles: float = 0
    tall_tiles: float = 0
    rows: float = 0  # of outputs in a tall block
    tall_blocks: float = 0
    blocks: float = 0
    more_blocks: float = 0  # than one for each turn of the filters
    turns: float = 0
    striped_turns: float = 0
    more_pieces: float = 0  # of weights than one for each turn
    parts: float = 0  # where there are several
    regions: float = 0
    copied_rows: float = 0
    clears: float = 0
    zeros: float = 0  # words
    stored: float = 0  # likewise, by stores where the compiler knows of few
    byte_columns: float = 0  # of the input, in C
    byte_column_words: float = 0
    pair_columns: float = 0
    pair_column_words: float = 0
    folded_rows: float = 0  # of the window, for each row of outputs
    folded_columns: float = 0
    folded_numbers: float = 0


# Measured apart, by the call tree, over random layers on the L452 at 48 MHz.
CYCLES = Work(
    tiles=1,
    weights=1,
    copies=1,
    fetches=1,
    once=30,
    long_tiles=4,
    tall_tiles=3.5,
    rows=17,
    tall_blocks=10,
    blocks=50,
    more_blocks=50,
    turns=18,
    striped_turns=38,
    more_pieces=17,
    parts=100,
    regions=6,
    copied_rows=4,
    clears=68,
    zeros=2.1,
    stored=0.5,
    byte_columns=1,
    byte_column_words=6.6,
    pair_columns=1.7,
    pair_column_words=7,
    folded_rows=0,
    folded_columns=8,
    folded_numbers=2.6,
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


def cycles(plan: Plan, memory: Memory = USUAL) -> float:
    """Of a layer, for one sample."""
    return sum(each * times for each, times in zip(CYCLES, work(plan, memory), strict=True))


def work(plan: Plan, memory: Memory) -> Work:
    total: defaultdict[str, float] = defaultdict(float)
    known = sum(len(regions) for regions, _ in plan.parts) == 1  # to the compiler
    for regions, blocks in plan.parts:
        for region in regions:
            _add(total, _copied(plan.geometry, region, known=known))
        for block in blocks:
            _add(total, _computed(plan, block))
    parts = len(plan.parts)
    turns = plan.turns // parts
    pieces, weights, run = _weights(plan, memory)
    code = sum(each.code_bytes + ENTRY_BYTES for each in (plan.tiling.tile, plan.tiling.small) if each)
    again = 1 + (turns * parts - 1) * memory.crowding(code + run + AROUND_BYTES, EDGE_BYTES)
    total["fetches"] += again * memory.fetched(code)
    total["weights"] += turns * parts * pieces * weights
    total["turns"], total["more_pieces"] = turns * parts, turns * parts * (pieces - 1)
    total["more_blocks"] = total["blocks"] - turns * parts
    if parts > 1:
        total["striped_turns"], total["parts"] = turns * parts, parts
    return Work(**total)


def _add(total: dict[str, float], done: Mapping[str, float]) -> None:
    for name, times in done.items():
        total[name] += times


def _weights(plan: Plan, memory: Memory) -> tuple[int, float, int]:
    """Of a turn of filters: calls of what makes them ready, cycles of each, bytes of code that one runs."""
    g, tile = plan.geometry, plan.tiling.tile
    merged = g.window[0] if tile.weights_pitch == tile.row_of_weights else 1
    words = math.ceil(merged * tile.row_of_weights / (8 if g.weight_bytes == 1 else 4))
    bring = expand_cycles if g.weight_bytes == 1 else copy_cycles
    return g.window[0] // merged, bring(words, memory), code_run(words, g.weight_bytes)


def _computed(plan: Plan, block: Block) -> dict[str, float]:
    g, tile = plan.geometry, plan.tiling.small if block.tile and plan.tiling.small else plan.tiling.tile
    turns = g.groups * -(-g.filters // tile.window.filters)
    tiles = turns * block.rows * block.tiles
    done: dict[str, float] = {"tiles": tiles * tile.cycles(block.window_rows, *g.end_cycles), "blocks": turns}
    done |= {"rows": turns * block.rows * plan.has_rows(block.tile)}
    done |= {"tall_blocks": turns, "tall_tiles": tiles} if tile.tall else {}
    return done | ({"long_tiles": tiles} if g.sum_registers > 1 else {})


def _copied(g: Geometry, region: Region, *, known: bool) -> dict[str, float]:
    rows, columns = g.groups * region.rows, region.columns
    done: dict[str, float] = {"regions": g.groups, "copied_rows": rows}
    for times, zeros in ((g.groups, region.left), (rows, region.gap)):
        words = zeros * g.column_bytes // 4
        if known and words <= MOST_STORED:
            done["stored"] = done.get("stored", 0) + times * words
        elif words:
            done["clears"] = done.get("clears", 0) + times
            done["zeros"] = done.get("zeros", 0) + times * words
    if g.fold:
        return _folded(g, region, done)
    if g.by_fours:
        return done | {"copies": rows * expand_cycles(columns * g.words // 2)}
    kind = "byte" if g.number_bytes == 1 else "pair"
    return done | {f"{kind}_columns": rows * columns, f"{kind}_column_words": rows * columns * g.words}


def _folded(g: Geometry, region: Region, done: dict[str, float]) -> dict[str, float]:
    assert g.fold is not None
    rows, stride, _, height = g.fold
    tops = [region.top + row * stride for row in range(region.rows)]
    inside = g.groups * sum(min(top + rows, height) - max(top, 0) for top in tops)
    channels = g.all_channels // g.groups
    cleared = [top < 0 or top + rows > height or rows * channels % 2 for top in tops]
    clears = g.groups * sum(map(bool, cleared))
    done["clears"] = done.get("clears", 0) + clears
    done["zeros"] = done.get("zeros", 0) + clears * region.columns * g.words
    columns = inside * region.columns
    return done | {"folded_rows": inside, "folded_columns": columns, "folded_numbers": columns * channels}
