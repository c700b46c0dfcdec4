"""A function of one number on integers: a table of all results up to 8 bits, beyond lines between the entries of one.

`look_up` makes a `Lookup` from a function and the numbers before and after it, of any number system; its twin is
`codegen/numbers/lookup.h`. The bound of its error is measured over every input there is, when it is made:

- up to 8 bits the nearest number: half a quantum of the output, which saturation may add to;
- beyond, at most MOST_SEGMENTS lines where the function is curved, and a straight line to either side: as many as bring
  the error below QUANTA. Where these do not suffice `error_quanta` says so: a softsign whose input reaches to 120 is
  off by 270 quanta of 32767, an exponential by 30, and a curve that saturates at both ends by 20.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np

from mcusim.numbers.integers import unless_zero
from mcusim.numbers.numbers import Fields, Numbers
from mcusim.system.arrays import Array

DIRECT_BITS = 8  # 256 bytes
MOST_SEGMENTS = 1024  # 2 KiB
QUANTA = 1.5
STRAIGHT_QUANTA = 0.25  # from a straight end, where the table begins
LARGEST_PRODUCT, LARGEST_SHIFT = 2**30, 30  # with half of the last place 31 bits are not full
LONGEST_SEGMENT = 15  # log2; times a rise of 16 bits
WIDE = 2.0**24  # beyond every output, within 32 bits


class RealFunction(Protocol):
    """`slopes`: of the lines that it comes near to far below and far above 0."""

    @property
    def slopes(self) -> tuple[float, float]: ...
    def exact(self, x: Array) -> Array: ...


@dataclass(frozen=True, eq=False)
class Lookup:
    """Stored numbers -> stored numbers. `table` holds a result for each number from `entry.minimum` on.

    `error_quanta`: the largest difference to the true function, saturated, in quanta of `numbers`.
    """

    entry: Numbers
    numbers: Numbers
    table: Array
    error_quanta: float = 0.0

    kernel: ClassVar[str] = "pointwise"  # in C

    @property
    def tables(self) -> Mapping[str, Array]:
        return {"table": self.table} if self.table.size else {}

    def apply(self, x: Array) -> Array:
        return np.asarray(self.table[x.astype(np.int64) - self.entry.minimum])

    def fields(self) -> Fields:
        """Of `nn_lookup_t`, which has none where the table says all."""
        return {}


@dataclass(frozen=True)
class Line:
    """y = base + slope (x - origin), the slope as a factor and a shift to the right."""

    origin: int
    base: int
    factor: int = 0
    shift: int = 0

    def apply(self, x: Array) -> Array:
        product = (x.astype(np.int64) - self.origin) * self.factor
        return np.asarray(self.base + (product + (1 << self.shift >> 1) >> self.shift))


@dataclass(frozen=True, eq=False)
class Interpolation(Lookup):
    """`table`: results at `below.origin`, and every 2**shift after it up to `above.origin`. Two lines go on outside."""

    below: Line = field(default=Line(0, 0))
    above: Line = field(default=Line(0, 0))
    shift: int = 0

    def apply(self, x: Array) -> Array:
        x = x.astype(np.int64)
        y = np.where(x < self.below.origin, self.below.apply(x), self.above.apply(x))
        inside = (x >= self.below.origin) & (x < self.above.origin)
        if self.table.size:
            position = np.where(inside, x - self.below.origin, 0)
            index, rest = position >> self.shift, position & ((1 << self.shift) - 1)
            left = self.table.astype(np.int64)[index]
            rise = self.table.astype(np.int64)[index + 1] - left
            y = np.where(inside, left + (rise * rest + (1 << self.shift >> 1) >> self.shift), y)
        return np.clip(y, self.numbers.minimum, self.numbers.maximum).astype(self.numbers.dtype)

    def fields(self) -> Fields:
        below, above = self.below, self.above
        lookup = {"start": below.origin, "end": above.origin, "shift": self.shift}
        lookup |= {"below": below.base, "below_factor": below.factor, "below_shift": below.shift}
        lookup |= {"above": above.base, "above_factor": above.factor, "above_shift": above.shift}
        return {"lookup": unless_zero(**lookup)}


def look_up(function: RealFunction, entry: Numbers, numbers: Numbers) -> Lookup:
    """The function on integers of `entry`, its results in `numbers`."""
    every = np.arange(entry.minimum, entry.maximum + 1)
    true = _in_quanta(function, every, entry, numbers)
    if entry.bits <= DIRECT_BITS:
        table = _stored(true, numbers)
        return Lookup(entry, numbers, table, _error(table, true, numbers))
    return _Search(function, entry, numbers, every, true).best()


@dataclass(frozen=True, eq=False)
class _Search:
    """For the shortest table that is good enough. `true`: what the function makes of `every` input, in quanta."""

    function: RealFunction
    entry: Numbers
    numbers: Numbers
    every: Array
    true: Array

    def best(self) -> Interpolation:
        start, end = self._curved()
        for shift in range(min((end - start).bit_length(), LONGEST_SEGMENT), -1, -1):
            # A kink is the last number on the line to its left, a jump the first that is not. One may be at the end.
            aligned = end + (start - end >> shift << shift)
            tried = [self._made(first, end, shift) for first in dict.fromkeys((start, start - 1, aligned))]
            errors = [self._error(made) for made in tried]
            made = tried[errors.index(min(errors))]
            if min(errors) <= QUANTA or len(made.table) > MOST_SEGMENTS // 2 + 1:
                break
        return replace(made, error_quanta=min(errors))

    def _error(self, made: Interpolation) -> float:
        """Of all inputs where it is small; a part of them tells that it is not."""
        for every in (slice(None, None, 61), slice(None)):
            error = _error(made.apply(self.every[every]), self.true[every], self.numbers)
            if error > QUANTA and len(made.table) <= MOST_SEGMENTS // 2 + 1:
                break
        return error

    def _curved(self) -> tuple[int, int]:
        """The inputs where the function is near to neither of the lines at its ends."""
        above, below = self._apart(-1, self.slopes[-1]), self._apart(0, self.slopes[0])
        last = len(self.every) - 1
        end = int(above[-1]) + 1 if above.size else 0
        start = min(int(below[0]) if below.size else last, end)
        return int(self.every[min(start, last)]), int(self.every[min(end, last)])

    @cached_property
    def slopes(self) -> tuple[float, float]:
        """Of the two lines, in quanta of the output for one of the input; a line may be flat where all is saturated."""
        scale = _quantum(self.entry)[1] / _quantum(self.numbers)[1]
        left, right = (
            min((slope * scale, 0.0), key=lambda one: self._apart(end, one).size)
            for slope, end in zip(self.function.slopes, (0, -1), strict=True)
        )
        return left, right

    def _apart(self, end: int, slope: float) -> Array:
        """Where the function is not near to the line of that slope through its end: 0 is the left one, -1 the right."""
        line = self._saturated(self._line(end, slope, self.every))
        return np.flatnonzero(np.abs(line - self._saturated(self.true)) > STRAIGHT_QUANTA)

    def _made(self, first: int, end: int, shift: int) -> Interpolation:
        segments = max(-((first - end) >> shift), 0)
        nodes = first + (np.arange(segments + 1) << shift)
        values = _stored(_in_quanta(self.function, nodes, self.entry, self.numbers), self.numbers)
        return Interpolation(
            self.entry,
            self.numbers,
            values if segments else values[:0],
            below=self._stored_line(0, first),
            above=self._stored_line(-1, end),
            shift=shift if segments else 0,
        )

    def _line(self, end: int, slope: float, x: Array) -> Array:
        return np.asarray(np.clip(self.true[end] + slope * (x - self.every[end]), -WIDE, WIDE))

    def _stored_line(self, end: int, origin: int) -> Line:
        slope = self.slopes[end]
        base = float(self._line(end, slope, np.array(origin)))
        largest = LARGEST_PRODUCT // max(abs(origin - int(self.every[end])), 1)
        shift, factor = 0, min(max(slope, -largest), largest)
        while factor != round(factor) and abs(factor) * 2 <= largest and shift < LARGEST_SHIFT:
            factor, shift = factor * 2, shift + 1
        limit = 2 * self.numbers.minimum
        return Line(
            origin, int(np.clip(np.floor(base + 0.5), limit, -limit)), round(factor), shift if round(factor) else 0
        )

    def _saturated(self, quanta: Array) -> Array:
        return np.clip(quanta, self.numbers.minimum, self.numbers.maximum)


def _quantum(numbers: Numbers) -> tuple[float, float]:
    """The real that 0 stands for, and from one stored number to the next."""
    zero, one = (float(real) for real in numbers.decode(np.array([0, 1])))
    return zero, one - zero


def _in_quanta(function: RealFunction, x: Array, entry: Numbers, numbers: Numbers) -> Array:
    """Results as stored numbers would be, were they neither rounded nor saturated; nothing is beyond 2**24."""
    zero, quantum = _quantum(numbers)
    with np.errstate(over="ignore"):
        return np.clip((function.exact(entry.decode(x)) - zero) / quantum, -WIDE, WIDE)


def _stored(quanta: Array, numbers: Numbers) -> Array:
    return np.clip(np.floor(quanta + 0.5), numbers.minimum, numbers.maximum).astype(numbers.dtype)


def _error(stored: Array, true: Array, numbers: Numbers) -> float:
    return float(np.abs(stored - np.clip(true, numbers.minimum, numbers.maximum)).max())
