"""Fused pair + rows of a band -> the same two layers on what a band sees, and where that begins."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from mcusim.graph import Layer, Shape, has_narrow_weights
from mcusim.kernels.kernel import Inputs
from mcusim.layers import Add, Convolution
from mcusim.layers.fused import Fused
from mcusim.layers.planes import Padding, Pair, plane, reach, shape_like
from mcusim.layers.pooling import Pooling

ALIGNMENT_BYTES = 4  # of what kernels read and write
COUNTS = (2, 4, 8, 16, 32)  # of bands that are tried


class Span(NamedTuple):
    """Rows from `start` to `stop`, of which so many more lie in the padding before and after."""

    start: int
    stop: int
    before: int = 0
    after: int = 0

    @property
    def rows(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Band:
    """`first` and `second` on the rows of a band. It begins at number `entry` of the input of `first`, and at
    number `output` of all that has the shape of the output.
    """

    first: Layer
    second: Layer
    inputs: Inputs  # of the pair, as large as the band sees them
    entry: int
    output: int

    @property
    def key(self) -> tuple[object, ...]:
        """Bands of one key are the same layers."""
        return _read_shape(self.first), self.first.shape, self.second.shape, *map(_padding, (self.first, self.second))

    @property
    def inputs_of_second(self) -> Inputs:
        there = {one.name: one for one in self.inputs} | {self.first.name: self.first}
        return tuple(_of_shape(there[name], self.second, self.first.name) for name in self.second.inputs)


class Run(NamedTuple):
    """Bands of one key, `times` one after the other, each so many numbers behind the one before."""

    band: Band
    times: int = 1
    entry_step: int = 0
    output_step: int = 0


def why_not(first: Layer, second: Layer) -> str | None:
    """Why the two cannot be cut into bands, or None. Whether anybody else reads `first` is not asked."""
    if not isinstance(first, Convolution) or not isinstance(second, (Convolution, Pooling, Add)):
        return "it is for a convolution, and a convolution, pool or sum behind it"
    if len(second.shape) != len(first.shape) or second.inputs.count(first.name) != 1:
        return "windows see the whole map, or it is read twice"
    if rows_of(second.shape, axis_of(first, second)) < 2:
        return "there is one row"
    own, other = first.arithmetic, second.arithmetic
    if (own is None) != (other is None) or (own and other and own.bits != other.bits):
        return "its layers compute in numbers of different widths"
    if second.weight_numbers is not None and has_narrow_weights(first) != has_narrow_weights(second):
        return "its layers have weights of different widths"
    return None if own is None or first.dtype.itemsize == own.dtype.itemsize else "it is stored in more bits"


def axis_of(first: Layer, second: Layer) -> int:
    """Maps of one row are cut across it."""
    return int(all(plane(shape)[0] == 1 for shape in (_read_shape(first), first.shape, second.shape)))


def rows_of(shape: Shape, axis: int) -> int:
    return plane(shape)[axis]


def rows_shared(layer: Layer, axis: int) -> int:
    """Of its input, that windows of neighbours both read."""
    if not isinstance(layer, (Convolution, Pooling)):
        return 0
    return max(0, _window(layer)[axis] - layer.strides[axis])


def lengths(pair: Fused, most_bytes: float = math.inf) -> list[int]:
    """Rows of bands that are tried, the longest first. `most_bytes` of what lies between the layers at a time."""
    axis = axis_of(pair.first, pair.second)
    every, between = rows_of(pair.shape, axis), rows_of(pair.first.shape, axis)
    row_bytes = pair.first.output_bytes / between

    def size_bytes(rows: int) -> float:
        return row_bytes * min(between, _reads(pair.second, Span(0, rows), axis).rows)

    tried = {-(-every // count) for count in COUNTS if count <= every}
    return sorted((rows for rows in tried if size_bytes(rows) <= most_bytes), reverse=True)


def computed_twice(pair: Fused, most_bytes: float = math.inf) -> float | None:
    """The least share of the first layer that neighbours both compute; None where no bands are short enough."""
    axis = axis_of(pair.first, pair.second)
    for rows in lengths(pair, most_bytes)[:1]:
        cuts = -(-rows_of(pair.shape, axis) // rows) - 1
        return cuts * rows_shared(pair.second, axis) / rows_of(pair.first.shape, axis)
    return None


def bands(pair: Fused, inputs: Inputs, rows: int) -> list[Band] | None:
    """So many rows of the output each, but the last. None where a band would see nothing, or not begin on a word."""
    axis = axis_of(pair.first, pair.second)
    every = rows_of(pair.shape, axis)
    made = [_band(pair, inputs, Span(start, min(start + rows, every)), axis) for start in range(0, every, rows)]
    found = [band for band in made if band is not None]
    sizes = [pair.first.dtype.itemsize, pair.dtype.itemsize, *(one.dtype.itemsize for one in inputs)]
    begins = [at * size for band in found for at in (band.entry, band.output) for size in sizes]
    return found if len(found) == len(made) and all(at % ALIGNMENT_BYTES == 0 for at in begins) else None


def runs(found: list[Band]) -> Iterator[Run]:
    """Those that a loop can run."""
    now = Run(found[0])
    for before, band in pairwise(found):
        step = band.entry - before.entry, band.output - before.output
        if band.key == now.band.key and (now.times == 1 or step == (now.entry_step, now.output_step)):
            now = Run(now.band, now.times + 1, *step)
        else:
            yield now
            now = Run(band)
    yield now


def _band(pair: Fused, inputs: Inputs, rows: Span, axis: int) -> Band | None:
    between = _reads(pair.second, rows, axis)
    entry = _reads(pair.first, between, axis)
    if min(between.rows, entry.rows) < 1:
        return None
    first, second = _cut(pair.first, entry, between, axis), _cut(pair.second, between, rows, axis)
    seen = tuple(replace(one, shape=_read_shape(first) if one.name in first.inputs else second.shape) for one in inputs)
    return Band(first, second, seen, _begin(_read_shape(pair.first), entry, axis), _begin(pair.shape, rows, axis))


def _of_shape(entry: Layer, second: Layer, between: str) -> Layer:
    """What a sum adds has its shape, also where the first layer reads more of it."""
    return entry if entry.name == between or entry.shape == second.shape else replace(entry, shape=second.shape)


def _reads(layer: Layer, rows: Span, axis: int) -> Span:
    if not isinstance(layer, (Convolution, Pooling)):
        return Span(rows.start, rows.stop)
    stride, there = layer.strides[axis], rows_of(layer.input_shape, axis)
    start = rows.start * stride - layer.padding[axis][0]
    stop = (rows.stop - 1) * stride - layer.padding[axis][0] + _window(layer)[axis]
    return Span(max(0, start), min(there, stop), max(0, -start), max(0, stop - there))


def _window(layer: Convolution | Pooling) -> Pair:
    return reach(layer.kernel.shape[1:3], layer.dilation) if isinstance(layer, Convolution) else layer.size


def _cut(layer: Layer, entry: Span, rows: Span, axis: int) -> Layer:
    shape = _with_rows(layer.shape, rows.rows, axis)
    if not isinstance(layer, (Convolution, Pooling)):
        return replace(layer, shape=shape)
    own = (entry.before, entry.after)
    padding = (own, layer.padding[1]) if axis == 0 else (layer.padding[0], own)
    return replace(layer, shape=shape, input_shape=_with_rows(layer.input_shape, entry.rows, axis), padding=padding)


def _read_shape(layer: Layer) -> Shape:
    return layer.input_shape if isinstance(layer, (Convolution, Pooling)) else layer.shape


def _padding(layer: Layer) -> Padding | None:
    return layer.padding if isinstance(layer, (Convolution, Pooling)) else None


def _with_rows(shape: Shape, rows: int, axis: int) -> Shape:
    height, width, channels = plane(shape)
    sizes = (rows, width) if axis == 0 else (height, rows)
    return shape_like(len(shape) - 1, *sizes, channels)


def _begin(shape: Shape, rows: Span, axis: int) -> int:
    _, width, channels = plane(shape)
    return rows.start * channels * (width if axis == 0 else 1)
