"""What the power-of-two scheme promises of its sums, products and means: near the reals, and never beyond 32 bits."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from mcusim.numbers.formats import Format
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import LINEAR, Range, Rounding
from mcusim.numbers.power_of_two import PowerOfTwoScheme
from mcusim.system.arrays import Array

ROUNDINGS: tuple[Rounding, ...] = ("nearest", "floor")
FAR = ((3, 3), (7, 2), (-4, 9), (12, 25), (0, 40), (-20, 14))


def numbers_of(fmt: Format, random: np.random.Generator) -> Array:
    """With both ends."""
    edge = [fmt.minimum, fmt.maximum, 0, 1]
    return np.concatenate([edge, random.integers(fmt.minimum, fmt.maximum + 1, 60)]).astype(fmt.dtype)


def exact(q: Array, fmt: Format) -> Array:
    return np.ldexp(q.astype(np.float64), -fmt.fraction)


def is_near(got: Array, wanted: Array, out: Format, rounding: Rounding, lost: float = 0.0) -> bool:
    """Within its last place, beside what was `lost` before; what does not fit in is at an end."""
    scaled = np.ldexp(wanted, out.fraction)
    off = got - np.clip(scaled, out.minimum, out.maximum)
    low, high = (-0.5, 0.5) if rounding == "nearest" else (-1, 0)
    return bool(((off >= low - lost) & (off <= high + lost)).all())


def pairs(bits: int) -> Iterator[tuple[Format, Format]]:
    for one, other in FAR:
        yield Format(bits, one), Format(bits, other)
        yield Format(bits, other), Format(bits, one)
    if bits <= 8:
        yield Format(bits, 3, signed=False), Format(bits, 4)


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_sums_are_near_and_fit_into_32_bits(bits: int, rounding: Rounding) -> None:
    scheme, random = PowerOfTwoScheme(bits, None, rounding), np.random.default_rng(bits)
    for entries in pairs(bits):
        inputs = [numbers_of(fmt, random) for fmt in entries]
        reals = sum(exact(x, fmt) for x, fmt in zip(inputs, entries, strict=True))
        for peak in (np.abs(reals).max(), 2.0**-6, 2.0**-45):
            made = scheme.addition(entries, Range(-peak, peak))
            total = np.sum([x.astype(np.int64) for x in made.addends(inputs)], axis=0)
            out = made.numbers
            assert isinstance(out, Format) and (np.abs(total) + made.rounding).max() <= made.accumulator_peak
            assert made.accumulator_peak <= ACCUMULATOR_LIMIT
            wanted = scheme.numbers_for(Range(-peak, peak)).fraction
            assert out.fraction == wanted or (out.fraction < wanted and made.rescale.shift == 0)
            assert made.rescale.shift >= 0, "no bits are made up"
            shared = out.fraction + made.rescale.shift
            lost = sum(fmt.fraction > shared for fmt in entries) * 2.0 ** (out.fraction - shared)
            assert is_near(made.finish(total, LINEAR), reals, out, rounding, lost)


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_products_are_near_and_their_peak_bounds_them(bits: int, rounding: Rounding) -> None:
    scheme, random = PowerOfTwoScheme(bits, None, rounding), np.random.default_rng(bits)
    for first, second in pairs(bits):
        x, y = numbers_of(first, random), numbers_of(second, random)
        for peak in (np.abs(exact(x, first) * exact(y, second)).max(), 2.0**-50):
            made = scheme.product((first, second), Range(-peak, peak))
            out = made.numbers
            assert isinstance(out, Format) and out.fraction <= first.fraction + second.fraction
            wide = x.astype(np.int64) * y
            assert np.abs(wide + made.rounding).max() <= made.accumulator_peak <= ACCUMULATOR_LIMIT
            assert is_near(made.apply(x, y, LINEAR), exact(x, first) * exact(y, second), out, rounding)


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("most", [1, 2, 49, 3000])
def test_means_are_near_and_as_fine_as_32_bits_allow(bits: int, rounding: Rounding, most: int) -> None:
    scheme, random = PowerOfTwoScheme(bits, None, rounding), np.random.default_rng(bits)
    have = Format(bits, 5)
    for peak in (2.0 ** (bits - 7), 2.0**-3, 2.0**-9):
        wanted = scheme.numbers_for(Range(-peak, peak)).fraction
        made = scheme.averaging(have, Range(-peak, peak), most)
        assert have.fraction <= made.numbers.fraction <= max(wanted, have.fraction)
        assert have.magnitude * most << made.shift <= made.accumulator_peak <= ACCUMULATOR_LIMIT
        if made.numbers.fraction < wanted:
            assert (have.magnitude + 1) * most << made.shift + 1 > ACCUMULATOR_LIMIT, "one bit more would fit"
        means = random.uniform(-peak, peak, 50)
        total = np.rint(np.ldexp(means, have.fraction) * most).astype(np.int64)
        assert is_near(made.apply(total, np.int64(most)), exact(total, have) / most, made.numbers, rounding)
    kept = scheme.averaging(have, None, most)
    assert kept.numbers == have and kept.shift == 0


@pytest.mark.parametrize("bits", [4, 8])
def test_what_is_joined_holds_every_number_of_each_and_is_no_coarser_than_that_needs(bits: int) -> None:
    scheme = PowerOfTwoScheme(bits, None, "nearest")
    signs = [(a, b) for a in (True, False) for b in (True, False)]
    for one, other in signs:
        for fractions in FAR:
            entries = (Format(bits, fractions[0], one), Format(bits, fractions[1], other))
            for values in (None, Range(), Range(unsigned=True)):
                if values and values.unsigned and (one or other):
                    continue
                out = scheme.joined(entries, values)
                assert out.signed == (values is None or not values.unsigned) and out.bits == bits
                largest = [max(abs(exact(np.array([f.minimum, f.maximum]), f))) for f in entries]
                for fraction, holds in ((out.fraction, True), (out.fraction + 1, False)):
                    ends = np.ldexp(float(out.maximum + 1), -fraction)
                    assert (max(largest) <= ends) == holds


@pytest.mark.parametrize("spread", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("rows", [1, 40, 5000])
def test_sums_inside_a_layer_keep_every_bit_of_their_weights_that_32_bits_allow(spread: float, rows: int) -> None:
    random = np.random.default_rng(rows)
    kernel, bias = random.normal(size=(3, rows)) * spread, random.normal(size=3) * spread
    for bits, fraction in ((8, None), (16, None), (16, 9), (16, 15)):
        scheme, have = PowerOfTwoScheme(bits, fraction, "nearest"), Format(bits, 11)
        made = scheme.inner_sum(kernel, bias, have)
        numbers = made.kernel_numbers
        assert isinstance(numbers, Format) and made.fraction == have.fraction + numbers.fraction
        peaks = []
        for more in (0, 1):
            stored = Format(bits, numbers.fraction + more).encode(kernel).astype(np.int64)
            start = np.rint(np.ldexp(bias, made.fraction + more))
            peaks.append((np.abs(stored).sum(axis=1) * have.magnitude + np.abs(start)).max())
        assert peaks[0] <= ACCUMULATOR_LIMIT * 1.001
        widest = fraction if fraction is not None else math.floor(math.log2((2 ** (bits - 1)) / np.abs(kernel).max()))
        assert numbers.fraction >= widest or peaks[1] > ACCUMULATOR_LIMIT, "one bit more would fit"
        np.testing.assert_array_equal(made.kernel, numbers.encode(kernel))
