"""Fixed point with power-of-two scales (section 4.1 of the MicroAI paper): `q` stands for `q * 2**-fraction`.

`per-network`: one format for every tensor (the paper's Q7.9). `per-layer`: each output gets the format that fits its
largest magnitude on the calibration samples, each weight array the format that fits its largest weight. Sums are exact:
a layer whose 32-bit accumulator could overflow for some input gets fewer fraction bits in its weights, or, where the
format is given, 64-bit accumulators.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcusim.numbers.integers import ACCUMULATOR_LIMIT, average, rounding_term, shift_left
from mcusim.numbers.numbers import LINEAR, Activation, Fields, Numbers, QuantizedSum, Range, Rounding
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError

NAME = "power-of-two"
SCHEMES = ("per-layer", "per-network")
HEADER = "power_of_two.h"

MINIMUM_BITS, MAXIMUM_BITS = 4, 16
BIAS_BITS = 62  # formats of a bias: 64-bit accumulators keep two bits of head-room
LARGEST_SHIFT = 31  # of a 32-bit accumulator
SOFTMAX_ONE = 2**15  # 1.0 in the tables of the exponential


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

    @property
    def header(self) -> str:
        return HEADER

    @property
    def scale_factor(self) -> int:
        return self.fraction

    def encode(self, x: Array, rounding: Rounding = "nearest") -> Array:
        return self.encode_wide(x, rounding).astype(self.dtype)

    def encode_wide(self, x: Array, rounding: Rounding) -> npt.NDArray[np.int64]:
        """In 64 bits: for widths beyond 16 bits, such as a bias at the scale of its accumulator."""
        scaled = np.ldexp(np.asarray(x, np.float64), self.fraction)
        rounded = np.floor(scaled + 0.5) if rounding == "nearest" else np.floor(scaled)
        return np.clip(rounded, float(self.minimum), float(self.maximum)).astype(np.int64)

    def decode(self, q: Array) -> Array:
        return np.ldexp(np.asarray(q, np.float64), -self.fraction).astype(np.float32)

    def __str__(self) -> str:
        return f"Q{self.bits - self.fraction}.{self.fraction}"


def parse_format(text: str) -> Format:
    """`"Q7.9"` -> Format(16, 9). Raises ConfigurationError when it is not Qm.n with 4 <= m + n <= 16 and m >= 1."""
    match = re.fullmatch(r"[Qq](\d{1,2})\.(\d{1,2})", text.strip())
    bits = sum(map(int, match.groups())) if match else 0
    if not match or not MINIMUM_BITS <= bits <= MAXIMUM_BITS or int(match[1]) < 1:
        hint = "write Qm.n with m >= 1 (it includes the sign) and m + n between 4 and 16, for example Q7.9"
        raise ConfigurationError(f"{text!r} is no fixed-point format", hint=hint)
    return Format(bits, int(match[2]))


def format_for(peak: float, bits: int) -> Format:
    """Format of the given width for `|x| <= peak`: m = 1 + floor(log2 peak), n = w - m - 1 (section 4.1.4)."""
    if peak <= 0 or not math.isfinite(peak):
        return Format(bits, bits - 1)
    integer_bits = math.frexp(peak)[1]  # frexp: peak = f * 2**e with 0.5 <= f < 1, so e = 1 + floor(log2(peak))
    return Format(bits, bits - integer_bits - 1)


@dataclass(frozen=True)
class Shift:
    """The Rescale of a power of two: a shift to the right. Sums come with their rounding term."""

    shift: int
    numbers: Format

    @property
    def constants(self) -> Mapping[str, Array]:
        return {}

    def apply(self, total: Array, activation: Activation) -> Array:
        return activation.limit(shift_left(total, -self.shift), self.numbers)

    def fields(self, activation: Activation) -> Fields:
        return {**_unless_zero(shift=self.shift), **activation.fields(self.numbers)}


@dataclass(frozen=True)
class ShiftedAddition:
    """Inputs are brought to the finest of their scales that 32 bits can hold (section 5.8 of the paper)."""

    shifts: tuple[int, ...]  # of each input, to the left
    rounding: int  # added to the sum
    rescale: Shift
    accumulator_peak: int

    @property
    def numbers(self) -> Numbers:
        return self.rescale.numbers

    def apply(self, inputs: tuple[Array, ...], activation: Activation) -> Array:
        total = sum(shift_left(x, shift) for x, shift in zip(inputs, self.shifts, strict=True))
        return self.rescale.apply(np.asarray(total) + self.rounding, activation)

    def fields(self, activation: Activation) -> Fields:
        shifts: Fields = {"shifts": self.shifts} if any(self.shifts) else {}
        own = _unless_zero(shift=self.rescale.shift, rounding=self.rounding)
        return {**shifts, **own, **activation.fields(self.numbers)}


@dataclass(frozen=True)
class ShiftConversion:
    """`shift` is to the right; a negative one makes the scale finer."""

    shift: int
    rounding: int
    numbers: Format

    def apply(self, x: Array) -> Array:
        return LINEAR.limit(shift_left(x.astype(np.int64) + self.rounding, -self.shift), self.numbers)

    def fields(self) -> Fields:
        return {"shift": self.shift, "rounding": self.rounding} if self.shift else {}


@dataclass(frozen=True)
class RoundedAveraging:
    rounding: Rounding
    numbers: Format

    def apply(self, total: Array, count: Array) -> Array:
        return average(total, count, self.rounding)

    def fields(self) -> Fields:
        return {"nearest": 1} if self.rounding == "nearest" else {}


@dataclass(frozen=True)
class TableSoftmax:
    """e**-d is the product of two table entries, for the high and the low byte of the distance d to the largest input.

    In units of 2**-15; quotients are rounded down.
    """

    entry: Format
    numbers: Format

    @property
    def tables(self) -> Mapping[str, Array]:
        """e**-(256 h 2**-fraction) and e**-(l 2**-fraction) for h, l = 0..255, times 2**15."""
        low = np.ldexp(np.arange(256.0), -self.entry.fraction)
        powers = {"high": np.exp(-np.minimum(low * 256, 700.0)), "low": np.exp(-np.minimum(low, 700.0))}
        return {role: np.rint(power * SOFTMAX_ONE).astype(np.int64) for role, power in powers.items()}

    def apply(self, x: Array) -> Array:
        tables = self.tables
        distance = x.max(axis=-1, keepdims=True).astype(np.int64) - x
        powers = (tables["high"][distance >> 8] * tables["low"][distance & 255]) >> 15
        return LINEAR.limit((powers << self.numbers.fraction) // powers.sum(axis=-1, keepdims=True), self.numbers)

    def fields(self) -> Fields:
        return {"fraction": self.numbers.fraction}


@dataclass(frozen=True)
class PowerOfTwoScheme:
    """`fraction` is None per layer, else the fraction bits of the whole network."""

    bits: int
    fraction: int | None
    rounding: Rounding

    def __str__(self) -> str:
        return "per-layer" if self.fraction is None else str(Format(self.bits, self.fraction))

    @property
    def needs_ranges(self) -> bool:
        return self.fraction is None

    def numbers_for(self, values: Range) -> Format:
        return format_for(values.peak, self.bits) if self.fraction is None else Format(self.bits, self.fraction)

    def weighted_sum(self, kernel: Array, bias: Array, entry: Numbers, values: Range) -> QuantizedSum:
        """A sum starts from its bias, at the scale of the accumulator (input fraction + weight fraction).

        The rounding of the final shift is in it already, so that rounding costs nothing on the board.
        """
        out, have = self.numbers_for(values), _format(entry)
        if self.fraction is not None:
            return self._sum(kernel, bias, have, out, self.fraction)
        widest = format_for(float(np.abs(kernel).max(initial=0.0)), self.bits).fraction
        fraction = min(widest, LARGEST_SHIFT + out.fraction - have.fraction)
        while True:
            # Fewer fraction bits in the output where the sum has no more; fewer in the weights until the proof holds.
            fitted = Format(out.bits, min(out.fraction, have.fraction + fraction))
            made = self._sum(kernel, bias, have, fitted, fraction)
            if made.peak_sum <= ACCUMULATOR_LIMIT:
                return made
            fraction -= 1

    def _sum(self, kernel: Array, bias: Array, entry: Format, out: Format, fraction: int) -> QuantizedSum:
        """With weights of the given fraction, and the bound of the accumulator for the worst input."""
        kernel_format = Format(self.bits, fraction)
        stored = kernel_format.encode(kernel, self.rounding)
        shift = entry.fraction + fraction - out.fraction
        rounding = rounding_term(shift, self.rounding)
        start = Format(BIAS_BITS, entry.fraction + fraction).encode_wide(bias, self.rounding)
        rows = np.abs(stored.reshape(len(stored), -1).astype(np.int64)).sum(axis=1)
        peak = int((rows * -entry.minimum + np.abs(start)).max(initial=0)) + rounding
        return QuantizedSum(stored, start + rounding, kernel_format, out, Shift(shift, out), peak)

    def addition(self, entries: tuple[Numbers, ...], values: Range) -> ShiftedAddition:
        out, inputs = self.numbers_for(values), tuple(map(_format, entries))
        finest = min(max(fmt.fraction for fmt in inputs), out.fraction + LARGEST_SHIFT)
        while _peak_sum(inputs, finest) > ACCUMULATOR_LIMIT // 2:  # the other half is head-room for the rounding term
            finest -= 1
        out = Format(out.bits, min(out.fraction, finest))
        shift = finest - out.fraction
        rounding = rounding_term(shift, self.rounding)
        return ShiftedAddition(
            shifts=tuple(max(finest - fmt.fraction, -LARGEST_SHIFT) for fmt in inputs),
            rounding=rounding,
            rescale=Shift(shift, out),
            accumulator_peak=_peak_sum(inputs, finest) + rounding,
        )

    def joined(self, entries: tuple[Numbers, ...]) -> Format:
        """The coarsest of their scales."""
        return Format(self.bits, min(_format(entry).fraction for entry in entries))

    def conversion(self, entry: Numbers, to: Numbers) -> ShiftConversion:
        shift = _format(entry).fraction - _format(to).fraction
        shift = max(min(shift, LARGEST_SHIFT - 2), entry.bits - LARGEST_SHIFT)  # beyond, everything saturates or is 0
        return ShiftConversion(shift, rounding_term(shift, self.rounding), _format(to))

    def averaging(self, entry: Numbers) -> RoundedAveraging:
        return RoundedAveraging(self.rounding, _format(entry))

    def softmax(self, entry: Numbers) -> TableSoftmax:
        out = Format(self.bits, self.bits - 1) if self.fraction is None else Format(self.bits, self.fraction)
        return TableSoftmax(_format(entry), out)


def make_scheme(bits: int, scheme: str, fraction: int | None, rounding: Rounding) -> PowerOfTwoScheme:
    """Raises ConfigurationError for a format that is missing or has no such width."""
    if scheme == "per-layer":
        return PowerOfTwoScheme(bits, None, rounding)
    if fraction is None or not 0 <= fraction < bits:
        what = f"scheme 'per-network' of int{bits} needs a format with 0 to {bits - 1} fraction bits, not {fraction}"
        raise ConfigurationError(what, hint=f"for example format = 'Q{bits - bits // 2}.{bits // 2}'")
    return PowerOfTwoScheme(bits, fraction, rounding)


def _format(numbers: Numbers) -> Format:
    """A graph is quantized by one number system, so its tensors have no other."""
    assert isinstance(numbers, Format)
    return numbers


def _peak_sum(inputs: tuple[Format, ...], finest: int) -> int:
    """Largest magnitude of the sum when all inputs are brought to `finest` fraction bits."""
    return sum(-fmt.minimum << max(finest - fmt.fraction, 0) for fmt in inputs)


def _unless_zero(**values: int) -> Fields:
    """What is 0 stays unsaid in C."""
    return {name: value for name, value in values.items() if value}
