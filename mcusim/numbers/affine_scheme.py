"""How affine scales are chosen: `per-channel`, a scale for the weights of each output channel, or `per-tensor`.

Numbers cover the range that calibration tells, which holds 0, and stand for 0 exactly. Weights are symmetric, from -127
to 127; a bias has 32 bits at the scale of its sums. Numbers of 16 bits (w8a16, TFLite's 16x8) have the zero 0.
What is computed is `affine.py`. Recurrent layers keep fixed point inside: weights get such scales that sums end at a
power of two.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from mcusim.numbers import affine, affine_softmax, affine_wide_softmax
from mcusim.numbers.affine import Affine, Scaled, as_affine
from mcusim.numbers.affine_softmax import TableOfExponentials
from mcusim.numbers.affine_wide_softmax import TwoTables
from mcusim.numbers.between import affine_of
from mcusim.numbers.factors import NO_FACTOR
from mcusim.numbers.fitting import Grid, compensated, corrected, fitted, sum_errors
from mcusim.numbers.formats import Format, format_for
from mcusim.numbers.functions import SYMMETRIC, UNIT
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import InnerSum, Numbers, QuantizedSum, Range, Rounding
from mcusim.numbers.power_of_two import PowerOfTwoScheme
from mcusim.numbers.roots import STANDARD_BITS, RootStandardizing, scales
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError

NAME = "affine"
SCHEMES = ("per-channel", "per-tensor")
HEADER = affine.HEADER

BITS, WIDE_BITS, WEIGHT_BITS = 8, 16, 8
HEADROOM = 2  # of 16 bits, where a bit less costs nothing that could be measured, and numbers cut off do
LARGEST_BIAS = 2**30  # half of the accumulator
LARGEST_RATIO = 1 - 2.0**-20  # of a sum's scale to its output's: a larger one would shift sums to the left
SMALLEST_SHARE = 2.0**-12  # of the largest scale of weights: sums of smaller ones would be 0 beside those
# Sums from output to output, of scales that are chosen by them: fewer would change a scale by more than 3 %, and of
# more a float32 does not tell one from the next. Halves go away from zero if their number is more by so little.
LEAST_APART, MOST_APART = 64, 10_000
WHOLE_AND_MORE = 1 - 2.0**-24
FINEST_MEAN = 256  # times as fine as what it is of; what was always 0 in calibration would have no end
SMALLEST_SCALE = 1e-30  # of a tensor that is 0, or as good as that
LARGEST_SCALE = 1e30  # of one that diverges, or as good as that: float32 has it, and so it has what is computed of it
TRIED = np.linspace(1.0, 0.55, 16)  # of the scale in which all fit: the largest weights saturate in finer ones


@dataclass(frozen=True)
class AffineScheme:
    """`bits`: of activations, which have one scale for each tensor, and of 8 bits a zero. `per_channel`: of weights."""

    bits: int
    per_channel: bool

    needs_ranges = True
    stores_unsigned = False  # a zero does better
    fits_weights = True
    cuts_ranges = True
    header = HEADER

    def __str__(self) -> str:
        return SCHEMES[0] if self.per_channel else SCHEMES[1]

    def numbers_for(self, values: Range) -> Affine:
        if self.bits == WIDE_BITS:
            return self._symmetric(values)
        least, levels = -(1 << self.bits - 1), 1 << self.bits
        if values == UNIT:  # of sigmoid, as TFLM has it
            return Affine(self.bits, 1 / levels, least)
        if values == SYMMETRIC:  # of tanh
            return Affine(self.bits, 2 / levels, 0)
        scale = (values.high - values.low) / (levels - 1)
        if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
            return Affine(self.bits, 1 / levels if scale < SMALLEST_SCALE else 1.0, 0)
        scale = float(np.float32(scale))
        return Affine(self.bits, scale, int(np.clip(round(least - values.low / scale), least, least + levels - 1)))

    def _symmetric(self, values: Range) -> Affine:
        """As TFLM wants it of 16 bits, of which one is left to what calibration has not seen."""
        largest = (1 << self.bits - 1) - 1
        scale = HEADROOM * values.peak / largest
        if values in (UNIT, SYMMETRIC) or not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
            return Affine(self.bits, 1 / (largest + 1) if scale <= LARGEST_SCALE else 1.0, 0)
        return Affine(self.bits, float(np.float32(scale)), 0)

    def weighted_sum(
        self, kernel: Array, bias: Array, entry: Numbers, values: Range, *, one_scale: bool = False
    ) -> QuantizedSum:
        """The scale of the output is no finer than that of the sums, and weights get coarser where these overflow."""
        have, products, coarser = affine_of(entry), values.products, 1.0
        best = kernel if products is None else compensated(kernel, products)
        wanted = weight_scales(
            best.reshape(len(best), -1), WEIGHT_BITS, values, shared=one_scale or not self.per_channel
        )
        least = np.maximum(np.abs(bias) / (have.scale * LARGEST_BIAS), wanted.max(initial=0.0) * SMALLEST_SHARE)
        while True:
            each = np.maximum(np.maximum(wanted * coarser, SMALLEST_SCALE), least if len(wanted) > 1 else least.max())
            each = self._with_whole_steps(each, have, values)
            numbers = Scaled(WEIGHT_BITS, tuple(float(np.float32(scale)) for scale in each))
            grid = Grid(np.array(numbers.scales), numbers.minimum + 1, numbers.maximum)
            if len(grid.scale) == 1:
                grid = replace(grid, scale=grid.scale[0])
            if products is None:
                stored, start = numbers.encode(best), bias
            else:
                stored = fitted(best, products, grid).astype(numbers.dtype)
                start = corrected(bias, kernel, numbers.decode(stored), products)
            made = self._sum(stored, start, have, numbers, values)
            if made.peak_sum <= ACCUMULATOR_LIMIT or self.bits == WIDE_BITS:  # which TFLM sums up in 64 bits
                return replace(made, lost_bits=round(math.log2(coarser)))
            coarser *= 2

    def _with_whole_steps(self, scales: Array, entry: Affine, values: Range) -> Array:
        """Hardly larger, so that an output is an even number of sums apart from the next (`kernels/straight.py`).

        As they are where that number is small.
        """
        if self.bits == WIDE_BITS:
            return scales
        out = self.numbers_for(values)
        apart = out.scale / (entry.scale * scales)
        whole = np.minimum(2 * np.floor(apart / 2), MOST_APART)
        rounded = (out.scale / (entry.scale * whole.clip(1)) * WHOLE_AND_MORE).astype(np.float32)
        return np.where(apart < LEAST_APART, scales, np.nextafter(rounded, np.float32(0)).astype(np.float64))

    def _sum(self, kernel: Array, bias: Array, entry: Affine, weights: Scaled, values: Range) -> QuantizedSum:
        out = _no_finer(self.numbers_for(values), entry.scale * max(weights.scales) / LARGEST_RATIO)
        quanta = np.rint(bias / (entry.scale * np.array(weights.scales))).clip(-LARGEST_BIAS, LARGEST_BIAS)
        factors = affine.sum_factors(entry, weights, out, long=self.bits == WIDE_BITS)
        made = affine.weighted_sum(kernel, quanta.astype(np.int64), weights, entry, out, factors, fold=True)
        return replace(made, zero=entry.zero, wider_numbers=out if self.bits == WIDE_BITS else None)

    def addition(self, entries: tuple[Numbers, ...], values: Range) -> affine.ScaledAddition:
        every = [affine_of(entry) for entry in entries]
        finest = 2 * len(every) * max(entry.scale for entry in every) / (1 << affine.ADDEND_BITS[self.bits])
        return affine.addition(every, _no_finer(self.numbers_for(values), finest))

    def product(self, entries: tuple[Numbers, ...], values: Range) -> affine.ScaledProduct:
        first, second = map(affine_of, entries)
        finest = first.scale * second.scale / LARGEST_RATIO
        return affine.product(first, second, _no_finer(self.numbers_for(values), finest))

    def joined(self, entries: tuple[Numbers, ...], values: Range | None = None) -> Affine:
        every = [as_affine(entry) for entry in entries]
        if all(entry == every[0] for entry in every):
            return every[0]
        ends = [float(entry.decode(np.array(end))) for entry in every for end in (entry.minimum, entry.maximum)]
        return self.numbers_for(Range(min(ends), max(ends)))

    def conversion(self, entry: Numbers, to: Numbers) -> affine.ScaledConversion:
        return affine.conversion(affine_of(entry), as_affine(to))

    def averaging(
        self, entry: Numbers, values: Range | None = None, most: int = 1, *, whole: bool = False
    ) -> affine.RoundedMean | affine.ScaledMean:
        """Of a whole plane with a scale of its own."""
        have = as_affine(entry)
        if values is None or not whole:
            return affine.averaging(have, most)
        return affine.mean(have, _no_finer(self.numbers_for(values), have.scale / FINEST_MEAN), most)

    def softmax(self, entry: Numbers) -> TableOfExponentials | TwoTables:
        if self.bits == WIDE_BITS:
            return affine_wide_softmax.softmax(as_affine(entry), Affine(self.bits, 2.0 ** (1 - self.bits), 0))
        return affine_softmax.softmax(as_affine(entry), Affine(self.bits, 2.0**-self.bits, -(1 << self.bits - 1)))

    def standardizing(self, entry: Numbers, count: int, epsilon: float) -> RootStandardizing | None:
        """Neither scale nor zero changes what has mean 0 and deviation 1: `epsilon` alone is in units of the input."""
        have, numbers = as_affine(entry), format_for(math.sqrt(count - 1), STANDARD_BITS)
        found = scales(count, have.bits, 0, epsilon / have.scale**2)
        return found and RootStandardizing(count, *found, numbers.fraction, "nearest", numbers)

    @property
    def inner_one(self) -> Format:
        return self._inner.inner_one

    def inner_numbers(self, values: Range) -> Format:
        return self._inner.inner_numbers(values)

    @property
    def _inner(self) -> PowerOfTwoScheme:
        return PowerOfTwoScheme(self.bits, None, "nearest", WEIGHT_BITS if self.bits == WIDE_BITS else None)

    def inner_sum(self, kernel: Array, bias: Array, entry: Numbers) -> InnerSum:
        """Of fixed point as elsewhere; of affine numbers with weights whose scale ends at a power of two."""
        if isinstance(entry, Format):
            return self._inner.inner_sum(kernel, bias, entry)
        have = as_affine(entry)
        peak = float(np.abs(kernel).max(initial=0.0)) / ((1 << WEIGHT_BITS - 1) - 1)
        fraction = -math.ceil(math.log2(max(peak, SMALLEST_SCALE) * have.scale))
        while True:
            numbers = Scaled(WEIGHT_BITS, (2.0**-fraction / have.scale,))
            stored = numbers.encode(kernel)
            quanta = np.floor(np.ldexp(bias.astype(np.float64), fraction) + 0.5).astype(np.int64)
            unit = Affine(self.bits, 1.0)
            made = affine.weighted_sum(stored, quanta, numbers, have, unit, NO_FACTOR, fold=True)
            if made.peak_sum <= ACCUMULATOR_LIMIT:
                return InnerSum(made.kernel, made.bias, numbers, fraction)
            fraction -= 1


def make_scheme(
    bits: int, scheme: str, fraction: int | None, rounding: Rounding, weight_bits: int | None = None
) -> AffineScheme:
    """Raises ConfigurationError for a width, or a rounding, that its arithmetic has not."""
    if (bits, weight_bits) not in ((BITS, None), (WIDE_BITS, WEIGHT_BITS)):
        what = f"scheme {scheme!r} is for int8 and w8a16, not for int{bits}"
        raise ConfigurationError(what, hint="choose one of these, or scheme = 'per-layer'")
    if rounding != "nearest":
        what = f"scheme {scheme!r} rounds as TensorFlow Lite Micro does: {rounding!r} has no use"
        raise ConfigurationError(what, hint="leave rounding out, or choose scheme = 'per-layer'")
    return AffineScheme(bits, scheme == SCHEMES[0])


def _no_finer(numbers: Affine, scale: float) -> Affine:
    """The same zero, or as near to it as its numbers allow: a coarser scale reaches farther at both ends."""
    if numbers.scale >= scale:
        return numbers
    return replace(numbers, scale=float(np.nextafter(np.float32(min(scale, LARGEST_SCALE)), np.float32(np.inf))))


def weight_scales(rows: Array, bits: int, values: Range, *, shared: bool) -> Array:
    """`rows` (outputs, taps) -> (outputs,), or (1,) where all have the same. `values`: of the layer's outputs."""
    largest = (1 << bits - 1) - 1
    peaks = np.abs(rows).max(axis=1, initial=0.0).astype(np.float64)
    widest = np.array([peaks.max(initial=0.0)]) / largest if shared else peaks / largest
    if values.octaves is None or not widest.any():
        return widest
    errors = np.array([_errors(rows, widest * share, largest, values) for share in TRIED])
    if shared:
        return np.asarray(widest * TRIED[int(errors.sum(axis=1).argmin())])
    return np.asarray(widest * TRIED[errors.argmin(axis=0)])


def _errors(rows: Array, scale: Array, largest: int, values: Range) -> Array:
    """(outputs,): of the sums that rows are in, where calibration tells of these, else of the rows."""
    each = np.where(scale > 0, scale, 1.0)
    each = np.broadcast_to(each, len(rows))
    if values.products is not None:
        return sum_errors(rows, values.products, Grid(each, -largest, largest))
    q = np.clip(np.rint(rows / each[:, None]), -largest, largest)
    return np.asarray(((q * each[:, None] - rows) ** 2).sum(axis=1))
