"""How direct convolution covers a layer: which tiles side by side, what is copied into scratch, blocks of outputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, groupby
from typing import NamedTuple

from mcusim.kernels.direct.tap_reuse import REGISTERS, Window
from mcusim.kernels.direct.tile import CACHE_BYTES, MOST_FILTERS, Block, Tile

MOST_STEPS = 40  # pairs of channels in a turn of the loop
FEWEST_OPERANDS = 4  # registers that the end of a tile needs for itself


@dataclass(frozen=True)
class Geometry:
    """A convolution, in numbers. `height`, `width`: of the input; `rows`, `columns`: of the output.

    `outputs`: of a position. `words`: pairs of channels of a group. `filters`: of a group. `in_place`: is the input
    read where it lies? `number_bytes`: of an input, `weight_bytes`: of a weight in flash, `store_bytes`: of an output.
    `sum_registers`: 2 for sums of 64 bits. `end_cycles`: of the end of a sum, and of all besides at the end of a tile.
    `factor_bytes`: as of Tile. `record_words`: of a bias with what scales its filter. `doubled`: are weights? `zero`:
    of the inputs, which is taken off them. `fold`: see `folded`.
    """

    height: int
    width: int
    all_channels: int
    words: int
    rows: int
    columns: int
    outputs: int
    filters: int
    window: tuple[int, int]
    strides: tuple[int, int]
    top: int
    left: int
    in_place: bool
    number_bytes: int
    weight_bytes: int
    store_bytes: int
    groups: int
    sum_registers: int
    end_cycles: tuple[int, int]
    factor_bytes: int = 0
    record_words: int = 1
    doubled: bool = False
    zero: int = 0
    fold: tuple[int, int, int, int] | None = None

    @property
    def tall(self) -> bool:
        return self.window[0] > 1

    @property
    def column_bytes(self) -> int:
        return 2 * self.all_channels if self.in_place else 4 * self.words

    @property
    def by_fours(self) -> bool:
        """Does the input become pairs word by word, whole rows at once?"""
        return self.fold is None and self.number_bytes == 1 and self.groups == 1 and self.all_channels % 4 == 0

    def folded(self, channels: int) -> "Geometry":
        """With all rows of the window side by side in each column of the copy: more channels, no rows.

        Few channels of a group leave less of each pair empty so. `fold`: rows of the window, their stride, those
        above the input, rows of the input.
        """
        return replace(
            self,
            height=self.rows,
            words=-(-self.window[0] * channels // 2),
            window=(1, self.window[1]),
            strides=(1, self.strides[1]),
            top=0,
            in_place=False,
            fold=(self.window[0], self.strides[0], self.top, self.height),
        )

    def window_rows(self, row: int) -> tuple[int, int]:
        """First and end of the window's rows that are inside the plane."""
        above = row * self.strides[0] - self.top
        return max(0, -above), min(self.window[0], self.height - above)


