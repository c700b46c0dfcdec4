"""Functions on integers: every number there is, against the true function and against C."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.line.quantize import quantize
from mcusim.numbers.formats import Format
from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import Numbers, Range
from mcusim.numbers.power_of_two import PowerOfTwoScheme
from mcusim.numbers.tables import LARGEST_PRODUCT, LARGEST_SHIFT, MOST_SEGMENTS, QUANTA, Interpolation, Lookup, look_up
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of
from tests.compiled import run_compiled
from tests.numbers.test_functions import EVERY, name_of, side_by_side

PEAKS = (0.01, 0.9, 3.9, 7.9, 31.0, 120.0, 1000.0)


def made(function: Function, bits: int, peak: float) -> Lookup:
    """For inputs up to `peak`, the output's numbers as calibration would choose them."""
    scheme = PowerOfTwoScheme(bits, None, "nearest")
    entry = scheme.numbers_for(Range(-peak, peak))
    values = function.exact(np.array([-peak, 0.0, min(peak, 8.0 if function.name == "exponential" else peak)]))
    numbers = scheme.numbers_for(function.bounds or Range().widened(values))
    return look_up(function, entry, numbers)


def quantum(numbers: Numbers) -> float:
    zero, one = numbers.decode(np.array([0, 1])).astype(np.float64)
    return float(one - zero)


def difference(lookup: Lookup, function: Function) -> Array:
    """To the true function, saturated, in quanta, for every input."""
    every = np.arange(lookup.entry.minimum, lookup.entry.maximum + 1)
    zero, one = lookup.numbers.decode(np.array([0, 1])).astype(np.float64)
    true = function.exact(lookup.entry.decode(every)) / (one - zero)
    return np.abs(lookup.apply(every) - np.clip(true, lookup.numbers.minimum, lookup.numbers.maximum))


@pytest.mark.parametrize("function", EVERY, ids=name_of)
def test_up_to_8_bits_it_is_the_nearest_number(function: Function) -> None:
    for bits in (4, 8):
        for peak in PEAKS:
            lookup = made(function, bits, peak)
            assert len(lookup.table) == 2**bits
            assert difference(lookup, function).max() <= 0.5 + 1e-5


# Curves that are too wide for MOST_SEGMENTS lines, and those that saturate at both ends.
WIDE = {"softsign": 7000.0, "exponential": 60.0, "threshold_relu": 3.01, "tanh": 1.7, "elu": 2.0, "mish": 20.0}


def assert_slopes_are_fine(lookup: Lookup, function: Function) -> None:
    """Those of the lines outside have every bit that a product of 32 bits leaves them, or are exact."""
    assert isinstance(lookup, Interpolation)
    exact = [one * quantum(lookup.entry) / quantum(lookup.numbers) for one in (0.0, *function.slopes)]
    for line, end in ((lookup.below, lookup.entry.minimum), (lookup.above, lookup.entry.maximum)):
        reach = max(abs(line.origin - end), 1)
        assert abs(line.factor) * reach <= LARGEST_PRODUCT
        if line.factor * 2.0**-line.shift not in exact and line.shift < LARGEST_SHIFT:
            assert (abs(line.factor) + 1) * 2 * reach > LARGEST_PRODUCT


@pytest.mark.parametrize("bits", [9, 16])
@pytest.mark.parametrize("function", EVERY, ids=name_of)
def test_beyond_it_keeps_its_bound(function: Function, bits: int) -> None:
    for peak in PEAKS:
        lookup = made(function, bits, peak)
        error = difference(lookup, function).max()
        assert error == pytest.approx(lookup.error_quanta, abs=1e-3)
        assert error <= (QUANTA if bits == 9 else WIDE.get(function.name, QUANTA))
        assert lookup.table.size <= MOST_SEGMENTS + 1
        assert_slopes_are_fine(lookup, function)


def test_straight_functions_need_no_table() -> None:
    lookup = look_up(Function("leaky_relu", (0.1,)), Format(16, 9), Format(16, 9))
    assert not lookup.table.size and lookup.error_quanta <= 0.51
    assert look_up(Function("hard_sigmoid", (0.2,)), Format(16, 12), Format(16, 15)).table.size <= 8


@pytest.mark.parametrize("data_type", ["int4", "int8", "int9", "int16"])
def test_c_looks_up_every_number(data_type: str) -> None:
    """A graph whose only input takes each integer there is."""
    for peak in (0.9, 7.9, 1000.0):
        graph = quantize(side_by_side(1), np.array([[-peak], [peak]], np.float32), data_type)
        entry = graph.inputs[0].numbers
        assert entry is not None
        x = entry.decode(np.arange(entry.minimum, entry.maximum + 1)).reshape(-1, 1)
        answers, expected = (fields_of(found) for found in (run_compiled(graph, x, sanitize="undefined"), graph.run(x)))
        assert len(answers) == len(EVERY)
        for name, found in answers.items():
            np.testing.assert_array_equal(found, expected[name], name)


@pytest.mark.parametrize("entry", [Format(16, -20), Format(16, 60), Format(9, 9), Format(16, 0)])
@pytest.mark.parametrize("numbers", [Format(16, -20), Format(16, 60), Format(16, 15)])
def test_odd_scales_stay_within_32_bits(entry: Format, numbers: Format) -> None:
    every = np.arange(entry.minimum, entry.maximum + 1)
    for function in EVERY:
        lookup = look_up(function, entry, Format(entry.bits, numbers.fraction))
        assert isinstance(lookup, Interpolation) and lookup.shift <= 15
        outside = (every[every < lookup.below.origin], every[every >= lookup.above.origin])
        for line, x in zip((lookup.below, lookup.above), outside, strict=True):
            products = (x - line.origin) * line.factor
            assert np.abs(products).max(initial=0) + (1 << line.shift >> 1) + 2**17 < 2**31
