"""Affine numbers: `q` stands for `scale * (q - zero)`. Arithmetic of TensorFlow Lite Micro, bit for bit.

A layer is given the numbers before and after it, and makes sums of integers; `factors.py` turns these into outputs.
What each function computes is what TFLM's reference kernel of that operator does: scales are float32, their ratios
float64, every rounding is done where TFLM does it. The C twin is `codegen/numbers/affine.h`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.numbers.factors import MULTIPLIER_BITS, NO_FACTOR, Factors, once, rescaled
from mcusim.numbers.integers import unless_zero
from mcusim.numbers.numbers import LINEAR, Activation, Fields, Numbers, QuantizedSum, Rounding, storage_fields
from mcusim.system.arrays import Array

HEADER = "affine.h"
WIDE_BITS = 16  # that layers compute with, at most
ADDEND_BITS = {8: 20, 16: 15}  # behind the binary point of the addends of a sum, by bits of the numbers
HUGE_BIAS = 1 << 24


@dataclass(frozen=True)
class Affine:
    """Integers of `bits` bits. `scale`: a float32. Without a sign they begin at 0, and `zero` counts from there."""

    bits: int
    scale: float
    zero: int = 0
    signed: bool = True

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        return self.minimum + (1 << self.bits) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        size = 8 if self.bits <= 8 else 16 if self.bits <= 16 else 32
        return np.dtype(f"{'' if self.signed else 'u'}int{size}")

    @property
    def header(self) -> str:
        return HEADER

    @property
    def macros(self) -> Mapping[str, int | np.floating[Any]]:
        return {"SCALE": np.float32(self.scale), "ZERO_POINT": self.zero}

    def encode(self, x: Array, rounding: Rounding = "nearest") -> Array:
        """Divided as float32, halves away from zero."""
        with np.errstate(over="ignore"):
            reals = np.asarray(x, np.float32) / np.float32(self.scale)
        reals = np.clip(reals, np.float32(self.minimum - self.zero - 1), np.float32(self.maximum - self.zero + 1))
        wide = reals.astype(np.float64)  # in which a half more is exact
        q = np.trunc(wide + np.copysign(0.5, wide)) if rounding == "nearest" else np.floor(wide)
        return np.asarray(np.clip(q + self.zero, self.minimum, self.maximum), self.dtype)

    def decode(self, q: Array) -> Array:
        scale = np.float32(self.scale)
        if float(scale) == self.scale and self.bits <= WIDE_BITS:  # a product of float32 is rounded once, too
            return np.asarray((np.asarray(q, np.float32) - np.float32(self.zero)) * scale)
        return np.asarray(self.scale * (np.asarray(q, np.int64) - self.zero), np.float32)

    def __str__(self) -> str:
        return f"{'' if self.signed else 'u'}int{self.bits} {self.scale:.6g} (q {-self.zero:+d})"


@dataclass(frozen=True)
class Scaled:
    """Numbers of weights: a scale for all, or one for each output channel."""

    bits: int
    scales: tuple[float, ...]

    zero = 0
    header = HEADER

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1))

    @property
    def maximum(self) -> int:
        return -self.minimum - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"int{8 if self.bits <= 8 else 16}")

    @property
    def macros(self) -> Mapping[str, int | np.floating[Any]]:
        return {}

    def encode(self, x: Array, rounding: Rounding = "nearest") -> Array:
        """(outputs, ...), the nearest."""
        q = np.floor(np.asarray(x, np.float64) / self._by_output(x) + 0.5)
        return np.clip(q, self.minimum + 1, self.maximum).astype(self.dtype)

    def decode(self, q: Array) -> Array:
        return np.asarray(q * self._by_output(q), np.float32)

    def _by_output(self, x: Array) -> Array:
        return np.array(self.scales).reshape(-1, *(1,) * (np.ndim(x) - 1))

    def __str__(self) -> str:
        if len(self.scales) == 1:
            return f"int{self.bits} {self.scales[0]:.6g} q"
        return f"int{self.bits}, {len(self.scales)} scales"


# -- sums of products --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Multiplied:
    """The Rescale of affine numbers: a factor for all channels, or one for each."""

    factors: Factors
    numbers: Affine

    def apply(self, total: Array, activation: Activation) -> Array:
        found = self.factors.apply(total)
        return activation.limit(found + self.numbers.zero if self.numbers.zero else found, self.numbers)

    def fields(self, activation: Activation) -> Fields:
        own = {**self.factors.fields(), **self.factors.rounding}
        return {**own, **unless_zero(zero=self.numbers.zero), **activation.fields(self.numbers)}

    @property
    def constants(self) -> Mapping[str, Array]:
        return self.factors.constants


def weighted_sum(
    kernel: Array, bias: Array, kernel_numbers: Scaled, entry: Affine, out: Affine, factors: Factors, *, fold: bool
) -> QuantizedSum:
    """`kernel` (outputs, ...) and `bias` (outputs,) as they are stored in a file.

    `fold`: what the input's zero adds to every sum is taken out of the bias, so that inputs are multiplied as stored.
    """
    rows = kernel.reshape(len(kernel), -1).astype(np.int64)
    start = bias.astype(np.int64) - (entry.zero * rows.sum(axis=1) if fold else 0)
    less = 0 if fold else entry.zero
    span = entry.minimum - less, entry.maximum - less
    fixed = _fixed(rows, start, factors, out, span)
    if fixed.any():
        value = np.clip(factors.apply(start), out.minimum - out.zero, out.maximum - out.zero)
        kernel = np.where(fixed.reshape(-1, *(1,) * (kernel.ndim - 1)), 0, kernel).astype(kernel.dtype)
        start = np.where(fixed, 4 * value, start)
        factors, rows = factors.with_quarters(fixed), kernel.reshape(rows.shape).astype(np.int64)
    return QuantizedSum(kernel, start, kernel_numbers, out, Multiplied(factors, out), peak_of(rows, start, *span))


def _fixed(rows: Array, start: Array, factors: Factors, out: Affine, span: tuple[int, int]) -> Array:
    """Outputs (of dead filters, whose scale is next to nothing) that are the same for all inputs, for a huge bias.

    Said with small numbers they leave the others' sums their proof.
    """
    above, below = np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)
    ends = [start + above * low - below * high for low, high in (span, span[::-1])]
    least, most = (np.clip(factors.apply(end) + out.zero, out.minimum, out.maximum) for end in ends)
    huge = np.abs(start) >= HUGE_BIAS
    is_long = factors.is_once and factors.multipliers.max(initial=0) < 1 << MULTIPLIER_BITS - 1
    return np.asarray(huge & (least == most) & (not is_long) & (factors.multipliers.size > 0))


def peak_of(rows: Array, start: Array, low: int, high: int) -> int:
    """Bound of all sums on their way: weights (outputs, taps), what they begin with, inputs from `low` to `high`."""
    above, below = np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)
    largest = np.maximum(above * high - below * low, below * high - above * low)
    return int((largest + np.abs(start)).max(initial=0))


def sum_factors(entry: Affine, kernel_numbers: Scaled, out: Affine, *, long: bool = False) -> Factors:
    """Of a convolution, or a dense layer. `long`: TFLM sums in 64 bits."""
    ratios = [entry.scale * scale / out.scale for scale in kernel_numbers.scales]
    return once(ratios, bits=15) if long else rescaled(ratios)


# -- sums, products, conversions ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ScaledAddition:
    """Addends are brought to a common scale, `left` bits finer than the coarsest, and their sum to the output's."""

    zeros: tuple[int, ...]
    left: int
    factors: tuple[Factors, ...]
    rescale: Multiplied

    accumulator_peak = 0  # TFLM's own bound: addends have 28 bits

    @property
    def numbers(self) -> Affine:
        return self.rescale.numbers

    def addends(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        return tuple(
            factors.apply((x.astype(np.int64) - zero) << self.left)
            for x, zero, factors in zip(inputs, self.zeros, self.factors, strict=True)
        )

    def finish(self, total: Array, activation: Activation) -> Array:
        return self.rescale.apply(total, activation)

    def fields(self, activation: Activation) -> Fields:
        zeros: Fields = {"zeros": self.zeros} if any(self.zeros) else {}
        factors = tuple(factors.fields().get("factor", {}) for factors in self.factors)
        scaled: Fields = {"factors": factors} if any(factors) else {}
        return {**zeros, **unless_zero(left=self.left), **scaled, **self.rescale.fields(activation)}


def addition(entries: Sequence[Affine], out: Affine) -> ScaledAddition:
    """Of ADD and SUB. With more than two inputs the common scale leaves room for all."""
    left, most = ADDEND_BITS[out.bits], 2.0 * max(entry.scale for entry in entries)
    while most < len(entries) * max(entry.scale for entry in entries):
        most *= 2
    factors = tuple(rescaled([entry.scale / most]) for entry in entries)
    rescale = Multiplied(rescaled([most / ((1 << left) * out.scale)]), out)
    return ScaledAddition(tuple(entry.zero for entry in entries), left, factors, rescale)


def as_they_are(out: Affine, inputs: int = 2) -> ScaledAddition:
    """Of inputs that have the output's numbers: MAXIMUM and MINIMUM."""
    return ScaledAddition((out.zero,) * inputs, 0, (NO_FACTOR,) * inputs, Multiplied(NO_FACTOR, out))


@dataclass(frozen=True, eq=False)
class ScaledProduct:
    """Of MUL."""

    zeros: tuple[int, int]
    rescale: Multiplied

    # 16 bits x 16 bits, less than 2**31 but for numbers of 16 bits with a zero, which TFLM has not
    accumulator_peak = 0

    @property
    def numbers(self) -> Affine:
        return self.rescale.numbers

    def apply(self, first: Array, second: Array, activation: Activation) -> Array:
        product = (first.astype(np.int64) - self.zeros[0]) * (second.astype(np.int64) - self.zeros[1])
        return self.rescale.apply(product, activation)

    def fields(self, activation: Activation) -> Fields:
        return {**({"zeros": self.zeros} if any(self.zeros) else {}), **self.rescale.fields(activation)}


def product(first: Affine, second: Affine, out: Affine) -> ScaledProduct:
    factors = rescaled([first.scale * second.scale / out.scale])
    return ScaledProduct((first.zero, second.zero), Multiplied(factors, out))


@dataclass(frozen=True, eq=False)
class ScaledConversion:
    """Of QUANTIZE between integers; nothing but the place of zero changes where the scale stays."""

    from_zero: int
    factors: Factors
    numbers: Affine

    kernel = "convert"

    def apply(self, x: Array) -> Array:
        moved = self.factors.apply(x.astype(np.int64) - self.from_zero) + self.numbers.zero
        return LINEAR.limit(moved, self.numbers)

    def fields(self) -> Fields:
        zeros = unless_zero(from_zero=self.from_zero, zero=self.numbers.zero)
        return {**self.factors.fields(), **zeros, **storage_fields(self.numbers)}


@dataclass(frozen=True, eq=False)
class LongConversion(ScaledConversion):
    """To 32 bits, which nothing computes with: only an output has them. `entry`: what they are made of."""

    entry: Affine

    kernel = "convert_long"


def conversion(entry: Affine, out: Affine) -> ScaledConversion:
    factors = NO_FACTOR if entry.scale == out.scale else rescaled([entry.scale / out.scale])
    if out.bits > WIDE_BITS:
        return LongConversion(entry.zero, factors, out, entry)
    return ScaledConversion(entry.zero, factors, out)


@dataclass(frozen=True, eq=False)
class FromReals:
    """Of QUANTIZE: float32 -> integers. `scale` and `zero` of its C kernel."""

    numbers: Affine

    kernel = "quantize"

    def apply(self, x: Array) -> Array:
        return self.numbers.encode(x)

    def fields(self) -> Fields:
        return {"scale": np.float32(self.numbers.scale), **unless_zero(zero=self.numbers.zero)}


@dataclass(frozen=True, eq=False)
class ToReals:
    """Of DEQUANTIZE: integers -> float32, rounded once."""

    entry: Affine

    kernel = "dequantize"
    numbers = None

    def apply(self, x: Array) -> Array:
        return self.entry.decode(x)

    def fields(self) -> Fields:
        return {"scale": np.float32(self.entry.scale), **unless_zero(zero=self.entry.zero)}


# -- means -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RoundedMean:
    """Of AVERAGE_POOL_2D: of numbers as TFLM stores them, `offset` below ours, halves away from its zero."""

    numbers: Affine
    accumulator_peak: int

    @property
    def offset(self) -> int:
        return 0 if self.numbers.signed else 1 << (self.numbers.bits - 1)

    def apply(self, total: Array, count: Array) -> Array:
        below = total - self.offset * count
        return np.asarray(np.sign(below) * ((np.abs(below) + count // 2) // count) + self.offset)

    def fields(self) -> Fields:
        return unless_zero(middle=self.offset)


def averaging(entry: Affine, most: int) -> RoundedMean:
    """`most`: numbers in a window. Means have the input's numbers, as TFLM demands."""
    return RoundedMean(entry, most * max(-entry.minimum, entry.maximum) + most * (1 << entry.bits - 1))


@dataclass(frozen=True, eq=False)
class ScaledMean:
    """Of MEAN and SUM: `count` numbers, their factor divided by it."""

    from_zero: int
    count: int
    factors: Factors
    numbers: Affine
    accumulator_peak: int

    def apply(self, total: Array, count: Array) -> Array:
        return np.asarray(self.factors.apply(total - self.from_zero * self.count) + self.numbers.zero)

    def fields(self) -> Fields:
        own = self.factors.fields()
        return {**own, **unless_zero(from_zero=self.from_zero * self.count, zero=self.numbers.zero)}


def mean(entry: Affine, out: Affine, count: int, *, divide: bool = True) -> ScaledMean:
    """Over windows of `count` numbers; without `divide` their sum."""
    factors = rescaled([entry.scale / out.scale])
    if divide:
        factors = factors.divided(count)
    return ScaledMean(entry.zero, count, factors, out, count * (1 << entry.bits))


def round_away(x: Array) -> Array:
    """To the nearest, halves away from zero, exact in the type of `x`."""
    whole = np.trunc(x)
    return np.asarray(whole + np.where(np.abs(x - whole) >= 0.5, np.sign(x), 0), x.dtype)


def as_affine(numbers: Numbers) -> Affine:
    """A graph is quantized by one number system, so its tensors have no other."""
    assert isinstance(numbers, Affine)
    return numbers
