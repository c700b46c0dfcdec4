"""How the values of a tensor are spread, sign and all, in bins of 1/128 of an octave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcusim.system.arrays import Array

SHIFT = 16  # of float32: sign, exponent and seven bits of the mantissa are left
BINS = 1 << 32 - SHIFT


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
