"""How a float32 convolution runs: the tile, where its inputs lie, and the cycles that this takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.float_rows import Row, Window, row_of
from mcusim.kernels.float_tile import FloatTile, stores

MOST_FILTERS, MOST_POSITIONS, MOST_UNROLL = 14, 16, 8
CACHE_BYTES, MOST_LOOP_BYTES = 1024, 980
# Cycles, by the timing model
CALL = 95  # of a routine, its registers saved and restored
ROW = 30  # of outputs, and of window
COPIED_WORD = 2.0
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
    def band_columns(self) -> int:
        stride, size = self.window.strides[1], self.window.size[1]
        tiles = (self.row.left, self.row.right)
        return sum((count * self.tile.positions - 1) * stride + size for count in tiles if count)

    @property
    def scratch_bytes(self) -> int:
        rows = min((self.stripe - 1) * self.window.strides[0] + self.window.size[0], self.window.input[0])
        return 4 * (self.copied * self.weights + rows * self.band_columns * self.window.input[2])


@lru_cache(maxsize=1024)
def best_plan(window: Window, finish: FloatFinish, stripes: int, wait_states: int) -> Plan | None:
    return min(_plans(window, finish, stripes), key=lambda plan: cycles(plan, wait_states), default=None)


def _plans(window: Window, finish: FloatFinish, stripes: int) -> Iterator[Plan]:
    for tile in _tiles(window, finish):
        row = row_of(window, tile.positions)
        yield from (Plan(window, tile, row, copied, stripes) for copied in (False, True))


def _tiles(window: Window, finish: FloatFinish) -> Iterator[FloatTile]:
    channels, filters, width = window.input[2], window.output[2], window.output[1]
    distance = 4 * window.strides[1] * channels
    for f in range(1, min(MOST_FILTERS, filters) + 1):
        for p in range(1, min(MOST_POSITIONS, width) + 1):
            for passes in {-(-window.taps // unroll) for unroll in range(1, MOST_UNROLL + 1)}:
                unroll = -(-window.taps // passes)
                tile = FloatTile(
                    f, p, unroll, window.taps, 4, distance, p * distance, window.size[0] > 1, filters, finish
                )
                if tile.fits and 4 * unroll * tap_instructions(tile) <= MOST_LOOP_BYTES:
                    yield tile


def cycles(plan: Plan, wait_states: int) -> float:
    """Of a sample, on a Cortex-M4F whose flash has so many wait states."""
    window, tile, row = plan.window, plan.tile, plan.row
    calls = plan.filter_tiles * window.output[0] * row.calls
    seen = rows_seen(window)
    tiles = plan.filter_tiles * row.tiles
    flash = 0.0 if plan.copied else tap_stalls(tile, wait_states)
    total = tiles * (window.output[0] * tile_cycles(tile, wait_states) + seen * row_cycles(tile, flash))
    total += calls * CALL + plan.filter_tiles * window.output[0] * ROW
    words = plan.filter_tiles * plan.weights * plan.stripes if plan.copied else 0
    total += words * (COPIED_WORD + MISS * wait_states)
    return total + window.input[0] * plan.band_columns * window.input[2] * COPIED_WORD


def rows_seen(window: Window) -> int:
    """Rows of the window that lie in the plane, over all rows of outputs."""
    height, size, top = window.input[0], window.size[0], window.padding[0][0]
    starts = [y * window.strides[0] - top for y in range(window.output[0])]
    return sum(min(start + size, height) - max(start, 0) for start in starts)


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
    bumps = sum(bump > 0 for bump, _ in stores(tile))
    total = 2 * tile.sums + 12 + len(tile.groups) + 2 * bumps + tile.sums * tile.finish.cycles
    return total + fetch_stalls(tile, wait_states)


def fetch_stalls(tile: FloatTile, wait_states: int) -> float:
    """A tile that is larger than the instruction cache comes from flash each time."""
    code = 4 * (tile.unroll * tap_instructions(tile) + 2 * tile.sums + 20) + tile.finish.code_bytes * tile.sums
    return code / 8 * max(0, wait_states - 1) if code > CACHE_BYTES else 0


def tap_instructions(tile: FloatTile) -> int:
    return tile.filters + tile.positions + 2 * tile.sums
