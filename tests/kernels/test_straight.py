"""Lines that stand for factors: the same output for every sum that a channel can have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.kernels.finish import FactorFinish
from mcusim.kernels.straight import StraightFinish, ending_in, records_of, straight
from mcusim.layers.convolution import Convolution
from mcusim.layers.input import Input
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine, Multiplied, Scaled
from mcusim.numbers.factors import once, twice
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.system.arrays import Array

TAPS = (3, 3)
LESS = 1 - 2.0**-24  # than a ratio is: sums that lie between two outputs go away from zero
ENTRIES = (Affine(8, 0.5, -128), Affine(8, 0.5, 3), Affine(8, 0.5, 0, signed=False))
OUTPUTS = (Affine(8, 0.05, -128), Affine(8, 0.05, -7), Affine(8, 0.05, 0, signed=False))


def layer(ratios: list[float], entry: Affine, out: Affine, activation: Activation, seed: int = 0) -> Convolution:
    """Depthwise, with biases of which some are larger than all that is added to them."""
    random = np.random.default_rng(seed)
    kernel = random.integers(-127, 128, (len(ratios), *TAPS, 1)).astype(np.int8)
    bias = random.integers(-20000, 20000, len(ratios))
    bias[-1] *= 100
    numbers = Scaled(8, (1.0,) * len(ratios))
    made = affine.weighted_sum(kernel, bias, numbers, entry, out, twice(ratios), fold=True)
    shapes = {"shape": (5, 5, len(ratios)), "input_shape": (7, 7, len(ratios)), "groups": len(ratios)}
    own = {**vars(made), "zero": entry.zero}
    return Convolution(name="l", inputs=("x",), activation=activation, **shapes, **own)  # type: ignore[arg-type]


def on_lines(finish: StraightFinish, one: Convolution, sums: Array) -> Array:
    """What the two instructions make of sums (n, channels) without bias."""
    bias, multiplier, addend, _ = records_of(one, finish).astype(np.int64).T
    total = (sums + bias + 2**31) % 2**32 - 2**31  # as 32 bits wrap round
    product = (total * multiplier >> 32) + addend
    assert np.abs(product).max() < 2**31
    numbers = one.numbers
    assert isinstance(numbers, Affine)
    return one.activation.limit(product >> finish.shift, numbers)


def every_sum(one: Convolution, entry: Affine, channel: int) -> Array:
    """Without bias, of stored inputs."""
    weights = one.kernel[channel].reshape(-1).astype(np.int64)
    ends = np.outer((entry.minimum, entry.maximum), weights)
    return np.arange(ends.min(axis=0).sum(), ends.max(axis=0).sum() + 1)


def demand_equal(one: Convolution, entry: Affine) -> None:
    made = straight(one, entry)
    assert made is not None
    for channel in range(len(one.kernel)):
        sums = every_sum(one, entry, channel)[:, None]
        got = on_lines(made, one, np.broadcast_to(sums, (len(sums), len(one.kernel))))[:, channel]
        wanted = one.finish(np.broadcast_to(sums, (len(sums), len(one.kernel))))[:, channel]
        np.testing.assert_array_equal(got, wanted)


@settings(max_examples=15, deadline=None)
@given(
    ratios=st.lists(st.floats(2.0**-11, 2.0**-5), min_size=1, max_size=5),
    entry=st.sampled_from(ENTRIES),
    out=st.sampled_from(OUTPUTS),
    activation=st.sampled_from([RELU, Activation(True, 6.0)]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_sum_ends_as_tflm_says(
    ratios: list[float], entry: Affine, out: Affine, activation: Activation, seed: int
) -> None:
    demand_equal(layer(ratios, entry, out, activation, seed), entry)


@pytest.mark.parametrize(
    "ratios", [[0.0, 2.0**-40, 0.01], [0.01, 1e-5, 3e-6], [2.0**-7, 2.0**-8, 2.0**-9], [0.2, 0.1, 0.24]], ids=str
)
def test_dead_and_large_channels_and_ties_as_well(ratios: list[float]) -> None:
    demand_equal(layer(ratios, ENTRIES[0], OUTPUTS[0], RELU), ENTRIES[0])


WIDE = Affine(16, 0.01, 0), Affine(16, 0.004, 0)


@settings(max_examples=25, deadline=None)
@given(
    ratios=st.lists(st.floats(2.0**-16, 2.0**-5) | st.sampled_from([0.0, 1e-12]), min_size=2, max_size=5),
    relu=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_rounded_once_is_a_line_itself(ratios: list[float], relu: bool, seed: int) -> None:
    """16x8: sums that are ties, next to them, at both ends, and by chance."""
    one = layer(ratios, WIDE[0], WIDE[1], RELU if relu else LINEAR, seed)
    factors = once([ratio * 0.7 for ratio in ratios], bits=15)
    one = replace(one, rescale=Multiplied(factors, WIDE[1]), wider_numbers=WIDE[0])
    made = straight(one, WIDE[0])
    assert made is not None and made.cycles == 2
    half, count = np.round(np.ldexp(1.0, factors.shifts - 1) / factors.multipliers).astype(np.int64), len(ratios)
    near = np.broadcast_to(half, count) * np.arange(-40, 41)[:, None]
    ends = np.array([[one.peak_sum], [-one.peak_sum]]) * np.ones(count, np.int64)
    random = np.random.default_rng(seed).integers(-one.peak_sum, one.peak_sum + 1, (500, count))
    totals = np.concatenate([near - 1, near, near + 1, ends, random])
    sums = totals.clip(-one.peak_sum, one.peak_sum) - one.bias
    np.testing.assert_array_equal(on_lines(made, one, sums), one.finish(sums))


def test_factors_that_lie_too_far_apart_have_no_common_shift() -> None:
    one = replace(layer([0.01, 0.01], *WIDE, LINEAR), wider_numbers=WIDE[0])
    far = Multiplied(once([0.9, 2.0**-24], bits=15), WIDE[1])
    assert straight(replace(one, rescale=far, peak_sum=2**30 - 1), WIDE[0]) is None


@settings(max_examples=8, deadline=None)
@given(
    halves=st.lists(st.integers(32, 5000), min_size=1, max_size=5),
    entry=st.sampled_from(ENTRIES),
    out=st.sampled_from(OUTPUTS),
    activation=st.sampled_from([LINEAR, RELU]),
    seed=st.integers(0, 2**32 - 1),
)
def test_outputs_an_even_number_of_sums_apart_have_lines_below_zero_too(
    halves: list[int], entry: Affine, out: Affine, activation: Activation, seed: int
) -> None:
    ratios = [LESS / (2 * half) for half in halves]
    demand_equal(layer(ratios, entry, out, activation, seed), entry)


def test_only_what_never_is_below_zero_does_without_an_addend() -> None:
    plain, signed = (layer([LESS / 300, LESS / 512], ENTRIES[0], out, LINEAR) for out in (OUTPUTS[2], OUTPUTS[1]))
    for one, bare in ((plain, True), (signed, False)):
        made = straight(one, ENTRIES[0])
        assert made is not None and made.bare is bare and len(made.factor) == 2 - bare
        assert not bare or not records_of(one, made)[:, 2].any()


@pytest.mark.parametrize("ratio", [1 / 301, 1 / 300.5, 2.0**-9], ids=["odd", "no whole number", "exact power of two"])
def test_signs_of_other_factors_are_left_to_five_instructions(ratio: float) -> None:
    one = layer([ratio, LESS / 300], ENTRIES[0], OUTPUTS[1], LINEAR)
    assert straight(one, ENTRIES[0]) is None
    assert straight(replace(one, activation=RELU), ENTRIES[0]) is not None


@pytest.mark.parametrize("doubled", [True, False])
def test_sums_without_a_line_come_doubled_where_the_kernel_makes_them_so(doubled: bool) -> None:
    """It saves an instruction a sum."""
    one = layer([1 / 301, LESS / 300], ENTRIES[0], OUTPUTS[1], LINEAR)
    found = ending_in(one, Input(name="x", inputs=(), shape=(7, 7, 2), numbers=ENTRIES[0]), doubled=doubled)
    assert type(found) is FactorFinish and found.doubled is doubled and found.cycles == 5 - doubled


def test_what_is_too_large_is_left_to_factors() -> None:
    assert straight(layer([0.26, 0.01], ENTRIES[0], OUTPUTS[1], RELU), ENTRIES[0]) is None  # no shift is left
    apart = layer([0.2, 2.0**-14], ENTRIES[0], OUTPUTS[0], RELU, seed=4)
    apart = replace(apart, bias=np.array([0, -(2**29)]), peak_sum=2**29 + 300_000)
    assert straight(apart, ENTRIES[0]) is not None


@pytest.mark.parametrize("moved", [-1, 1])
def test_a_sum_more_or_less_is_wrong_somewhere(moved: int) -> None:
    one = layer([0.01, 0.0043, 0.002], ENTRIES[0], OUTPUTS[0], RELU)
    made = straight(one, ENTRIES[0])
    assert made is not None and made.lines is not None
    wrong = replace(made, lines=made.lines._replace(more=made.lines.more + moved))
    for channel in range(2):  # the last has one output for all of its sums
        sums = np.broadcast_to(
            every_sum(one, ENTRIES[0], channel)[:, None], (len(every_sum(one, ENTRIES[0], channel)), 3)
        )
        differing = on_lines(wrong, one, sums) != one.finish(sums)
        assert differing[:, channel].any()


def test_layers_share_their_shift() -> None:
    shifts = set()
    for ratio in (0.03, 0.004, 0.0007):
        made = straight(layer([ratio, ratio / 3], ENTRIES[0], OUTPUTS[0], RELU), ENTRIES[0])
        assert made is not None
        shifts.add(made.shift)
    assert len(shifts) == 1
