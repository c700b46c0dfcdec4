"""How the magnitudes of a tensor are spread. Scales are powers of two, so they are counted by octave.

From their number, sum and sum of squares follows the error of any format, without another look at the samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcusim.system.arrays import Array

OCTAVES = 256  # exponents of float32; octave k holds magnitudes from 2**(k - BIAS) to twice that
BIAS = 127


@dataclass(frozen=True, eq=False)
class Octaves:
    """Magnitudes by octave (OCTAVES,): number, sum, sum of squares. `peaks` (N,): the largest of each sample."""

    count: Array
    total: Array
    squares: Array
    peaks: Array

    @staticmethod
    def of(x: Array) -> Octaves:
        """`x` (N, ...). NaN counts as nothing."""
        magnitudes = np.abs(np.ascontiguousarray(x, np.float32)).reshape(len(x), x[:1].size)
        peaks = magnitudes.max(axis=1, initial=0.0)
        if not np.isfinite(peaks).all():
            np.nan_to_num(magnitudes, copy=False, nan=0.0)
            peaks = magnitudes.max(axis=1, initial=0.0)
        octave = (magnitudes.reshape(-1).view(np.uint32) >> 23).astype(np.intp)
        wide = magnitudes.reshape(-1).astype(np.float64)
        return Octaves(
            np.bincount(octave, minlength=OCTAVES).astype(np.float64),
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
