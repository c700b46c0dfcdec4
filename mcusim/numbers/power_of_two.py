"""Fixed point with power-of-two scales (section 4.1 of the MicroAI paper): `q` stands for `q * 2**-fraction`.

`per-network`: one format for every tensor (the paper's Q7.9). `per-layer`: each output gets the format that fits it
best on the calibration samples, each weight array one of its own. Sums are exact: a layer whose 32-bit accumulator
could overflow for some input gets fewer fraction bits in its weights, or, where the format is given, 64 bits.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcusim.numbers.fitting import Grid, best_format, corrected, fitted
from mcusim.numbers.formats import MAXIMUM_UNSIGNED_BITS, MINIMUM_BITS, Format, format_for, format_of
from mcusim.numbers.integers import ACCUMULATOR_LIMIT, average, rounding_term, shift_left, unless_zero
from mcusim.numbers.numbers import (
    LINEAR,
    Activation,
    Fields,
    InnerSum,
    Numbers,
    QuantizedSum,
    Range,
    Rounding,
    storage_fields,
)
from mcusim.numbers.products import Products
from mcusim.numbers.roots import STANDARD_BITS, RootStandardizing, scales
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError

NAME = "power-of-two"
SCHEMES = ("per-layer", "per-network")
HEADER = Format(MINIMUM_BITS, 0).header

INNER_BITS = 16  # of what is kept inside of a layer
BIAS_BITS = 62  # formats of a bias: 64-bit accumulators keep two bits of head-room
WIDE_BITS = 16
FEWEST_WEIGHT_BITS = 10  # that 32-bit sums may leave of wider weights; of narrower ones they may take one
FINER_WEIGHTS = 3  # scales that are tried: in which all weights fit, and in which some saturate
LARGEST_SHIFT = 31  # of a 32-bit accumulator
SOFTMAX_ONE = 2**15  # 1.0 in the tables of the exponential


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
        return {**unless_zero(shift=self.shift), **activation.fields(self.numbers)}


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

    def addends(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        return tuple(shift_left(x, shift) for x, shift in zip(inputs, self.shifts, strict=True))

    def finish(self, total: Array, activation: Activation) -> Array:
        return self.rescale.apply(total + self.rounding, activation)

    def fields(self, activation: Activation) -> Fields:
        shifts: Fields = {"shifts": self.shifts} if any(self.shifts) else {}
        own = unless_zero(shift=self.rescale.shift, rounding=self.rounding)
        return {**shifts, **own, **activation.fields(self.numbers)}


@dataclass(frozen=True)
class ShiftedProduct:
    """A product has as many fraction bits as its two factors together."""

    rounding: int
    rescale: Shift
    accumulator_peak: int

    @property
    def numbers(self) -> Numbers:
        return self.rescale.numbers

    def apply(self, first: Array, second: Array, activation: Activation) -> Array:
        product = first.astype(np.int64) * second.astype(np.int64)
        return self.rescale.apply(product + self.rounding, activation)

    def fields(self, activation: Activation) -> Fields:
        return {**unless_zero(rounding=self.rounding), **self.rescale.fields(activation)}


@dataclass(frozen=True)
class ShiftConversion:
    """`shift` is to the right; a negative one makes the scale finer."""

    shift: int
    rounding: int
    numbers: Format

    kernel = "convert"

    def apply(self, x: Array) -> Array:
        return LINEAR.limit(shift_left(x.astype(np.int64) + self.rounding, -self.shift), self.numbers)

    def fields(self) -> Fields:
        shift = {"shift": self.shift, "rounding": self.rounding} if self.shift else {}
        return {**shift, **storage_fields(self.numbers)}


@dataclass(frozen=True)
class RoundedAveraging:
    """Sums are shifted to the left before they are divided: a mean may have a finer scale than its numbers."""

    rounding: Rounding
    shift: int
    numbers: Format
    accumulator_peak: int

    def apply(self, total: Array, count: Array) -> Array:
        return average(shift_left(total, self.shift), count, self.rounding)

    def fields(self) -> Fields:
        return {**unless_zero(shift=self.shift), **({"nearest": 1} if self.rounding == "nearest" else {})}


@dataclass(frozen=True)
class TableSoftmax:
    """e**-d is the product of two table entries, for the high and the low byte of the distance d to the largest input.

    In units of 2**-15; quotients are rounded down.
    """

    entry: Format
    numbers: Format

    kernel = "softmax"

    @property
    def tables(self) -> Mapping[str, Array]:
        """e**-(256 h 2**-fraction) and e**-(l 2**-fraction) for h, l = 0..255, times 2**15."""
        low = np.ldexp(np.arange(256.0), -self.entry.fraction)
        powers = {"high": np.exp(-np.minimum(low * 256, 700.0)), "low": np.exp(-np.minimum(low, 700.0))}
        return {role: np.rint(power * SOFTMAX_ONE).astype(np.uint16) for role, power in powers.items()}

    def apply(self, x: Array) -> Array:
        tables = self.tables
        distance = x.max(axis=-1, keepdims=True).astype(np.int64) - x
        powers = (tables["high"][distance >> 8].astype(np.int64) * tables["low"][distance & 255]) >> 15
        return LINEAR.limit((powers << self.numbers.fraction) // powers.sum(axis=-1, keepdims=True), self.numbers)

    def fields(self) -> Fields:
        return {"fraction": self.numbers.fraction}


@dataclass(frozen=True)
class PowerOfTwoScheme:
    """`fraction` is None per layer, else the fraction bits of the whole network.

    `narrow_bits`: of weights, where they have fewer.
    """

    bits: int
    fraction: int | None
    rounding: Rounding
    narrow_bits: int | None = None

    header = HEADER

    @property
    def weight_bits(self) -> int:
        return self.narrow_bits or self.bits

    def __str__(self) -> str:
        return "per-layer" if self.fraction is None else str(Format(self.bits, self.fraction))

    @property
    def stores_unsigned(self) -> bool:
        return self.fraction is None and self.bits <= MAXIMUM_UNSIGNED_BITS

    @property
    def needs_ranges(self) -> bool:
        return self.fraction is None

    def numbers_for(self, values: Range) -> Format:
        if self.fraction is not None:
            return Format(self.bits, self.fraction)
        return format_of(values, WIDE_BITS if values.wide else self.bits)

    @property
    def cuts_ranges(self) -> bool:
        """Formats are so few that each is tried."""
        return False

    @property
    def fits_weights(self) -> bool:
        return self.fraction is None and self.weight_bits <= MAXIMUM_UNSIGNED_BITS

    def weighted_sum(
        self, kernel: Array, bias: Array, entry: Numbers, values: Range, *, one_scale: bool = False
    ) -> QuantizedSum:
        """A sum starts from its bias, at the scale of the accumulator (input fraction + weight fraction).

        The rounding of the final shift is in it already, so that rounding costs nothing on the board.
        """
        out, have = self.numbers_for(values), _format(entry)
        if self.fraction is not None:
            return self._sum(kernel, bias, have, out, self.fraction)
        wanted = self._kernel_fraction(kernel, values)
        most = min(wanted, LARGEST_SHIFT + out.fraction - have.fraction)
        # Fewer fraction bits in the weights until the proof holds; where that costs too many, sums of 64 bits.
        least = most - max(1, self.weight_bits - FEWEST_WEIGHT_BITS)
        for fraction in (*range(most, least - 1, -1), most):
            scaled = replace(out, fraction=min(out.fraction, have.fraction + fraction))  # a sum has no more
            made = self._sum(kernel, bias, have, scaled, fraction, values.products)
            if made.peak_sum <= ACCUMULATOR_LIMIT:
                break
        wider = Format(self.bits, 0) if self.narrow_bits else None
        return replace(made, lost_bits=wanted - fraction, wider_numbers=wider)

    def _kernel_fraction(self, kernel: Array, values: Range) -> int:
        """The scale of the weights: where all of them fit in, or, where the spread decides, that of the least error."""
        widest = format_for(float(np.abs(kernel).max(initial=0.0)), self.weight_bits)
        if values.octaves is None:
            return widest.fraction
        if values.products is None:
            return format_of(Range().widened(kernel.reshape(1, -1)), self.weight_bits).fraction
        finer = [replace(widest, fraction=widest.fraction + more) for more in range(FINER_WEIGHTS)]
        return best_format(kernel, values.products, finer).fraction

    def _sum(
        self, kernel: Array, bias: Array, entry: Format, out: Format, fraction: int, products: Products | None = None
    ) -> QuantizedSum:
        """With weights of the given fraction, and the bound of the accumulator for the worst input."""
        kernel_format = Format(self.weight_bits, fraction)
        if products is None:
            stored = kernel_format.encode(kernel, self.rounding)
        else:
            stored = fitted(kernel, products, Grid.of(kernel_format)).astype(kernel_format.dtype)
            bias = corrected(bias, kernel, kernel_format.decode(stored), products)
        shift = entry.fraction + fraction - out.fraction
        rounding = rounding_term(shift, self.rounding)
        start = Format(BIAS_BITS, entry.fraction + fraction).encode_wide(bias, self.rounding)
        rows = stored.reshape(len(stored), -1).astype(np.int64)
        above, below = np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)
        largest = np.maximum(
            above * entry.maximum - below * entry.minimum, below * entry.maximum - above * entry.minimum
        )
        peak = int((largest + np.abs(start)).max(initial=0)) + rounding
        return QuantizedSum(stored, start + rounding, kernel_format, out, Shift(shift, out), peak)

    def addition(self, entries: tuple[Numbers, ...], values: Range) -> ShiftedAddition:
        out, inputs = self.numbers_for(values), tuple(map(_format, entries))
        finest = min(max(fmt.fraction for fmt in inputs), out.fraction + LARGEST_SHIFT)
        while _peak_sum(inputs, finest) > ACCUMULATOR_LIMIT // 2:  # the other half is head-room for the rounding term
            finest -= 1
        out = replace(out, fraction=min(out.fraction, finest))
        shift = finest - out.fraction
        rounding = rounding_term(shift, self.rounding)
        return ShiftedAddition(
            shifts=tuple(max(finest - fmt.fraction, -LARGEST_SHIFT) for fmt in inputs),
            rounding=rounding,
            rescale=Shift(shift, out),
            accumulator_peak=_peak_sum(inputs, finest) + rounding,
        )

    def joined(self, entries: tuple[Numbers, ...], values: Range | None = None) -> Format:
        """The coarsest of their scales. With a sign, numbers without one have a bit less."""
        signed = values is None or not values.unsigned
        fractions = (_format(entry).fraction - (signed and not _format(entry).signed) for entry in entries)
        return Format(self.bits, min(fractions), signed)

    def product(self, entries: tuple[Numbers, ...], values: Range) -> ShiftedProduct:
        """The output has no more fraction bits than the product; beyond LARGEST_SHIFT everything is 0 anyway."""
        first, second = map(_format, entries)
        out, fraction = self.numbers_for(values), first.fraction + second.fraction
        out = replace(out, fraction=min(out.fraction, fraction))
        shift = min(fraction - out.fraction, LARGEST_SHIFT - 1)
        rounding = rounding_term(shift, self.rounding)
        return ShiftedProduct(rounding, Shift(shift, out), first.magnitude * second.magnitude + rounding)

    def conversion(self, entry: Numbers, to: Numbers) -> ShiftConversion:
        have = _format(entry)
        shift = have.fraction - _format(to).fraction
        # Beyond these, everything is 0, or saturates.
        shift = max(min(shift, LARGEST_SHIFT - 2), have.bits + (not have.signed) - LARGEST_SHIFT)
        return ShiftConversion(shift, rounding_term(shift, self.rounding), _format(to))

    def averaging(
        self, entry: Numbers, values: Range | None = None, most: int = 1, *, whole: bool = False
    ) -> RoundedAveraging:
        """Means are smaller than what they are means of: they have a scale of their own, as fine as 32 bits allow."""
        have = _format(entry)
        out = have if values is None else self.numbers_for(values)
        largest = (have.magnitude + 1) * most
        room = (ACCUMULATOR_LIMIT // largest).bit_length() - 1
        shift = max(min(out.fraction - have.fraction, room), 0)
        out = replace(out, fraction=have.fraction + shift)
        return RoundedAveraging(self.rounding, shift, out, largest << shift)

    def softmax(self, entry: Numbers) -> TableSoftmax:
        out = Format(self.bits, self.bits - 1) if self.fraction is None else Format(self.bits, self.fraction)
        return TableSoftmax(_format(entry), out)

    def standardizing(self, entry: Numbers, count: int, epsilon: float) -> RootStandardizing | None:
        have, numbers = _format(entry), format_for(math.sqrt(count - 1), STANDARD_BITS)
        found = scales(count, have.bits, have.fraction, epsilon)
        return found and RootStandardizing(count, *found, numbers.fraction, self.rounding, numbers)

    @property
    def inner_one(self) -> Format:
        return Format(INNER_BITS, INNER_BITS - 1)

    def inner_numbers(self, values: Range) -> Format:
        """Where the format of the network is given it has as many bits before the point."""
        if self.fraction is not None:
            return Format(INNER_BITS, self.fraction + INNER_BITS - self.bits)
        return format_for(values.peak, INNER_BITS)

    def inner_sum(self, kernel: Array, bias: Array, entry: Numbers) -> InnerSum:
        have = _format(entry)
        widest = format_for(float(np.abs(kernel).max(initial=0.0)), self.weight_bits).fraction
        fraction = widest if self.fraction is None else self.fraction
        while True:
            total = have.fraction + fraction
            made = self._sum(kernel, bias, have, Format(self.bits, total), fraction)  # of no shift
            if made.peak_sum <= ACCUMULATOR_LIMIT:
                return InnerSum(made.kernel, made.bias, made.kernel_numbers, total)
            fraction -= 1


def make_scheme(
    bits: int, scheme: str, fraction: int | None, rounding: Rounding, weight_bits: int | None = None
) -> PowerOfTwoScheme:
    """Raises ConfigurationError for a format that is missing or has no such width."""
    if scheme == "per-layer":
        return PowerOfTwoScheme(bits, None, rounding, weight_bits)
    if weight_bits is not None:
        what = "weights of fewer bits than their inputs cannot have the format of the whole network"
        raise ConfigurationError(what, hint="choose scheme = 'per-layer', or data_type = 'int16'")
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
    return sum(fmt.magnitude << max(finest - fmt.fraction, 0) for fmt in inputs)
