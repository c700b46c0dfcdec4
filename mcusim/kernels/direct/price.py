"""Cycles of direct convolution on a Cortex-M4F: what its schedule says, and what was fitted of all around it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.assembly import WORD_BYTES
from mcusim.kernels.direct.plan import Geometry, Plan, Region, plan, tilings
from mcusim.kernels.direct.schedule import Timed
from mcusim.kernels.direct.tile import Block, Tile
from mcusim.kernels.expand import expand_cycles, into_ram
from mcusim.kernels.kernel import MOST_UNROLLED
from mcusim.kernels.memory import USUAL, Memory

ENTRY_BYTES = 120  # of code before the loop of a tile
# Of code: of the C between two calls, how far what lies in the cache may be off; of what copies inputs, and
# between calls of one turn
AROUND_BYTES, EDGE_BYTES, COPY_BYTES, CALL_BYTES = 114, 80, 120, 40
FIELDS = 2  # words of a block that a call reads, from flash
MOST_STORED = 8  # words that a compiler stores instead of calling memset
WORTH_A_ROUTINE = 0.99  # a second size of tile has to save so much


# Of a tile, where it is not written yet: of a call, and what long sums and tall windows take besides
CALL, TALL_CALL, ROW, LONG_TILE, TALL_TILE = 30, 10, 17, 4, 3.5


# Of how often the C does what was measured apart, by the call tree, over random layers on the L452 at 48 MHz; routines
# are priced as they are written.
CYCLES: Mapping[str, float] = {
    "weights": 1,  # of all, in cycles
    "copies": 1,  # of rows of the input, by the routine for bytes, in cycles
    "from_flash": 1,  # waited for biases and the like, in cycles
    "once": 23,
    "blocks": 20,
    "more_blocks": 29,  # than one for each turn of the filters
    "striped_turns": 37,
    "more_pieces": 16,  # of weights than one for each turn
    "parts": 65,  # where there are several
    "regions": 15,
    "rows_by_routine": 6,
    "clears": 72,
    "zeros": 1.8,  # words
    "stored": 1.5,  # likewise, by stores where the compiler knows of few
    "unknown_columns": 2,  # of the input, of few channels, in regions that the compiler does not know
    "byte_columns_of_1": 6.5,  # of one channel; likewise
    "byte_columns_of_2": 9.6,
    "byte_columns_of_3": 15,
    "fours": 13.7,  # of channels, where there are more
    "byte_words": 9,  # of what is left of these
    "pair_columns_of_1": 8.2,
    "pair_columns_of_2": 11,
    "pair_columns": 0.8,
    "pair_words": 7,
    "folded_rows": 16,  # of the window, for each row of outputs
    "folded_bytes": 5.9,  # columns, and their numbers
    "folded_byte_numbers": 1.9,
    "folded_zeros": 1.6,  # numbers whose zero is taken off
    "folded_columns": 2.2,  # of numbers of 16 bits, their words, and numbers that are left of these
    "folded_words": 2,
    "folded_halves": 4.2,
    "unrolled_numbers": 6.3,  # of so few columns that the compiler makes no loop of them
}
HOPEFUL = 12  # tilings that are tried for stripes


Routines = Sequence[Timed]  # of the tile, and of the small one


class Priced(NamedTuple):
    """A plan, and the cycles that it takes."""

    cycles: float
    plan: Plan

    @classmethod
    def of(cls, plan: Plan) -> "Priced":
        return cls(cycles(plan), plan)


@lru_cache(maxsize=4096)  # an exploration comes back to shapes
def cheapest(geometry: Geometry, stripes: int = 1, *, single: bool = False) -> Priced | None:
    """None where none is possible. `single`: with tiles of one size."""
    best: Priced | None = None
    for found in _striped(geometry, stripes, single) if stripes > 1 else _whole(geometry, single):
        bar = WORTH_A_ROUTINE if best and found.plan.tiling.small and not best.plan.tiling.small else 1.0
        if best is None or found.cycles < bar * best.cycles:
            best = found
    return best


@lru_cache(maxsize=512)
def _whole(geometry: Geometry, single: bool) -> tuple[Priced, ...]:
    """The layer at once, in each way that there is."""
    return tuple(Priced.of(plan(geometry, tiles, 1)) for tiles in tilings(geometry, single=single))


def _striped(geometry: Geometry, stripes: int, single: bool) -> Iterator[Priced]:
    """With the tilings that are cheapest for the layer at once: one of them is for its stripes."""
    every = _whole(geometry, single)
    hopeful = sorted(range(len(every)), key=lambda index: every[index].cycles)[:HOPEFUL]
    for index in sorted(hopeful):
        yield Priced.of(plan(geometry, every[index].plan.tiling, stripes))


def cycles(plan: Plan, memory: Memory = USUAL, routines: Routines | None = None) -> float:
    """Of a layer, for one sample. Without `routines` about, to find the best."""
    if routines is None:
        tiles = sum(times * _about(plan, block, tile) for block, tile, times in plan.calls)
    else:
        several = len(routines) > 1
        tiles = sum(times * routines[several and block.tile].cycles(block) for block, _, times in plan.calls)
    done = work(plan, memory)
    c = sum(CYCLES[name] * times for name, times in done.items())
    return tiles + c + _fetches(plan, memory, routines)


def _about(plan: Plan, block: Block, tile: Tile) -> float:
    """Of a call, its routine not yet written."""
    g = plan.geometry
    each = tile.cycles(block.window_rows, *g.end_cycles) + LONG_TILE * (g.sum_registers > 1) + TALL_TILE * tile.tall
    return CALL + TALL_CALL * tile.tall + block.rows * (block.tiles * each + ROW * plan.has_rows(block.tile))


def _fetches(plan: Plan, memory: Memory, routines: Routines | None) -> float:
    """Cycles of bringing code: once, and again for each turn of the filters, or call, where it does not stay."""
    *_, run = _weights(plan, memory)
    tiles = [each for each in (plan.tiling.tile, plan.tiling.small) if each]
    code = sum(one.code_bytes + ENTRY_BYTES for one in tiles)
    if routines:
        code = sum(one.routine.code_bytes for one in routines)
    turns, around = plan.turns, (AROUND_BYTES, EDGE_BYTES)
    if plan.geometry.groups > 1 and turns == len(plan.parts) * plan.geometry.groups and not plan.geometry.in_place:
        around = (AROUND_BYTES + COPY_BYTES, EDGE_BYTES + COPY_BYTES // 2)  # in each turn inputs are copied, too
    again = (turns - 1) * memory.crowding(code + run + around[0], around[1])
    calls = sum(times for *_, times in plan.calls)
    again += (calls - turns) * memory.crowding(code + CALL_BYTES, EDGE_BYTES)
    return (1 + again) * memory.fetched(code + run)


def work(plan: Plan, memory: Memory) -> Mapping[str, float]:
    """How often the C does each of CYCLES."""
    total = {**dict.fromkeys(CYCLES, 0.0), "once": 1.0}
    known = sum(len(regions) for regions, _ in plan.parts) == 1  # to the compiler
    for region in (region for regions, _ in plan.parts for region in regions):
        for name, times in _copied(plan.geometry, region, known=known).items():
            total[name] += times
    parts, turns = len(plan.parts), plan.turns
    pieces, weights, _ = _weights(plan, memory)
    total["weights"] = turns * pieces * weights
    total["blocks"] = sum(times for *_, times in plan.calls)
    total["from_flash"] = sum(times * _read(plan, tile, memory) for _, tile, times in plan.calls)
    total["more_pieces"] = turns * (pieces - 1)
    total["more_blocks"] = total["blocks"] - turns
    if parts > 1:
        total["striped_turns"], total["parts"] = turns, parts
    return total


def _read(plan: Plan, tile: Tile, memory: Memory) -> float:
    """Cycles of what a call reads besides weights: biases, in what record they lie, and of the block."""
    biases = tile.window.filters * plan.geometry.record_words
    return memory.scattered(WORD_BYTES * (biases + FIELDS))


def _weights(plan: Plan, memory: Memory) -> tuple[int, float, int]:
    """Of a turn of filters: calls of what makes them ready, cycles of each, bytes of code that one runs."""
    g, tile = plan.geometry, plan.tiling.tile
    merged = g.window[0] if tile.weights_pitch == tile.row_of_weights else 1
    words = math.ceil(merged * tile.row_of_weights / (8 if g.weight_bytes == 1 else 4))
    made = into_ram(g.weight_bytes, doubled=g.doubled)
    return g.window[0] // merged, made.cycles(words, memory), made.run(words)


def _copied(g: Geometry, region: Region, *, known: bool) -> dict[str, float]:
    rows, columns = g.groups * region.rows, region.columns
    done: dict[str, float] = {"regions": g.groups}
    for times, zeros in ((g.groups, region.left), (rows, region.gap)):
        words = zeros * g.column_bytes // 4
        if known and words <= MOST_STORED:
            done["stored"] = done.get("stored", 0) + times * words
        elif words:
            done["clears"] = done.get("clears", 0) + times
            done["zeros"] = done.get("zeros", 0) + times * words
    if g.fold:
        return _folded(g, region, done, known=known)
    if g.by_fours:
        return done | {"copies": rows * expand_cycles(columns * g.words // 2, zero=g.zero), "rows_by_routine": rows}
    return done | _columns(g, rows * columns, known=known)


def _columns(g: Geometry, columns: int, *, known: bool) -> dict[str, float]:
    """Whose channels the C takes apart."""
    channels = g.all_channels // g.groups
    kind, few = ("byte", 3) if g.number_bytes == 1 else ("pair", 2)
    if channels <= few:
        return {f"{kind}_columns_of_{channels}": columns, "unknown_columns": columns * (not known)}
    if kind == "pair":
        return {"pair_columns": columns, "pair_words": columns * g.words}
    return {"fours": columns * (channels // 4), "byte_words": columns * -(-(channels % 4) // 2)}


def _folded(g: Geometry, region: Region, done: dict[str, float], *, known: bool) -> dict[str, float]:
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
    if known and region.columns <= MOST_UNROLLED:
        return done | {"unrolled_numbers": columns * channels}
    done["folded_rows"] = inside
    if g.number_bytes == 1:
        numbers = columns * channels
        return done | {"folded_bytes": columns, "folded_byte_numbers": numbers, "folded_zeros": numbers * bool(g.zero)}
    done |= {"folded_words": columns * (channels // 2), "folded_halves": columns * (channels % 2)}
    return done | {"folded_columns": columns}
