"""Tables of TFLM's functions: near the true ones, of the numbers before and after them, or none where TFLM has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.numbers import affine_wide_softmax as wide
from mcusim.numbers.affine import Affine
from mcusim.numbers.affine_functions import every, of_operator
from mcusim.numbers.float_functions import LARGEST_EXPONENT, SMALLEST_EXPONENT, exponential
from mcusim.numbers.functions import SIGMOID, TANH, Function

ENTRIES = [Affine(8, scale, zero) for scale, zero in ((0.03, 0), (0.06, -128), (0.011, 77))]
RANGES = {"sigmoid": (1 / 256, -128), "tanh": (1 / 128, 0)}
SLOPES = (0.0, 0.3, -0.2, 1.5)
FUNCTIONS = [
    *(SIGMOID, TANH, Function("elu", (1.0,)), Function("hard_silu", (1 / 6,))),
    *(Function("leaky_relu", (slope,)) for slope in SLOPES),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_a_table_is_near_to_its_function(function: Function, entry: Affine) -> None:
    out = Affine(8, *RANGES.get(function.name, (entry.scale * 1.2, 11)))
    made = of_operator(function, entry, out)
    assert made is not None and made.entry == entry and made.numbers == out
    assert made.table.shape == (256,) and made.table.dtype == np.int8
    true = function.exact(entry.decode(every(entry))) / out.scale + out.zero
    assert np.abs(made.table - np.clip(true, out.minimum, out.maximum)).max() <= 1.5
    np.testing.assert_array_equal(made.apply(every(entry)), made.table)


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_of_other_numbers_there_is_none(function: Function) -> None:
    entry, out = ENTRIES[0], Affine(8, *RANGES.get(function.name, (0.04, 3)))
    others = [(replace(entry, bits=16), out), (entry, replace(out, bits=16))]
    if function.name in RANGES:
        others += [(entry, replace(out, zero=out.zero + 1)), (entry, replace(out, scale=out.scale * 1.01))]
    assert all(of_operator(function, *pair) is None for pair in others)
    assert of_operator(Function("gelu"), entry, out) is None


def test_both_tables_of_a_wide_softmax_are_near_to_their_functions_and_end_where_they_do() -> None:
    place = np.linspace(0, 1, wide.ENTRIES)
    for table, true in ((wide.powers(), np.exp(wide.REACH * (place - 1))), (wide.reciprocals(), 1 / (1 + place))):
        assert len(table) == wide.ENTRIES
        assert np.abs(table - np.minimum(true * 32768, 32767)).max() <= 4


def test_e_to_the_x_is_finite_up_to_its_largest_exponent_and_above_0_down_to_its_smallest() -> None:
    ends = np.array([LARGEST_EXPONENT, SMALLEST_EXPONENT], np.float32)
    largest, smallest = exponential(ends)
    assert np.isfinite(largest) and largest > 3e38 and 0 < smallest < 2e-38
    beyond = exponential(np.nextafter(ends, np.array([np.inf, -np.inf], np.float32)))
    assert beyond.tolist() == [np.inf, 0]
