"""How a convolution by patches reads its map: in place, or from a frame, a copy of 16 bits with its padding around it.

Data of one dimension becomes a column: rows of one position. There windows of neighbours overlap in memory, so that the
tile reads them from the frame, and nothing is laid out side by side.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mcusim.kernels.calls import Fields
from mcusim.kernels.patches.copy import CALL_CYCLES as GATHER_CYCLES
from mcusim.kernels.patches.copy import Window
from mcusim.kernels.widen import widen_cycles
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import Pair, plane, reach
from mcusim.numbers.integers import unless_zero
from mcusim.system.arrays import Array

CLEAR_CYCLES = 4.3  # of a number of the padding
FRAME_CYCLES, ROW_CYCLES, PIXEL_CYCLES = 8, 11, 10  # of the C around a frame, a row of it, a position
SEGMENT_CYCLES = 15  # of the C around positions of one row that are gathered


class Stripe(NamedTuple):
    """Positions from `start` to `stop`, laid out from `first` on: a last tile begins before `start` if it has to."""

    first: int
    start: int
    stop: int


def stripes_of(positions: int, length: int, tile: int) -> list[Stripe]:
    """`length`: of each but the last, in positions; `tile`: positions of a tile."""
    starts = range(0, positions, length)
    ends = [min(start + length, positions) for start in starts]
    return [Stripe(min(start, stop - tile), start, stop) for start, stop in zip(starts, ends, strict=True)]


@dataclass(frozen=True)
class Frame:
    """Sizes and steps as (rows, columns); `channels` are those of a group.

    `pixel` and `pitch`: numbers from a position of the frame to the next one, and from row to row. Groups share a frame
    of all channels where each finds its own on whole words; else each has its own. `item_bytes`: of an input.
    """

    input: Pair
    output: Pair
    channels: int
    groups: int
    size: Pair
    strides: Pair
    dilation: Pair
    before: Pair  # zeros above, to the left
    after: Pair
    item_bytes: int
    weight_bytes: int

    @property
    def positions(self) -> int:
        return math.prod(self.output)

    @property
    def in_place(self) -> bool:
        """Is the map as it lies already what the frame would be?"""
        return self.item_bytes == 2 and self.channels % 2 == 0 and not any(self.before + self.after)

    @property
    def is_shared(self) -> bool:
        return self.groups == 1 or self.channels % 2 == 0

    @property
    def frame_channels(self) -> int:
        """That are brought into a frame."""
        return self.channels * (self.groups if self.is_shared else 1)

    @property
    def pixel(self) -> int:
        """Runs of one tap begin on words, at the price of a number between them."""
        return self.frame_channels + (self.channels % 2 if self.size[1] == 1 else 0)

    @property
    def pitch(self) -> int:
        numbers = (self.input[1] + self.before[1] + self.after[1]) * self.pixel
        return numbers + numbers % 2

    @property
    def by_taps(self) -> bool:
        """Is each tap a run of its own? Otherwise a row of the window is one."""
        return self.size[1] > 1 and (self.dilation[1] > 1 or self.frame_channels > self.channels)

    @property
    def run(self) -> int:
        """Numbers."""
        return self.channels * (1 if self.by_taps else self.size[1])

    @property
    def words(self) -> int:
        """Of a patch: pairs of numbers; the last of an odd run meets a weight of 0."""
        return self.size[0] * (self.size[1] if self.by_taps else 1) * -(-self.run // 2)

    @property
    def is_one_run(self) -> bool:
        """Do positions follow each other in a column, each with all that it sees in one run?"""
        together = self.size[0] == 1 or (self.dilation[0] == 1 and self.pitch == 2 * -(-self.run // 2))
        return self.output[1] == 1 and not self.by_taps and together

    @property
    def position_step(self) -> int:
        """Bytes from position to position of a row, or of a column."""
        return 2 * (self.strides[0] * self.pitch if self.output[1] == 1 else self.strides[1] * self.pixel)

    def window(self, positions: int) -> Window:
        taps = self.size[1] if self.by_taps else 1
        row_step, tap_step = 2 * self.dilation[0] * self.pitch, 2 * self.dilation[1] * self.pixel
        steps = (row_step, taps, tap_step if taps > 1 else 0)
        return Window(self.size[0], *steps, -(-self.run // 2), positions, self.position_step)

    @cached_property
    def reach(self) -> int:
        """Rows that a window stretches over."""
        return reach(self.size, self.dilation)[0]

    def rows(self, first: int, stop: int) -> int:
        """Of the frame for these positions."""
        spanned = (stop - 1) // self.output[1] - first // self.output[1]
        return spanned * self.strides[0] + self.reach

    def numbers(self, stripes: Iterable[Stripe]) -> int:
        """Of the frame; one more is read behind an odd run."""
        if self.in_place:
            return 0
        numbers = max(self.rows(stripe.first, stripe.stop) for stripe in stripes) * self.pitch + 1
        return numbers + numbers % 2

    def fields(self) -> Fields:
        """For C."""
        fields: dict[str, Any] = {"input_height": self.input[0], "input_width": self.input[1]}
        fields |= {"output_width": self.output[1], "positions": self.positions, "groups": self.groups}
        fields |= {"input_channels": self.channels * self.groups, "padding_top": self.before[0]}
        fields |= {"padding_left": self.before[1], "stride_height": self.strides[0], "stride_width": self.strides[1]}
        fields |= {"reach": self.reach, "pixel": self.pixel, "pitch": self.pitch}
        return unless_zero(**fields, frame_channels=self.frame_channels)

    def taps(self, kernel: Array) -> Array:
        """Filters (n, rows, columns, channels) -> (n, 2 x words), zeros where a run is odd."""
        rows, columns = self.size
        runs = kernel.reshape(len(kernel), rows * (columns if self.by_taps else 1), -1)
        return np.pad(runs, ((0, 0), (0, 0), (0, runs.shape[-1] % 2))).reshape(len(kernel), -1)

    def cycles(self, stripe: Stripe) -> float:
        """Of a frame."""
        if self.in_place:
            return 0
        top = stripe.first // self.output[1] * self.strides[0] - self.before[0]
        rows = self.rows(stripe.first, stripe.stop)
        inside = max(0, min(top + rows, self.input[0]) - max(top, 0))
        cleared = (rows - inside) * self.pitch + inside * (self.pitch - self.input[1] * self.pixel)
        own, width = self.frame_channels, self.input[1]
        if self.is_contiguous:
            moved = widen_cycles(inside * self.pitch, self.item_bytes)
        elif self.is_alike:
            moved = inside * (ROW_CYCLES + widen_cycles(width * own, self.item_bytes, width * own))
        else:
            moved = inside * (
                (width > 1) * ROW_CYCLES / 2
                + width * (PIXEL_CYCLES + widen_cycles(own, self.item_bytes, self.channels * self.groups))
            )
        return FRAME_CYCLES + moved + CLEAR_CYCLES * cleared

    @property
    def is_contiguous(self) -> bool:
        """Are the map's rows, as they lie, those of the frame?"""
        return self.is_alike and self.pitch == self.input[1] * self.pixel

    @property
    def is_alike(self) -> bool:
        """Is a row of the map one of the frame, but for the padding?"""
        return self.frame_channels == self.pixel == self.channels * self.groups

    def gather_cycles(self, window: Window, stripe: Stripe) -> float:
        """Of a group."""
        positions = window.positions * math.ceil((stripe.stop - stripe.start) / window.positions)
        rows = (stripe.stop - 1) // self.output[1] - stripe.start // self.output[1] + 1
        segments = rows if self.output[1] > 1 else 1  # a column is as good as a row
        segments += (stripe.first < stripe.start) or (stripe.stop - stripe.start) % window.positions > 0
        return positions * window.cycles + segments * (GATHER_CYCLES + SEGMENT_CYCLES)


