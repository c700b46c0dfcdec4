"""How a float32 convolution runs: the tile, where its inputs lie, and the cycles that this takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.tiles.edges import Row, Window, row_of
from mcusim.kernels.tiles.tile import FloatTile

MOST_FILTERS, MOST_POSITIONS, MOST_UNROLL = 14, 16, 8
CACHE_BYTES, MOST_LOOP_BYTES = 1024, 980
# Cycles, by the timing model
CALL = 95  # of a routine, its registers saved and restored
ROW = 30  # of outputs, and of window
COPY, COPIED_WORD = 35, 2.1
BAND_ROW, BAND_WORD = 20, 2.5
MISS = 0.5  # for each wait state: a word of flash, as data or code


@dataclass(frozen=True)
class Plan:
    """`copied`: the weights of a tile lie in RAM. `stripes`: of output rows, whose bands lie in RAM at a time."""

    window: Window
    tile: FloatTile
    row: Row
    copied: bool
    stripes: int

    @property
    def stripe(self) -> int:
        return -(-self.window.output[0] // self.stripes)

    @property
    def filter_tiles(self) -> int:
        return -(-self.window.output[2] // self.tile.filters)

    @property
    def weights(self) -> int:
        """Of a tile."""
        return self.window.size[0] * self.window.taps * self.tile.filters

    @property
    def bands(self) -> tuple[int, ...]:
        """Columns of each."""
        stride, size = self.window.strides[1], self.window.size[1]
        tiles = (self.row.left, self.row.right)
        return tuple((count * self.tile.positions - 1) * stride + size for count in tiles if count)

    @property
    def band_rows(self) -> tuple[int, ...]:
        """Rows of the input, for each stripe."""
        window, rows = self.window, self.window.output[0]
        return tuple(
            rows_between(window, start, min(start + self.stripe, rows)) for start in range(0, rows, self.stripe)
        )

    @property
    def scratch_bytes(self) -> int:
        return 4 * (self.copied * self.weights + max(self.band_rows) * sum(self.bands) * self.window.input[2])


@lru_cache(maxsize=1024)
def best_plan(window: Window, finish: FloatFinish, stripes: int, wait_states: int) -> Plan | None:
    """None where no register reaches from one position to the next. Stripes have the tile of the whole."""
    if stripes > 1:
        whole = best_plan(window, finish, 1, wait_states)
        plans = [] if whole is None else [replace(whole, stripes=stripes, copied=copied) for copied in (False, True)]
    else:
        plans = [
            Plan(window, tile, row_of(window, tile.positions), copied, stripes)
            for tile in _tiles(window, finish)
            for copied in (False, True)
        ]
    return min(plans, key=lambda plan: cycles(plan, wait_states), default=None)


def _tiles(window: Window, finish: FloatFinish) -> Iterator[FloatTile]:
    channels, filters, taps = window.input[2], window.output[2], window.taps
    distance = 4 * window.strides[1] * channels
    for f, p, unroll in tile_sizes(filters, window.output[1], taps):
        tile = FloatTile(f, p, unroll, taps, 4, distance, p * distance, window.size[0] > 1, filters, finish)
        if tile.fits:
            yield tile


def tile_sizes(filters: int, positions: int, taps: int) -> Iterator[tuple[int, int, int]]:
    """(filters, positions, taps of the loop) that registers and the instruction cache have room for."""
    for f in range(1, min(MOST_FILTERS, filters) + 1):
        for p in range(1, min(MOST_POSITIONS, positions) + 1):
            most = MOST_LOOP_BYTES // (4 * (f + p + 2 * f * p))
            for passes in sorted({-(-taps // unroll) for unroll in range(1, min(MOST_UNROLL, most) + 1)}):
                yield f, p, -(-taps // passes)


def cycles(plan: Plan, wait_states: int) -> float:
    """Of a sample, on a Cortex-M4F whose flash has so many wait states."""
    window, tile, row = plan.window, plan.tile, plan.row
    calls = plan.filter_tiles * window.output[0] * row.calls
    seen = rows_seen(window)
    tiles = plan.filter_tiles * row.tiles
    flash = 0.0 if plan.copied else tap_stalls(tile, wait_states)
    total = tiles * (window.output[0] * tile_cycles(tile, wait_states) + seen * row_cycles(tile, flash))
    total += calls * CALL + plan.filter_tiles * window.output[0] * ROW
    copies = plan.filter_tiles * len(plan.band_rows) if plan.copied else 0
    total += copies * (COPY + plan.weights * (COPIED_WORD + MISS * wait_states))
    run = len(plan.bands) * (BAND_ROW + COPY) + sum(plan.bands) * window.input[2] * BAND_WORD
    return total + sum(plan.band_rows) * run


def rows_between(window: Window, start: int, end: int) -> int:
    """Rows of the input that the windows of some rows of outputs see."""
    first = start * window.strides[0] - window.padding[0][0]
    last = (end - 1) * window.strides[0] - window.padding[0][0] + window.size[0]
    return min(last, window.input[0]) - max(first, 0)


def rows_seen(window: Window) -> int:
    """Rows of the window that lie in the plane, over all rows of outputs."""
    return sum(rows_between(window, y, y + 1) for y in range(window.output[0]))


def step_cycles(tile: FloatTile) -> int:
    """Of a tap: a burst of loads takes one cycle more than it has; an only product is waited for."""
    alone = sum(len(chunk) * tile.filters == 1 for chunk in tile.chunks)
    return tile.filters + tile.positions + len(tile.chunks) + alone + 2 * tile.sums


def tap_stalls(tile: FloatTile, wait_states: int) -> float:
    """Of a tap whose weights lie in flash: their burst ends at the other bus."""
    return 1 + MISS * max(0, wait_states - 1) * tile.filters


def row_cycles(tile: FloatTile, tap_stalls: float) -> float:
    """Of a row of the window, for all sums of a tile."""
    loop = tile.passes * (len(tile.groups) + 4) if tile.passes > 1 else 0
    jump = 2 if tile.skipped else 0
    between = len(tile.groups) * (2 if tile.passes == 1 else 1) + 8 if tile.several_rows else 0
    return tile.taps * (step_cycles(tile) + tap_stalls) + loop + jump + between


def tile_cycles(tile: FloatTile, wait_states: int) -> float:
    """Of a tile but for its products."""
    bumps = -(-tile.positions // tile.stored) - 1
    total = 2 * tile.sums + 12 + len(tile.groups) + 2 * bumps + tile.sums * tile.finish.cycles
    return total + fetch_stalls(tile, wait_states)


def fetch_stalls(tile: FloatTile, wait_states: int) -> float:
    """A tile that is larger than the instruction cache comes from flash each time."""
    code = 4 * (tile.unroll * tap_instructions(tile) + 2 * tile.sums + 20) + tile.finish.code_bytes * tile.sums
    return code / 8 * max(0, wait_states - 1) if code > CACHE_BYTES else 0


def tap_instructions(tile: FloatTile) -> int:
    return tile.filters + tile.positions + 2 * tile.sums
