"""How the values of a tensor are spread: magnitudes by octave; and sign and all, in bins of 1/128 of an octave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcusim.system.arrays import Array

OCTAVES = 256  # exponents of float32; octave k holds magnitudes from 2**(k - BIAS) to twice that
BIAS = 127
SHIFT = 16  # of float32: sign, exponent and seven bits of the mantissa are left
BINS = 1 << 32 - SHIFT


@dataclass(frozen=True, eq=False)
class Octaves:
    """Magnitudes by octave (OCTAVES,): number, sum, sum of squares. `peaks` (N,): the largest of each sample.

    From these follows the error of any format whose scale is a power of two, without another look at the samples; (0,)
    where only peaks were asked for.
    """

    count: Array
    total: Array
    squares: Array
    peaks: Array

    @staticmethod
    def of(x: Array, *, peaks_alone: bool = False) -> Octaves:
        """`x` (N, ...). NaN counts as nothing."""
        magnitudes = np.abs(np.ascontiguousarray(x, np.float32)).reshape(len(x), x[:1].size)
        peaks = magnitudes.max(axis=1, initial=0.0)
        if not np.isfinite(peaks).all():
            np.nan_to_num(magnitudes, copy=False, nan=0.0)
            peaks = magnitudes.max(axis=1, initial=0.0)
        if peaks_alone:
            return Octaves(*(np.zeros(0),) * 3, peaks.astype(np.float64))
        seen = magnitudes[magnitudes > 0]  # what a ReLU has cut off adds nothing to sums
        octave = (seen.view(np.uint32) >> 23).astype(np.intp)
        wide = seen.astype(np.float64)
        count = np.bincount(octave, minlength=OCTAVES).astype(np.float64)
        count[0] += magnitudes.size - seen.size
        return Octaves(
            count,
            np.bincount(octave, wide, OCTAVES),
            np.bincount(octave, wide * wide, OCTAVES),
            peaks.astype(np.float64),
        )

    def merged(self, other: Octaves) -> Octaves:
        peaks = np.concatenate([self.peaks, other.peaks])
        return Octaves(self.count + other.count, self.total + other.total, self.squares + other.squares, peaks)

    def error(self, step: float, largest: float) -> float:
        """Sum of squared errors when numbers are rounded to multiples of `step` and saturate at `largest`."""
        lower = np.ldexp(1.0, np.arange(OCTAVES) - BIAS)
        lost = lower * 4 <= step  # all of the octave becomes 0
        saturated = lower > largest
        rounded = self.count * (step * step / 12)
        clipped = self.squares - 2 * largest * self.total + largest * largest * self.count
        return float(np.where(saturated, clipped, np.where(lost, self.squares, rounded)).sum())


@dataclass(frozen=True, eq=False)
class Spread:
    """How many values are in each bin (BINS,), by the upper bits of their float32."""

    count: Array

    @staticmethod
    def of(x: Array) -> Spread:
        """NaN and infinities count as nothing."""
        bits = np.ascontiguousarray(x, np.float32).reshape(-1).view(np.uint32) >> SHIFT
        count = np.bincount(bits.astype(np.intp), minlength=BINS).astype(np.float64)
        return Spread(np.where(np.isfinite(_MIDDLES), count, 0))

    def merged(self, other: Spread) -> Spread:
        return Spread(self.count + other.count)

    @cached_property
    def values(self) -> tuple[Array, Array, Array]:
        """In rising order: middles of bins that are not empty, their widths, and how many are in them."""
        found = np.flatnonzero(self.count)
        found = found[np.argsort(_MIDDLES[found], kind="stable")]
        return _MIDDLES[found], _WIDTHS[found], self.count[found]


def _bins() -> tuple[Array, Array]:
    """Of each bin its middle and its width. The one of 0 holds what is as good as 0."""
    starts = np.arange(BINS, dtype=np.uint32) << SHIFT
    with np.errstate(invalid="ignore", over="ignore"):
        low, high = (part.view(np.float32).astype(np.float64) for part in (starts, starts + (1 << SHIFT) - 1))
        middles, widths = (low + high) / 2, np.abs(high - low)
    middles[np.abs(low) < np.finfo(np.float32).tiny] = 0.0
    return middles, widths


_MIDDLES, _WIDTHS = _bins()
