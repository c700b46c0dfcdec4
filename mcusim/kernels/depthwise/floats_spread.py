"""Inputs of float32 as depthwise convolutions read them: planes of 4 channels, with zeros around."""

from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.assembly import Assembly, Timed
from mcusim.kernels.depthwise.frame import Pointer
from mcusim.kernels.depthwise.spread import over_rows, timed
from mcusim.kernels.depthwise.window import CHANNELS
from mcusim.program import KernelCall

AT_ONCE = 8  # numbers in registers
POSITIONS = 8  # at most, that are unrolled


class FloatSpread(NamedTuple):
    """`width` columns of each row of `input_width`, from column `before` of the planes on, whose rows have
    `row_columns`; around them lie zeros. `channels`: of the input.
    """

    channels: int
    input_width: int
    width: int
    before: int
    row_columns: int


@lru_cache(maxsize=256)
def float_spread(shape: FloatSpread) -> Timed:
    return _Spreading(shape).routine()


class _Spreading:
    def __init__(self, shape: FloatSpread) -> None:
        self.shape = shape
        self.name = f"nn_depthwise_spread_float_{'_'.join(map(str, shape))}"
        self.a = a = Assembly(self.name, _head(self.name, shape))
        a.register("input", "r0", "rows of positions of all channels")
        a.register("planes", "r1", "rows of 4 channels")
        a.register("rows", "r2", "that are left")
        a.register("zero", "lr")
        a.register("left", "r12", "turns of the loop over positions")
        self.x, self.planes = Pointer(a, "input"), Pointer(a, "planes")
        self.row_cycles = over_rows(a, self._row)

    def routine(self) -> Timed:
        twin = KernelCall("depthwise_float_spread", ("input", "planes", "rows"), self.shape._asdict())
        signature = "const void *input, void *planes, int rows"
        return timed(self.a.routine(signature, twin), self.a, self.row_cycles)

    @property
    def _channels(self) -> int:
        return min(CHANNELS, self.shape.channels)

    def _row(self) -> None:
        a, shape = self.a, self.shape
        self.x.moved = self.planes.moved = 0
        after = range(shape.before + shape.width, shape.row_columns)
        for column in (*range(shape.before), *after):
            self._store(("zero",) * self._channels, column)
        turns = shape.width // POSITIONS if shape.width >= 2 * POSITIONS else 0
        if turns:
            self.planes.move(4 * shape.before)
            with a.counted("positions", f"{POSITIONS} positions", "left", turns):
                x, planes = self.x.moved, self.planes.moved
                self._positions(range(POSITIONS))
                self.x.move(x + POSITIONS * 4 * shape.channels)
                self.planes.move(planes + POSITIONS * 4)
            self.x.moved, self.planes.moved = (
                turns * POSITIONS * 4 * shape.channels,
                4 * (shape.before + turns * POSITIONS),
            )
        self._positions(range(turns * POSITIONS, shape.width))
        self.x.move(shape.input_width * 4 * shape.channels)
        self.planes.move(shape.row_columns * 4 * CHANNELS)

    def _positions(self, positions: range) -> None:
        """Some at a time: loads in one burst, then stores."""
        some = AT_ONCE // self._channels
        for first in range(positions.start, positions.stop, some):
            there = range(first, min(first + some, positions.stop))
            names = [
                [f"r{3 + index * self._channels + c}" for c in range(self._channels)] for index in range(len(there))
            ]
            self.a.block(f"Positions from {first} on")
            for position, own in zip(there, names, strict=True):
                for channel, name in enumerate(own):
                    place = 4 * (position * self.shape.channels + channel)
                    self.x.reach(place, place)
                    self.a("ldr", name, self.x.at(place))
            for position, own in zip(there, names, strict=True):
                self._store(tuple(own), self.shape.before + position)

    def _store(self, names: tuple[str, ...], column: int) -> None:
        for channel, name in enumerate(names):
            place = 4 * (channel * self.shape.row_columns + column)
            self.planes.reach(4 * column, place)
            self.a("str", name, self.planes.at(place))


def _head(name: str, shape: FloatSpread) -> list[str]:
    return [
        f"{name}: float32 as the planes of up to 4 channels.",
        "",
        f"input    [rows][{shape.input_width} positions][{shape.channels} channels], from the first of up to 4 on",
        f"planes   [rows][4 channels][{shape.row_columns} columns]",
        "",
        f"{shape.width} positions of a row are read, and lie from column {shape.before} on; zeros are around them.",
    ]
