"""How a float32 convolution runs: the tile, where its inputs lie, and the cycles that this takes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from mcusim.kernels.expand import copy_cycles
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.memory import Memory
from mcusim.kernels.tiles.edges import Row, Window, row_of
from mcusim.kernels.tiles.price import Tiles, tiles_cycles
from mcusim.kernels.tiles.tile import FloatTile

MOST_FILTERS, MOST_POSITIONS, MOST_UNROLL = 14, 16, 8
MOST_LOOP_BYTES = 980
# Cycles of the C around, by the timing model
TURN, ROW, CALL = 5, 6.4, 13  # for a tile of filters, for each row of outputs, for each call there
BAND_ROW, ZERO = 25, 1.5
STORED = 4  # zeros of a row, before others are copied from them
MORE_PLACES_BYTES = 25  # of code, for each place more that calls a tile


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
    def placed_bands(self) -> Iterator[tuple[int, int]]:
        """The first column of each in the input, which may lie outside, and how many it has."""
        window, left, positions = self.window, self.window.padding[1][0], self.tile.positions
        firsts = (0,) * (self.row.left > 0) + (window.output[1] - self.row.right * positions,) * (self.row.right > 0)
        for first, columns in zip(firsts, self.bands, strict=True):
            yield first * window.strides[1] - left, columns

    @property
    def calls(self) -> int:
        """Of the tile."""
        return self.filter_tiles * self.window.output[0] * self.row.calls

    @property
    def more_bytes(self) -> int:
        """Of code between two calls, than the least."""
        return MORE_PLACES_BYTES * (self.row.calls - 1)

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
def best_plan(window: Window, finish: FloatFinish, stripes: int, memory: Memory) -> Plan | None:
    """None where no register reaches from one position to the next. Stripes have the tile of the whole."""
    if stripes > 1:
        whole = best_plan(window, finish, 1, memory)
        plans = [] if whole is None else [replace(whole, stripes=stripes, copied=copied) for copied in (False, True)]
    else:
        plans = [
            Plan(window, tile, row_of(window, tile.positions), copied, stripes)
            for tile in _tiles(window, finish)
            for copied in (False, True)
        ]
    return min(plans, key=lambda plan: cycles(plan, memory, about=True), default=None)


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


def cycles(plan: Plan, memory: Memory, *, about: bool = False) -> float:
    """Of a sample, on a Cortex-M4F with such a memory."""
    window, row, height = plan.window, plan.row, plan.window.size[0]
    rows, turns = plan.filter_tiles * window.output[0], plan.filter_tiles * len(plan.band_rows)
    tiles = plan.filter_tiles * row.tiles
    done = Tiles(plan.calls, tiles * window.output[0], tiles * rows_seen(window), plan.filter_tiles * height, height)
    total = tiles_cycles(plan.tile, done, memory, in_flash=not plan.copied, more_bytes=plan.more_bytes, about=about)
    total += turns * TURN + rows * ROW + done.calls * CALL
    if plan.copied:
        total += turns * copy_cycles(plan.weights, memory)
    return total + sum(plan.band_rows) * sum(_band_row(window, *band) for band in plan.placed_bands)


def _band_row(window: Window, first: int, columns: int) -> float:
    """Cycles of a row of a band of so many columns, the first of which may lie outside of the plane."""
    width, channels = window.input[1], window.input[2]
    there = min(max(first, 0), width), max(min(first + columns, width), min(max(first, 0), width))
    zeros = (max(0, min(-first, columns)), max(0, min(first + columns - width, columns)))
    total = BAND_ROW + sum(_zeros(count * channels) for count in zeros)
    return total + (copy_cycles((there[1] - there[0]) * channels) if there[1] > there[0] else 0)


def _zeros(count: int) -> float:
    """The first ones are stored, which the others are copied from."""
    return min(count, STORED) * ZERO + (copy_cycles(count - STORED) if count > STORED else 0)


def rows_between(window: Window, start: int, end: int) -> int:
    """Rows of the input that the windows of some rows of outputs see."""
    first = start * window.strides[0] - window.padding[0][0]
    last = (end - 1) * window.strides[0] - window.padding[0][0] + window.size[0]
    return min(last, window.input[0]) - max(first, 0)


def rows_seen(window: Window) -> int:
    """Rows of the window that lie in the plane, over all rows of outputs."""
    return sum(rows_between(window, y, y + 1) for y in range(window.output[0]))
