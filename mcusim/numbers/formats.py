"""Fixed-point formats (section 4.1 of the MicroAI paper): `q` stands for `q * 2**-fraction`. Which fits a tensor."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcusim.numbers.numbers import Range, Rounding
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError

HEADER = "power_of_two.h"
MINIMUM_BITS, MAXIMUM_BITS = 4, 16
MAXIMUM_UNSIGNED_BITS = 8  # wider numbers have bits enough


@dataclass(frozen=True)
class Format:
    """Fixed point of `bits` bits of which `fraction` lie behind the binary point (it may be negative)."""

    bits: int
    fraction: int
    signed: bool = True

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        return (1 << (self.bits - self.signed)) - 1

    @property
    def magnitude(self) -> int:
        """The largest."""
        return max(-self.minimum, self.maximum)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Smallest integer type that stores the format."""
        return np.dtype(f"{'' if self.signed else 'u'}int{8 if self.bits <= 8 else 16}")

    @property
    def header(self) -> str:
        return HEADER

    @property
    def zero(self) -> int:
        return 0

    @property
    def scale_factor(self) -> int:
        return self.fraction

    @property
    def macros(self) -> Mapping[str, int]:
        return {"SCALE_FACTOR": self.fraction}

    def encode(self, x: Array, rounding: Rounding = "nearest") -> Array:
        return self.encode_wide(x, rounding).astype(self.dtype)

    def encode_wide(self, x: Array, rounding: Rounding) -> npt.NDArray[np.int64]:
        """In 64 bits: for widths beyond 16 bits, such as a bias at the scale of its accumulator."""
        scaled = _times_power_of_two(np.asarray(x, np.float64), self.fraction)
        rounded = np.floor(scaled + 0.5) if rounding == "nearest" else np.floor(scaled)
        return np.clip(rounded, float(self.minimum), float(self.maximum)).astype(np.int64)

    def decode(self, q: Array) -> Array:
        q = np.asarray(q)
        exact = np.float32 if q.dtype.kind in "iu" and q.dtype.itemsize <= 2 else np.float64
        return _times_power_of_two(q.astype(exact), -self.fraction).astype(np.float32, copy=False)

    def __str__(self) -> str:
        return f"{'' if self.signed else 'U'}Q{self.bits - self.fraction}.{self.fraction}"


def _times_power_of_two(x: Array, exponent: int) -> Array:
    """As ldexp rounds it: a product does, and is ten times faster, where the factor is a normal number of that type."""
    info = np.finfo(x.dtype)
    if info.minexp <= exponent < info.maxexp:
        return np.asarray(x * x.dtype.type(2.0**exponent))
    return np.asarray(np.ldexp(x, exponent))


def parse_format(text: str) -> Format:
    """`"Q7.9"` -> Format(16, 9). Raises ConfigurationError when it is not Qm.n with 4 <= m + n <= 16 and m >= 1."""
    match = re.fullmatch(r"[Qq]([0-9]{1,2})\.([0-9]{1,2})", text)
    bits = sum(map(int, match.groups())) if match else 0
    if not match or not MINIMUM_BITS <= bits <= MAXIMUM_BITS or int(match[1]) < 1:
        hint = "write Qm.n with m >= 1 (it includes the sign) and m + n between 4 and 16, for example Q7.9"
        raise ConfigurationError(f"{text!r} is no fixed-point format", hint=hint)
    return Format(bits, int(match[2]))


def format_for(peak: float, bits: int, signed: bool = True) -> Format:
    """Format of the given width for `|x| <= peak`: m = 1 + floor(log2 peak), n = w - m - 1 (section 4.1.4)."""
    if peak <= 0 or not math.isfinite(peak):
        return Format(bits, bits - signed, signed)
    integer_bits = math.frexp(peak)[1]  # frexp: peak = f * 2**e with 0.5 <= f < 1, so e = 1 + floor(log2(peak))
    return Format(bits, bits - integer_bits - signed, signed)


def format_of(values: Range, bits: int) -> Format:
    """The format with the least squared error where the spread of the magnitudes is known, else one that holds all."""
    widest = format_for(values.peak, bits, not values.unsigned)
    if values.octaves is None or values.peak <= 0 or not math.isfinite(values.peak):
        return widest
    finer = [Format(bits, widest.fraction + more, widest.signed) for more in range(bits)]
    errors = [values.octaves.error(2.0**-fmt.fraction, fmt.maximum * 2.0**-fmt.fraction) for fmt in finer]
    return finer[int(np.argmin(errors))]
