"""Sums of windows -> means, without a division: a multiplication and a shift with the same steps, which is proved.

An output never falls when its sum grows, so it is known by its steps: the least sum of each output. A line has the same
steps where `start` lies between what each step and the sum before it ask for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.finish import Limits
from mcusim.kernels.kernel import known
from mcusim.layers.pooling import AveragePooling
from mcusim.numbers.affine import RoundedMean, ScaledMean
from mcusim.numbers.numbers import Activation, Averaging, Numbers
from mcusim.numbers.power_of_two import RoundedAveraging
from mcusim.system.arrays import Array

SUM_BITS, PAIR_BITS = 32, 16
FACTOR_BITS = 30  # of a factor, at most, besides its sign
ANY_STEEPER = 12  # of windows of any size, see below
STEEPER = (None, 20, 18, 16, 14, 12, 10)


@dataclass(frozen=True)
class Line:
    """(start + (factor * (sum << left) >> cut)) >> shift, saturated. `cut`: 16 or 32 bits."""

    factor: int
    left: int
    start: int
    shift: int
    cut: int

    @property
    def key(self) -> str:
        """What two routines have in common, as a part of their names."""
        return f"_{self.factor:x}_{self.left}_{self.start % (1 << SUM_BITS):x}_{self.shift}"

    def products(self, sums: Array) -> Array:
        return np.asarray((sums << self.left) * self.factor >> self.cut)


@dataclass(frozen=True)
class Twice:
    """As TFLM does it: (addend - is_negative(x) + (2 x * factor + half >> 32)) >> shift, of x = sum + start."""

    factor: int
    start: int
    addend: int
    shift: int

    key = ""


class Steps(NamedTuple):
    """`least` sum of each of `outputs`, but for the lowest output; sums reach from `low` to `high`."""

    outputs: Array
    least: Array
    low: int
    high: int

    def starts(self, line: Line) -> tuple[int, int]:
        """Of a line with these steps: from, to."""
        reached = self.outputs[self.least <= self.high], np.maximum(self.least, self.low)[self.least <= self.high]
        missed = self.outputs[self.least > self.low], np.minimum(self.least - 1, self.high)[self.least > self.low]
        room = 1 << SUM_BITS - 2
        least = np.max((reached[0] << line.shift) - line.products(reached[1]), initial=-room)
        most = np.min((missed[0] << line.shift) - 1 - line.products(missed[1]), initial=room)
        return int(least), int(most)


@dataclass(frozen=True)
class Saturation:
    """How numbers are limited to those of an output: an instruction, and what it leaves to do."""

    how: str
    bits: int
    limits: Limits = (None, None)

    @property
    def key(self) -> str:
        low, high = ("" if one is None else f"_{one % 2**16:x}" for one in self.limits)
        return f"{self.how}{self.bits}{low and f'_from{low}'}{high and f'_to{high}'}"


def ends_of(activation: Activation, numbers: Numbers) -> tuple[int, int]:
    """Least and largest output."""
    low, high = (int(one) for one in activation.limit(np.array([-(2**31), 2**31 - 1]), numbers))
    return low, high


def saturation_of(layer: Layer, activation: Activation) -> Saturation:
    numbers = known(layer.numbers)
    low, high = ends_of(activation, numbers)
    bits, storage_bits = high.bit_length(), 8 * layer.dtype.itemsize
    if low == 0:
        return Saturation("usat", bits, (None, None if high == (1 << bits) - 1 else high))
    if (low, high) == (-(1 << bits), (1 << bits) - 1):
        return Saturation("ssat", bits + 1)
    has_sign = numbers.minimum < 0
    least, most = (-(1 << storage_bits - 1), (1 << storage_bits - 1) - 1) if has_sign else (0, (1 << storage_bits) - 1)
    limits = low if low > least else None, high if high < most else None
    return Saturation("ssat" if has_sign else "usat", storage_bits, limits)


def steps_of(layer: AveragePooling, entry: Numbers, count: int) -> Steps:
    """Of windows of `count` taps."""
    averaging, numbers = known(layer.averaging), known(layer.numbers)
    first, last = ends_of(layer.activation, numbers)
    outputs = np.arange(first + 1, last + 1, dtype=np.int64)
    low, high = count * entry.minimum, count * entry.maximum
    if isinstance(averaging, RoundedAveraging):
        half = count // 2 if averaging.rounding == "nearest" else 0
        return Steps(outputs, -((half - outputs * count) >> averaging.shift), low, high)
    return Steps(outputs, _least_sums(averaging, outputs, count, low, high), low, high)


def _least_sums(averaging: Averaging, outputs: Array, count: int, low: int, high: int) -> Array:
    """By halving what is left, for all outputs at once; `high` + 1 where there is none."""
    below, found = np.full(outputs.shape, low - 1), np.full(outputs.shape, high + 1)
    while np.any(found - below > 1):
        middle = (below + found) >> 1
        enough = averaging.apply(middle, np.array(count)) >= outputs
        found, below = np.where(enough, middle, found), np.where(enough, below, middle)
    return found


def line_of(layer: AveragePooling, entry: Numbers, count: int, cut: int) -> Line | None:
    """Of windows of `count` taps. None where no line is found that has their steps."""
    return line_through(slope_of(layer, count), steps_of(layer, entry, count), cut)


def line_through(slope: float, steps: Steps, cut: int, left: int | None = None) -> Line | None:
    """`left`: where it is not as large as sums allow. None where no line is found that has these steps."""
    for line in _tried(slope, steps, cut, left):
        least, most = steps.starts(line)
        if least <= most:
            return Line(line.factor, line.left, (least + most) // 2, line.shift, cut)
    return None


def twice_of(averaging: ScaledMean) -> Twice | None:
    """None for a factor of 1 and more."""
    factors = averaging.factors
    if not factors.multipliers.size or factors.is_once or not 0 < (shift := -int(factors.shifts[0])) < SUM_BITS // 2:
        return None
    addend = (1 << shift - 1) + (averaging.numbers.zero << shift)
    return Twice(int(factors.multipliers[0]), -averaging.from_zero * averaging.count, addend, shift)


def slope_of(layer: AveragePooling, count: int) -> float:
    """Outputs for each 1 of a sum."""
    averaging = layer.averaging
    if isinstance(averaging, RoundedAveraging):
        return float(2.0**averaging.shift / count)
    if isinstance(averaging, RoundedMean):
        return 1 / count
    assert isinstance(averaging, ScaledMean)
    return float(averaging.factors.reals[0])


def _tried(slope: float, steps: Steps, cut: int, left: int | None) -> Iterator[Line]:
    """As fine as registers allow. Steeper ones keep halves away from the middle, where their sum is 0."""
    widest = max(-steps.low, steps.high)
    if left is None:
        left = SUM_BITS - 1 - widest.bit_length() if cut == SUM_BITS else 0
    largest = max(float(np.abs(steps.outputs).max(initial=0)) + 1, slope * widest)
    room = SUM_BITS - 2 - int(np.ceil(np.log2(largest)))
    finest = min(room, int(np.floor(FACTOR_BITS - cut + left - np.log2(slope)))) if slope > 0 else 0
    for shift in range(finest, max(finest - 3, 0), -1):
        for more in STEEPER:
            real = slope * 2.0 ** (cut + shift - left)
            factor = round(real if more is None else real * (1 + 2.0**-more))
            if 0 < factor < 1 << FACTOR_BITS + 1:
                yield Line(factor, left, 0, shift, cut)


@dataclass(frozen=True)
class AnyLine:
    """What code computes of the count of a window. `nearest`: halves go up; `away`: from `middle`."""

    left: int
    cut: int
    nearest: bool
    away: bool
    middle: int

    @property
    def key(self) -> str:
        """As of Line."""
        return f"_{self.left}"

    @property
    def shift(self) -> int:
        return FACTOR_BITS - self.cut + self.left

    def of(self, count: int) -> Line:
        """As the code does: half a sum is added to a mean, and what is rounded to the nearest is (count | 1) halves."""
        factor = (1 << FACTOR_BITS) // count
        if self.away:
            factor += factor >> ANY_STEEPER
            middle = (self.middle * count << self.cut - self.left) * factor >> SUM_BITS
            start = (2 * self.middle + 1 << self.shift - 1) - middle
        else:
            start = (count | 1 if self.nearest else 1) * factor >> self.cut - self.left + 1
        return Line(factor, self.left, start, self.shift, self.cut)


def any_line(layer: AveragePooling, entry: Numbers, counts: Iterable[int], cut: int) -> AnyLine | None:
    """None where it is not right for all of these windows."""
    averaging, counts = layer.averaging, sorted(counts)
    widest = counts[-1] * max(-entry.minimum, entry.maximum)
    left = SUM_BITS - 1 - widest.bit_length() if cut == SUM_BITS else 0
    if isinstance(averaging, RoundedAveraging):
        found = AnyLine(left, cut, averaging.rounding == "nearest", False, 0)
        if averaging.shift:
            return None
    elif isinstance(averaging, RoundedMean):
        found = AnyLine(left, cut, True, True, averaging.offset)
    else:
        return None
    if found.shift < 1:
        return None
    for count in counts:
        line = found.of(count)
        least, most = steps_of(layer, entry, count).starts(line)
        if not least <= line.start <= most:
            return None
    return found
