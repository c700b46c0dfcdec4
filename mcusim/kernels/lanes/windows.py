"""Max pools with channels side by side: whole windows in one routine, those at the edges in another that takes any."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from mcusim.graph import Shape
from mcusim.kernels.assembly import Timed
from mcusim.kernels.calls import Fields, window_fields
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.sliding import OneWindow, SideBySide, Window, Windows, Writer
from mcusim.kernels.lanes.words import FEW_WORDS, WORD_BYTES, Words, fetched, unaligned, words_of_layer
from mcusim.kernels.memory import Memory
from mcusim.layers.planes import NO_PADDING, Padding, Pair, plane, shape_like
from mcusim.layers.pooling import MaxPooling, Pooling
from mcusim.program import KernelCall, LayerCode, Routine

# Fitted, of the C around the routines: a layer, a row of outputs, the call of a routine, a window at an edge
LAYER, ROW, CALL, EDGE = 2.0, 4.0, 5.0, 14.0
FEW_TAPS = 4  # of float32, for which code for twice as many words stays in the instruction cache
LARGEST_LOOP = 1000  # bytes of code, that stay in the cache
MOST_TAPS = 9  # that have instructions of their own: the loop stays in the instruction cache
HOW = (
    "Words of channels are compared at once: SEL takes of each two numbers the one that the comparison",
    "before it told. Of real numbers that are equal the first stays, as in plain C.",
)


@dataclass(frozen=True)
class Axis:
    """Windows along an axis. `taps`: of each, those inside the plane."""

    size: int
    taps: tuple[int, ...]
    first: int  # window that is whole
    whole: int  # so many follow one another

    @property
    def all_whole(self) -> bool:
        return self.whole == len(self.taps)


def axis_of(size: int, stride: int, before: int, length: int, outputs: int) -> Axis:
    starts = [index * stride - before for index in range(outputs)]
    taps = tuple(min(start + size, length) - max(start, 0) for start in starts)
    first = next((index for index, count in enumerate(taps) if count == size), 0)
    return Axis(size, taps, first, taps.count(size))


@dataclass(frozen=True)
class Pool:
    """`whole` is None where no window is, `any` where all are."""

    rows: Axis
    columns: Axis
    whole: Timed | None
    any: Window | None
    misplaced: float  # cycles of a tap, for words that are not aligned
    complete: bool  # are all windows whole?

    def cycles(self, memory: Memory) -> float:
        return LAYER + fetched(self.routines, memory) + sum(ROW + self._row(rows) for rows in self.rows.taps)

    @property
    def routines(self) -> tuple[Routine, ...]:
        return tuple(made.routine for made in (self.whole, self.any) if made is not None)

    def _row(self, rows: int) -> float:
        """A row of outputs, whose windows have so many rows."""
        together = self.whole is not None and rows == self.rows.size
        total = 0.0
        if self.whole is not None and together:
            total = CALL + self.whole.cycles(self.columns.whole)
        if self.any is not None:
            inside = range(self.columns.first, self.columns.first + self.columns.whole) if together else range(0)
            for index, columns in enumerate(self.columns.taps):
                if index not in inside:
                    total += EDGE + self.any.cycles(rows, columns) + rows * columns * self.misplaced
        return total


class Routines(NamedTuple):
    """What computes windows. `most_taps`: that have instructions of their own.

    `any_size`: by channels and the bytes of a row; None where nothing does.
    """

    most_taps: int
    whole: Callable[[Windows], Timed]
    any_size: Callable[[int, int], Window | None]


def why_no_window(layer: Pooling, inputs: Inputs) -> str | None:
    if layer.shape[-1] == 1 and isinstance(layer, MaxPooling):
        return "it takes several channels at a time"  # one of float32 costs more than in plain C
    if layer.shape[-1] * inputs[0].dtype.itemsize < WORD_BYTES:
        return "it takes a word of channels at a time"
    if any(min(axis.taps) <= 0 for axis in _axes(flattened(layer))):
        return "windows lie wholly in the padding"
    return None


def pool_of(flat: Pooling, words: Words, routines: Routines) -> Pool:
    """`flat`: as `flattened` has it."""
    (_, width, channels), size, strides = plane(flat.input_shape), flat.size, flat.strides
    rows, columns = _axes(flat)
    pixel = channels * words.number_bytes
    windows = Windows(words, channels, *size, width * pixel if size[0] > 1 else 0, strides[1] * pixel)
    whole = (
        routines.whole(windows) if windows.is_straight(routines.most_taps) and rows.whole and columns.whole else None
    )
    if whole is not None and whole.routine.code_bytes > LARGEST_LOOP:
        whole = None
    complete = whole is not None and rows.all_whole and columns.all_whole
    other = None if complete else routines.any_size(channels, width * pixel)
    return Pool(rows, columns, whole, other, unaligned(pixel) * -(-pixel // WORD_BYTES), complete)


def _axes(flat: Pooling) -> tuple[Axis, Axis]:
    lengths, outputs = plane(flat.input_shape), flat.output_plane
    rows, columns = (
        axis_of(flat.size[axis], flat.strides[axis], flat.padding[axis][0], lengths[axis], outputs[axis])
        for axis in range(2)
    )
    return rows, columns


def largest(layer: MaxPooling, inputs: Inputs) -> Pool:
    flat, words = flattened(layer), words_of_layer(layer, inputs)
    shape, size, strides, padding = flat.input_shape, flat.size, flat.strides, flat.padding
    return _largest_of(words, shape, size, strides, padding, flat.shape)


@lru_cache(maxsize=256)
def _largest_of(words: Words, shape: Shape, size: Pair, strides: Pair, padding: Padding, output: Shape) -> Pool:
    several = FEW_WORDS if FEW_TAPS < size[0] * size[1] <= MOST_TAPS else words.several
    flat = MaxPooling(name="", inputs=(), shape=output, input_shape=shape, size=size, strides=strides, padding=padding)
    return pool_of(
        flat,
        words,
        Routines(
            MOST_TAPS,
            lambda windows: side_by_side(windows._replace(words=replace(words, several=several))),
            lambda channels, row_bytes: one_window(words, channels, row_bytes),
        ),
    )


def pooling(layer: Pooling, pool: Pool) -> LayerCode:
    flat = flattened(layer)
    output = shape_like(len(flat.input_shape) - 1, *flat.output_plane, layer.shape[-1])
    fields: Fields = window_fields(flat.input_shape, output, flat.size, flat.strides, flat.padding)
    del fields["output_channels"]  # as many as the input has
    columns = pool.columns
    if pool.whole is not None:
        fields |= {"first_column": columns.first} if columns.first else {}
        fields |= {"whole_columns": columns.whole, "whole": pool.whole.routine.name}
    if pool.any is not None:
        fields["any"] = pool.any.routine.name
    return LayerCode((KernelCall("pooling_lanes", ("input", "output"), fields),), routines=pool.routines)


def flattened(layer: Pooling) -> Pooling:
    """The same pool with windows of one row, where they span whole rows, which follow one another."""
    height, width, channels = plane(layer.input_shape)
    if layer.size[1] != width or layer.padding != NO_PADDING:
        return layer
    rows = layer.output_plane[0]
    return replace(
        layer,
        input_shape=(height * width, channels),
        shape=(rows, channels),
        size=(1, layer.size[0] * width),
        strides=(1, layer.strides[0] * width),
    )


@lru_cache(maxsize=256)
def side_by_side(windows: Windows) -> Timed:
    """Any number of windows that are whole."""
    return _Whole(f"nn_largest_{windows.words.key}_{windows.key}", windows).write()


@lru_cache(maxsize=256)
def one_window(words: Words, channels: int, row_bytes: int) -> Window:
    windows = Windows(words, channels, 0, 0, row_bytes, 0)
    return _Any(f"nn_largest_in_{words.key}_{channels}_{row_bytes}", windows).write()


class _Largest(Writer):
    KERNEL = "largest"

    def __init__(self, name: str, windows: Windows) -> None:
        super().__init__(name, windows.head(name, "largest numbers", HOW), windows, windows.words.several)

    @property
    def fields(self) -> Mapping[str, Any]:
        return {**({"unsigned_input": 1} if self.words.unsigned else {}), **self.words.limits()}

    def tap(self, base: str, offset: int, there: Sequence[int], *, first: bool) -> None:
        best, others = self.words.first[: len(there)], self.words.second[: len(there)]
        self.words.load(self.a, best if first else others, base, offset, there)
        if not first:
            self.words.larger(self.a, best, others)

    def end(self, count: int) -> Sequence[str]:
        best = self.words.first[:count]
        self.words.limit(self.a, best, self.words.second[0])
        return best


class _Whole(_Largest, SideBySide):
    MOST_TAPS = MOST_TAPS


class _Any(_Largest, OneWindow):
    @property
    def around(self) -> float:
        """Without the first tap, and one for what the last row leaves out."""
        return self.a.cycles - self.row - 2 * self.each
