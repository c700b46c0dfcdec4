"""Integer arithmetic of the generated C, in NumPy: the twin of `codegen/kernels/number.h`.

Numbers are signed fixed point with a power-of-two scale (section 4.1 of the MicroAI paper): an integer `q` stands for
`q * 2**-fraction`. Whatever is rounded, shifted or saturated on the board is rounded, shifted or saturated here, and
`tests/test_fixed_point.py` holds the two against each other over their whole range.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcusim.system.arrays import Array as Array  # noqa: PLC0414  (layers and stages import it from here)
from mcusim.system.errors import ConfigurationError

Rounding = Literal["nearest", "floor"]

MINIMUM_BITS, MAXIMUM_BITS = 4, 16
ACCUMULATOR_LIMIT = 2**31 - 1  # a 32-bit accumulator holds at most this


@dataclass(frozen=True)
class Format:
    """Signed fixed point of `bits` bits of which `fraction` lie behind the binary point (it may be negative)."""

    bits: int
    fraction: int

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1))

    @property
    def maximum(self) -> int:
        return (1 << (self.bits - 1)) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Smallest integer type that stores the format."""
        return np.dtype(np.int8 if self.bits <= 8 else np.int16)

    def __str__(self) -> str:
        return f"Q{self.bits - self.fraction}.{self.fraction}"


def parse_format(text: str) -> Format:
    """`"Q7.9"` -> Format(16, 9). Raises ConfigurationError when it is not Qm.n with 4 <= m + n <= 16 and m >= 1."""
    match = re.fullmatch(r"[Qq](\d{1,2})\.(\d{1,2})", text.strip())
    bits = sum(map(int, match.groups())) if match else 0
    if not match or not MINIMUM_BITS <= bits <= MAXIMUM_BITS or int(match[1]) < 1:
        raise ConfigurationError(
            f"{text!r} is no fixed-point format",
            hint="write Qm.n with m >= 1 (it includes the sign) and m + n between 4 and 16, for example Q7.9",
        )
    return Format(bits, int(match[2]))


def format_for(peak: float, bits: int) -> Format:
    """Format of the given width for `|x| <= peak`: m = 1 + floor(log2 peak), n = w - m - 1 (section 4.1.4)."""
    if peak <= 0 or not math.isfinite(peak):
        return Format(bits, bits - 1)
    integer_bits = math.frexp(peak)[1]  # frexp: peak = f * 2**e with 0.5 <= f < 1, so e = 1 + floor(log2(peak))
    return Format(bits, bits - integer_bits - 1)


def encode(x: Array, fmt: Format, rounding: Rounding = "nearest") -> Array:
    """Real numbers -> integers of the format (in its smallest type), rounded and saturated."""
    return quantize_values(x, fmt, rounding).astype(fmt.dtype)


def quantize_values(x: Array, fmt: Format, rounding: Rounding) -> NDArray[np.int64]:
    """As `encode`, in 64 bits: for widths beyond 16 bits, such as a bias at the scale of its accumulator."""
    scaled = np.ldexp(np.asarray(x, np.float64), fmt.fraction)
    rounded = np.floor(scaled + 0.5) if rounding == "nearest" else np.floor(scaled)
    return np.clip(rounded, float(fmt.minimum), float(fmt.maximum)).astype(np.int64)


def decode(q: Array, fmt: Format) -> NDArray[np.float32]:
    """Integers of the format -> real numbers."""
    return np.ldexp(np.asarray(q, np.float64), -fmt.fraction).astype(np.float32)


def rounding_term(shift: int, rounding: Rounding) -> int:
    """What to add before an arithmetic right shift: half of the last place for `nearest`, nothing for `floor`."""
    return 1 << (shift - 1) if rounding == "nearest" and shift > 0 else 0


def clamp(x: Array, fmt: Format) -> Array:
    """Saturate to the format: `clamp_to_number_t` in number.h."""
    return np.clip(x, fmt.minimum, fmt.maximum).astype(fmt.dtype)


def shift_left(x: Array, shift: int) -> Array:
    """`x << shift`, or an arithmetic shift to the right (floor) when `shift` is negative: `nn_shift` in number.h."""
    wide = np.asarray(x, np.int64)
    return wide << shift if shift >= 0 else wide >> -shift


def average(total: Array, count: Array, rounding: Rounding) -> Array:
    """Integer mean: floor(total / count), or to the nearest with halves up: `nn_average` in number.h."""
    total = np.asarray(total, np.int64)
    return (total + (count // 2 if rounding == "nearest" else 0)) // count


def exponential(x: Array) -> Array:
    """e**x for x <= 0 in float32, operation by operation as `nn_exponential` in number.h: both give the same bits.

    2**(x log2 e) is split into an integer power and a fraction in [0, 1); the fraction's polynomial is the Taylor
    series of 2**f around 1/2, degree 6 (its relative error is below 2e-7). Below e**-87 the result is 0.
    """
    f32 = np.float32
    scaled = np.maximum(np.asarray(x, f32), f32(-87.0)) * f32(1.44269504)
    whole = np.floor(scaled)
    fraction = (scaled - whole) - f32(0.5)
    result = np.full_like(fraction, f32(EXPONENTIAL_TERMS[-1]))
    for term in EXPONENTIAL_TERMS[-2::-1]:
        result = result * fraction + f32(term)
    result = np.ldexp(result, whole.astype(np.int32)).astype(f32)
    return np.asarray(np.where(np.asarray(x, f32) < f32(-87.0), f32(0.0), result))


EXPONENTIAL_TERMS = tuple(math.sqrt(2) * math.log(2) ** k / math.factorial(k) for k in range(7))