@dataclass(frozen=True)
class Tiling:
    """Tiles of one size, and smaller ones where those leave a rest."""

    tile: Tile
    small: Tile | None = None

    def counts(self, width: int) -> tuple[int, int]:
        """How many of each for so many positions, at the least cost."""
        size = self.tile.window.positions
        if self.small is None:
            return -(-width // size), 0
        own, other = self.tile.cycles(), self.small.cycles()
        rest = self.small.window.positions
        ways = ((n, max(0, -((n * size - width) // rest))) for n in range(width // size + 1))
        return min(ways, key=lambda way: (way[0] * own + way[1] * other, -way[0]))

    def sequence(self, width: int, *, apart: bool) -> list[tuple[int, Tile]]:
        """First position and tile, from left to right; the last one rather over outputs of another than over the edge.

        `apart`: small ones at both ends, where what they read is copied.
        """
        many, few = self.counts(width)
        small = self.small or self.tile
        first = few - few // 2 if apart else 0
        tiles = [*[small] * first, *[self.tile] * many, *[small] * (few - first)]
        starts = list(accumulate((tile.window.positions for tile in tiles[:-1]), initial=0))
        starts[-1] = width - tiles[-1].window.positions
        return list(zip(starts, tiles, strict=True))


class Region(NamedTuple):
    """What is copied into scratch: codegen/kernels/nn_direct_block.h tells what the numbers mean."""

    input: int
    output: int
    rows: int
    left: int
    columns: int
    gap: int
    top: int


class View(NamedTuple):
    """What tiles read, as a plane: where its row `top`, column `left` of the input lies."""

    in_scratch: bool
    offset: int
    row_bytes: int
    top: int
    left: int


@dataclass(frozen=True)
class Part:
    """A stripe: rows and columns of outputs."""

    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """All that a layer does. `parts`: regions and blocks of each stripe."""

    geometry: Geometry
    tiling: Tiling
    parts: tuple[tuple[tuple[Region, ...], tuple[Block, ...]], ...]
    columns_bytes: int

    @property
    def turns(self) -> int:
        """Of as many filters as a tile has, in each stripe."""
        return self.geometry.groups * -(-self.geometry.filters // self.tiling.tile.window.filters) * len(self.parts)

    @cached_property
    def calls(self) -> Sequence[tuple[Block, Tile, int]]:
        """Each block with its tile, and how often it is called."""
        small, g = self.tiling.small, self.geometry
        every = [(one, small if one.tile and small else self.tiling.tile) for _, blocks in self.parts for one in blocks]
        return [(block, tile, g.groups * -(-g.filters // tile.window.filters)) for block, tile in every]

    def has_rows(self, tile: int) -> bool:
        """Is there a block of more than one row of outputs for tiles of that size?"""
        return any(block.rows > 1 for _, blocks in self.parts for block in blocks if block.tile == tile)


def tilings(geometry: Geometry, *, single: bool = False) -> Iterator[Tiling]:
    """All that are possible. `single`: of one size of tiles."""
    for filters in range(1, min(MOST_FILTERS // geometry.sum_registers, geometry.filters) + 1):
        most = min(geometry.columns, (REGISTERS - FEWEST_OPERANDS) // (filters * geometry.sum_registers))
        alone = [tile for size in range(1, most + 1) if (tile := _tile(geometry, filters, size))]
        yield from map(Tiling, alone)
        for tile in [] if single else alone:
            for size in range(1, tile.window.positions):
                small = replace(tile, window=replace(tile.window, positions=size))
                tiles = Tiling(tile, small)
                if all(tiles.counts(geometry.columns)):
                    yield tiles


def _tile(geometry: Geometry, filters: int, positions: int) -> Tile | None:
    """With as many pairs of channels in a turn of its loop as cost least and stay in the cache."""
    window = Window(filters, positions, geometry.window[1], geometry.strides[1], geometry.sum_registers)
    ways = [
        Tile(
            window, geometry.words, geometry.column_bytes, geometry.outputs, steps, geometry.tall, geometry.factor_bytes
        )
        for steps in range(1, min(geometry.words, MOST_STEPS) + 1)
    ]
    ways = [tile for tile in ways if tile.is_possible and tile.code_bytes <= CACHE_BYTES]
    return min(ways, key=lambda tile: (tile.cycles(), tile.code_bytes), default=None)


def plan(geometry: Geometry, tiles: Tiling, stripes: int) -> Plan:
    parts, most = [], 0
    for part in _stripes(geometry, tiles, stripes):
        regions, blocks, size = _cover(geometry, tiles, part)
        parts.append((tuple(regions), tuple(blocks)))
        most = max(most, size)
    return Plan(geometry, tiles, tuple(parts), most)


def _stripes(geometry: Geometry, tiles: Tiling, count: int) -> Iterator[Part]:
    """Rows of outputs, or where there is one alone its columns."""
    along_rows = geometry.rows > 1
    length, unit = (geometry.rows, 1) if along_rows else (geometry.columns, tiles.tile.window.positions)
    units = -(-length // unit)
    step = unit * -(-units // count)
    for start in range(0, length, step):
        own = (min(start, max(0, length - unit)), min(start + step, length))  # never less than a tile
        yield Part(own, (0, geometry.columns)) if along_rows else Part((0, geometry.rows), own)


def _cover(geometry: Geometry, tiles: Tiling, part: Part) -> tuple[list[Region], list[Block], int]:
    """Regions and blocks of a part, and the bytes of all regions."""
    regions: list[Region] = []
    size = 0
    runs: list[tuple[View, list[tuple[int, Tile]]]] = []
    begin, end = part.columns
    stride, taps = geometry.strides[1], geometry.window[1]
    in_place = View(False, 0, 2 * geometry.width * geometry.all_channels, 0, 0)

    def copied(first: int, last: int) -> View:
        """Of positions first..last what they see."""
        nonlocal size
        region, view, bytes_ = _copy(
            geometry, part, first * stride - geometry.left, (last - first) * stride + taps, size
        )
        regions.append(region)
        size += bytes_
        return view

    whole = None if geometry.in_place else copied(begin, end - 1)
    for start, tile in tiles.sequence(end - begin, apart=geometry.in_place):
        position = begin + start
        left = position * stride - geometry.left
        hangs = left < 0 or left + tile.window.columns > geometry.width
        view = whole or (copied(position, position + tile.window.positions - 1) if hangs else in_place)
        last = runs[-1] if runs else None
        if last and last[0] == view and last[1][-1][1] == tile and last[1][-1][0] + tile.window.positions == position:
            last[1].append((position, tile))
        else:
            runs.append((view, [(position, tile)]))
    blocks = [
        _block(geometry, tiles, rows, view, run) for rows in _equal_rows(geometry, part.rows) for view, run in runs
    ]
    return regions, blocks if geometry.tall else _both_ends(geometry, blocks), size


def _both_ends(geometry: Geometry, blocks: list[Block]) -> list[Block]:
    """Two tiles that are copied, at both ends of a row of outputs, become two rows of one block."""
    if len(blocks) != 3 or blocks[0].rows > 1 or blocks[0][:2] != blocks[2][:2] or blocks[0].tiles != blocks[2].tiles:
        return blocks
    first, inner, last = blocks
    row_bytes = geometry.columns * geometry.outputs * geometry.store_bytes
    next_input = last.input - first.input + first.next_input - geometry.strides[0] * first.row_bytes
    next_output = last.output - first.output + first.next_output - row_bytes
    return [first._replace(rows=2, next_input=next_input, next_output=next_output), inner]


def _copy(geometry: Geometry, part: Part, first: int, count: int, offset: int) -> tuple[Region, View, int]:
    """Columns first.. of the rows that a part sees. The zeros behind one row are those before the next."""
    top = max(0, part.rows[0] * geometry.strides[0] - geometry.top)
    bottom = min(geometry.height, (part.rows[1] - 1) * geometry.strides[0] - geometry.top + geometry.window[0])
    low = min(max(first, 0), geometry.width)
    inside = max(0, min(first + count, geometry.width) - low)
    left = min(count, max(0, -first))
    gap = max(left, count - left - inside)
    start, above = (top * geometry.width + low) * geometry.all_channels, 0
    if geometry.fold:
        start, above = low * geometry.all_channels, top * geometry.fold[1] - geometry.fold[2]
    region = Region(start, offset, bottom - top, left, inside, gap, above)
    row_bytes = (inside + gap) * geometry.column_bytes
    return region, View(True, offset, row_bytes, top, first), region.rows * row_bytes + left * geometry.column_bytes


def _equal_rows(geometry: Geometry, rows: tuple[int, int]) -> Iterator[range]:
    """Rows of outputs whose windows have the same rows inside."""
    for _, group in groupby(range(*rows), geometry.window_rows):
        own = list(group)
        yield range(own[0], own[-1] + 1)


def _block(geometry: Geometry, tiles: Tiling, rows: range, view: View, run: list[tuple[int, Tile]]) -> Block:
    position, tile = run[0]
    outputs = geometry.outputs * geometry.store_bytes
    first, end = geometry.window_rows(rows[0])
    above = rows[0] * geometry.strides[0] - geometry.top + first - view.top
    column = position * geometry.strides[1] - geometry.left - view.left
    covered = len(run) * tile.window.positions
    return Block(
        tile=int(tile != tiles.tile),
        in_scratch=int(view.in_scratch),
        input=view.offset + above * view.row_bytes + column * geometry.column_bytes,
        weights=first * tile.weights_pitch,
        output=(rows[0] * geometry.columns + position) * outputs,
        tiles=len(run),
        rows=len(rows),
        window_rows=end - first,
        row_bytes=view.row_bytes,
        next_input=geometry.strides[0] * view.row_bytes - covered * geometry.strides[1] * geometry.column_bytes,
        next_output=(geometry.columns - covered) * outputs,
    )