def frame_of(layer: Convolution) -> Frame:
    """Of a layer."""
    height, width, channels = plane(layer.input_shape)
    rows, columns, _ = plane(layer.shape)
    (top, bottom), (left, right) = layer.padding
    bottom, right = _needed(layer, 0, height, rows), _needed(layer, 1, width, columns)
    size = (layer.kernel.shape[1], layer.kernel.shape[2])
    frame = Frame(
        (height, width),
        (rows, columns),
        channels // layer.groups,
        layer.groups,
        size,
        layer.strides,
        layer.dilation,
        (top, left),
        (bottom, right),
        layer.number_bytes,
        layer.weight_bytes,
    )
    if size == (1, 1) and layer.strides == (1, 1) and not any(frame.before + frame.after):
        return replace(frame, input=(height * width, 1), output=(rows * columns, 1))
    return _turned(frame) if height == rows == size[0] == 1 and not top else frame


def _needed(layer: Convolution, axis: int, length: int, outputs: int) -> int:
    """Zeros behind the map that a window sees: the last windows need not reach all of the padding."""
    size, dilation = layer.kernel.shape[1 + axis], layer.dilation[axis]
    last: int = (outputs - 1) * layer.strides[axis] + (size - 1) * dilation + 1
    return max(0, last - layer.padding[axis][0] - length)


def _turned(f: Frame) -> Frame:
    """Rows and columns exchanged."""
    pairs = ("input", "output", "size", "strides", "dilation", "before", "after")
    return replace(f, **{name: getattr(f, name)[::-1] for name in pairs})
