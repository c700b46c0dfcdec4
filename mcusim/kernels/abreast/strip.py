"""Some channels of a depthwise convolution, as one function computes them: rows of outputs, in tiles side by side."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from mcusim.kernels.finish import Ending, FactorFinish
from mcusim.kernels.float_finish import FloatFinish
from mcusim.layers.planes import Padding, Pair

MOST_TURN = 4  # tiles of a turn
MOST_BYTES, MOST_CODE_BYTES = 750, 2400  # of a row, which stays in the L452's instruction cache; of all bands
ENTRY_BYTES = 240  # of code but for the rows, about
ENOUGH = 12  # positions of a turn, after which its loop is a small part of it


class Run(NamedTuple):
    """So many `times` a tile of some positions, of whose columns those from `low` on below `high` are there."""

    positions: int
    low: int
    high: int
    times: int

    @property
    def unroll(self) -> int:
        """Tiles of a turn of its loop."""
        enough = -(-ENOUGH // self.positions)
        return next(n for n in range(min(MOST_TURN, enough, self.times), 0, -1) if self.times % n == 0)

    @property
    def turns(self) -> int:
        return self.times // self.unroll


class Band(NamedTuple):
    """So many rows of outputs that see the same rows of the window: those from `low` on below `high`."""

    times: int
    low: int
    high: int

    @property
    def height(self) -> int:
        return self.high - self.low


@dataclass(frozen=True)
class Strip:
    """Of all channels, `rows` x `width` outputs. `size`, `strides`: height, width. `input`: height, width, channels.
    `item`: bytes of an input.

    How it runs: `group` channels at a time, in tiles of some `positions`, of which some columns are `loaded` at a time.
    `kept`: of `counters`, how many stay in registers.
    """

    size: Pair
    strides: Pair
    padding: Padding
    rows: int
    width: int
    input: tuple[int, int, int]
    item: int
    unsigned: bool
    finish: Ending | FloatFinish
    group: int = 1
    positions: int = 1
    loaded: int = 1
    kept: int = 0

    def of(self, group: int, positions: int, loaded: int = 1, kept: int = 0) -> "Strip":
        return replace(self, group=group, positions=positions, loaded=loaded, kept=kept)

    @property
    def left(self) -> int:
        """Columns of the window that hang over the map."""
        return self.padding[1][0]

    @property
    def input_width(self) -> int:
        return self.input[1]

    @property
    def channels(self) -> int:
        return self.input[2]

    @property
    def fields(self) -> dict[str, int]:
        """Those that the structures of both twins in C begin with."""
        sizes = {"window_height": self.size[0], "window_width": self.size[1]}
        strides = {"stride_height": self.strides[0], "stride_width": self.strides[1]}
        padding = {"padding_top": self.padding[0][0], "padding_left": self.left}
        places = {"rows": self.rows, "width": self.width, "group": self.group}
        inputs = {"input_height": self.input[0], "input_width": self.input_width, "channels": self.channels}
        return sizes | strides | padding | places | inputs

    @property
    def taps(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def is_eager(self) -> bool:
        """Does a sum end as soon as it is complete? Not where a factor would have to be loaded for it."""
        return not isinstance(self.finish, FactorFinish)

    @property
    def live(self) -> int:
        """Positions of a tile whose sums are in registers at a time."""
        if self.size[0] > 1 or not self.is_eager:
            return self.positions
        return min(self.positions, (self.loaded + self.size[1] - 2) // self.strides[1] + 1)

    def columns(self, positions: int) -> int:
        """Of inputs that so many positions see."""
        return (positions - 1) * self.strides[1] + self.size[1]

    @property
    def column_bytes(self) -> int:
        """From an input to that at its right."""
        return self.channels * self.item

    @property
    def row_bytes(self) -> int:
        return self.input_width * self.column_bytes

    @property
    def padded_bytes(self) -> int:
        """From where the first window begins to the map."""
        return self.padding[0][0] * self.row_bytes + self.left * self.column_bytes

    @property
    def position_bytes(self) -> int:
        """Of outputs."""
        return self.channels * self.finish.store_bytes

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Of a row of outputs."""
        found: list[Run] = []
        for first in range(0, self.width, self.positions):
            count = min(self.positions, self.width - first)
            start = first * self.strides[1] - self.left
            low, high = max(0, -start), min(self.columns(count), self.input_width - start)
            if found and found[-1][:3] == (count, low, high):
                found[-1] = Run(count, low, high, found[-1].times + 1)
            else:
                found.append(Run(count, low, high, 1))
        return tuple(found)

    def products(self, run: Run) -> int:
        """Of a tile, a channel and a row of the window."""
        return sum(1 for column in range(run.low, run.high) for _ in self.taps_of(column, run.positions))

    @cached_property
    def bands(self) -> tuple[Band, ...]:
        """Of outputs."""
        found: list[Band] = []
        for row in range(self.rows):
            start = row * self.strides[0] - self.padding[0][0]
            low, high = max(0, -start), min(self.size[0], self.input[0] - start)
            if found and found[-1][1:] == (low, high):
                found[-1] = Band(found[-1].times + 1, low, high)
            else:
                found.append(Band(1, low, high))
        return tuple(found)

    def taps_of(self, column: int, count: int) -> Iterator[tuple[int, int]]:
        """(position, tap of its row) of so many positions that see a column of a tile."""
        for position in range(count):
            tap = column - position * self.strides[1]
            if 0 <= tap < self.size[1]:
                yield position, tap

    @cached_property
    def places(self) -> tuple[int, ...]:
        """Of all first channels that a turn loads: bytes from where its first window begins."""
        found, rows = set[int](), {row for band in self.bands for row in range(band.low, band.high)}
        for run in self.runs:
            for tile in range(run.unroll):
                first = tile * run.positions * self.strides[1]
                columns = range(first + run.low, first + run.high)
                found |= {row * self.row_bytes + c * self.column_bytes for row in rows for c in columns}
        return tuple(sorted(found))

    @property
    def key(self) -> str:
        shape = f"{'x'.join(map(str, self.size))}_by{'x'.join(map(str, self.strides))}"
        number = "float" if isinstance(self.finish, FloatFinish) else f"{8 * self.item}{'u' * self.unsigned}"
        of = f"{self.rows}x{self.width}_of_{'x'.join(map(str, self.input))}_{self.padding[0][0]}_{self.left}"
        return f"{number}_{shape}_{of}_{self.group}x{self.positions}x{self.loaded}_k{self.kept}_{self.finish.key}"

    @property
    def counters(self) -> tuple[str, ...]:
        """What is counted or walks, the most often first; `kept` of them stay in registers."""
        turns, rows = any(run.turns > 1 for run in self.runs), any(band.times > 1 for band in self.bands)
        return (*(("turns",) if turns else ()), *(("rows",) if rows else ()), "blocks", "weights")

    @property
    def sees_something(self) -> bool:
        """Does each window see the map?"""
        return all(run.low < run.high for run in self.of(1, 1).runs) and all(band.height > 0 for band in self.bands)


def stays(strip: Strip, band_bytes: Callable[[Strip, Band], float]) -> bool:
    """Does the code of a row stay in the cache, and is that of all not too long?"""
    every = [band_bytes(strip, band) for band in strip.bands]
    return max(every) <= MOST_BYTES and sum(every) <= MOST_CODE_BYTES
