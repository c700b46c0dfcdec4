"""Affine numbers: integers of TFLM, in NumPy and in C. TFLM itself is asked in tests/models/test_tflite.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph, Output
from mcusim.layers.add import Add
from mcusim.layers.convert import Convert
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.layers.merge import Maximum, Multiply, Subtract
from mcusim.layers.pooling import AveragePooling, MaxPooling
from mcusim.layers.relu import ReLU
from mcusim.layers.reshape import Reshape
from mcusim.layers.softmax import Softmax
from mcusim.layers.transposed_convolution import TransposedConvolution
from mcusim.layers.zero_padding import ZeroPadding
from mcusim.numbers import affine, affine_softmax
from mcusim.numbers.affine import Affine, Scaled
from mcusim.numbers.factors import Factors, multiplier, once, rescaling, twice
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array
from tests.affine_nets import LIMITS, Net, differ
from tests.compiled import run_compiled


def test_a_factor_has_31_bits() -> None:
    assert multiplier(0.5) == (1 << 30, 0)
    assert multiplier(1.0) == (1 << 30, 1)
    assert multiplier(2.0**40) == ((1 << 31) - 1, 30) == multiplier(2.0**31)  # no shift of C goes further
    assert multiplier(math.nextafter(1.0, 0)) == (1 << 30, 1)  # rounded up to the next power


@given(st.integers(-(2**31), 2**31 - 1))
def test_a_factor_that_is_too_small_makes_nothing(x: int) -> None:
    assert twice([2.0**-40]).apply(np.array(x)).tolist() == once([0.0]).apply(np.array(x)).tolist() == [0]


@given(st.floats(1e-6, 3.0), st.integers(-(2**24), 2**24))
def test_a_factor_rounds_twice(ratio: float, x: int) -> None:
    """Half up to 31 bits less, then half away from zero: in fractions."""
    whole, shift = multiplier(ratio)
    left, right = max(shift, 0), max(-shift, 0)
    high = math.floor(Fraction((x << left) * whole, 1 << 31) + Fraction(1, 2))
    size = math.floor(Fraction(abs(high), 1 << right) + Fraction(1, 2))
    assert int(twice([ratio]).apply(np.array(x))[()][0]) == (size if high >= 0 else -size)


@given(st.floats(1e-6, 0.9), st.integers(-(2**24), 2**24))
def test_a_factor_rounds_once(ratio: float, x: int) -> None:
    whole, shift = multiplier(ratio)
    exact = Fraction(x * whole, 1 << 31) * Fraction(2) ** shift
    assert int(once([ratio]).apply(np.array(x))[0]) == math.floor(exact + Fraction(1, 2))


def test_reals_are_divided_as_float32_with_halves_away_from_zero() -> None:
    numbers = Affine(8, 0.5, -3)
    assert numbers.encode(np.array([0.25, -0.25, 0.24, 100.0, -100.0])).tolist() == [-2, -4, -3, 127, -128]
    assert numbers.decode(np.array([-3, 0])).tolist() == [0.0, 1.5]
    assert Affine(8, 0.5, 3, signed=False).encode(np.array([-9.0, 200.0])).tolist() == [0, 255]
    just_less = np.nextafter(np.float32(0.5), np.float32(0))
    assert Affine(8, 1.0).encode(np.array([0.5, just_less, -0.5, -just_less])).tolist() == [1, 0, -1, 0]


@pytest.mark.parametrize("scale", [float(np.float32(0.2092297)), 0.2092297, 1e-44], ids=["float32", "float64", "tiny"])
@pytest.mark.parametrize(("bits", "zero", "signed"), [(8, -128, True), (9, 320, False), (16, 5, True)])
def test_decoded_numbers_are_rounded_once(bits: int, zero: int, signed: bool, scale: float) -> None:
    numbers = Affine(bits, scale, zero, signed)
    q = np.arange(numbers.minimum, numbers.maximum + 1)
    wanted = (scale * (q - zero).astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(numbers.decode(q.astype(numbers.dtype)), wanted)


@pytest.mark.usefixtures("both_ways")
def test_dead_filters_with_huge_biases_leave_room_for_the_others() -> None:
    """Converters clip such a bias to 31 bits; what comes out is the same for every input."""
    kernel = np.array([[3, -4, 5], [0, 0, 1], [0, 0, 0], [0, 0, 0]], np.int8)
    bias = np.array([100, 2**30, -(2**30), 2**30])
    entry, out = Affine(8, 0.5, 3), Affine(8, 0.1, -7)
    numbers = Scaled(8, (0.01, 2.0**-27, 2.0**-33, 2.0**-25))
    factors = affine.sum_factors(entry, numbers, out)
    made = affine.weighted_sum(kernel, bias, numbers, entry, out, factors, fold=True)
    assert made.peak_sum < 2**16
    x = np.random.default_rng(0).integers(-128, 128, (50, 3))
    sums = (x - 3) @ kernel.T.astype(np.int64) + bias
    want = np.clip(factors.apply(sums) - 7, -128, 127)
    assert np.array_equal(made.rescale.apply(x @ made.kernel.T.astype(np.int64) + made.bias, LINEAR), want)
    assert len(np.unique(want[:, 0])) > 3 and want[0, 1:].tolist() != [-7, -7, -7]


@pytest.fixture(params=["double", "single"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    with rescaling(request.param):
        yield


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("seed", range(4))
def test_sums_in_c(seed: int) -> None:
    net = Net(seed, (6, 5, 4))
    net.convolution(6)
    net.convolution(6, groups=6)
    net.convolution(4, groups=2, stride=2)
    spread = net.sum_of((3, 2, 2, 4), fold=False)
    window = {"input_shape": net.last.shape, "strides": (2, 2), "cut": (0, 0)}
    net.layers.append(TransposedConvolution(**net.given((6, 6, 3)), **window, **spread))  # type: ignore[arg-type]
    net.layers.append(Reshape(**net.given((108,)), numbers=net.last.numbers))  # type: ignore[arg-type]
    net.layers.append(Dense(**net.given((7,)), **net.sum_of((7, 108))))  # type: ignore[arg-type]
    assert differ(net.graph()) == 0


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("seed", range(4))
def test_small_layers_in_c(seed: int) -> None:
    net = Net(seed, (6, 6, 4), extreme=False)
    first = net.last
    window = {"input_shape": first.shape, "size": (3, 3), "strides": (1, 1), "padding": ((1, 1), (1, 1))}
    mean = affine.averaging(net.entry(), 9)
    net.layers.append(AveragePooling(**net.given(first.shape), **window, averaging=mean, numbers=mean.numbers))  # type: ignore[arg-type]
    net.layers.append(MaxPooling(**net.given(first.shape), **window, numbers=net.entry(), activation=LIMITS[seed]))  # type: ignore[arg-type]
    pooled, out = net.last, net.numbers()
    total = affine.addition([affine.as_affine(one.numbers) for one in (first, pooled)], out)  # type: ignore[arg-type]
    net.layers.append(
        Add(**net.given(first.shape, first, pooled), addition=total, numbers=out, activation=LIMITS[seed])
    )  # type: ignore[arg-type]
    net.layers.append(ReLU(**net.given(first.shape), numbers=out))  # type: ignore[arg-type]
    added, shapes = net.last, (first.shape, first.shape)
    out = net.numbers()
    difference = affine.addition([affine.as_affine(added.numbers), affine.as_affine(first.numbers)], out)  # type: ignore[arg-type]
    given = net.given(first.shape, added, first)
    net.layers.append(Subtract(**given, input_shapes=shapes, addition=difference, numbers=out))  # type: ignore[arg-type]
    taken, out = net.last, net.numbers()
    times = affine.product(affine.as_affine(taken.numbers), affine.as_affine(added.numbers), out)  # type: ignore[arg-type]
    given = net.given(first.shape, taken, added)
    net.layers.append(Multiply(**given, input_shapes=shapes, product=times, numbers=out))  # type: ignore[arg-type]
    other = affine.conversion(affine.as_affine(taken.numbers), out)  # type: ignore[arg-type]
    product = net.last
    net.layers.append(Convert(**net.given(first.shape, taken), conversion=other, numbers=out))  # type: ignore[arg-type]
    given = net.given(first.shape, product, net.last)
    net.layers.append(Maximum(**given, input_shapes=shapes, addition=affine.as_they_are(out), numbers=out))  # type: ignore[arg-type]
    around = {"input_shape": first.shape, "padding": ((1, 0), (0, 1))}
    net.layers.append(ZeroPadding(**net.given((7, 7, 4)), **around, numbers=out))  # type: ignore[arg-type]
    whole = {"input_shape": (7, 7, 4), "size": (7, 7), "strides": (7, 7), "padding": ((0, 0), (0, 0))}
    means = affine.mean(out, net.numbers(), 49)
    net.layers.append(AveragePooling(**net.given((4,)), **whole, averaging=means, numbers=means.numbers))  # type: ignore[arg-type]
    chances = affine_softmax.softmax(Affine(8, 0.3, net.entry().zero), Affine(8, 1 / 256, -128))
    net.layers.append(Softmax(**net.given((4,)), softmaxing=chances, numbers=chances.numbers))  # type: ignore[arg-type]
    graph = net.graph()
    ends = [layer.name for layer in net.layers[1:]]
    for end in ends:  # each for itself, so that saturation further on hides nothing
        known = net.layers[: ends.index(end) + 2]
        assert differ(Graph(tuple(known), data_type="int8", scheme="affine")) == 0, (end, graph[end].kind)


def test_real_numbers_at_both_ends_in_c() -> None:
    numbers = Affine(8, float(np.float32(0.7)), 11)
    quantize, real = affine.FromReals(numbers), affine.ToReals(numbers)
    layers = (
        Input(name="x", inputs=(), shape=(9, 4)),
        Convert(name="q", inputs=("x",), shape=(9, 4), conversion=quantize, numbers=numbers),
        Convert(name="y", inputs=("q",), shape=(9, 4), conversion=real),
    )
    graph = Graph(layers, data_type="int8", scheme="affine", outputs=(Output("y", "y"),))
    x: Array = np.random.default_rng(0).uniform(-200, 200, (20, 9, 4)).astype(np.float32)
    x[0].flat[:6] = [0.35, -0.35, 1.05, -1.05, 1e30, -1e30]
    assert np.array_equal(run_compiled(graph, x), graph.run(x))
    assert np.abs(graph.run(np.clip(x, -90, 80)) - np.clip(x, -90, 80).reshape(20, -1)).max() <= 0.36


@settings(max_examples=30)
@given(st.lists(st.integers(-128, 127), min_size=1, max_size=12), st.floats(0.001, 1.0))
def test_softmax_is_near_the_real_one(q: list[int], scale: float) -> None:
    entry = Affine(8, float(np.float32(scale)), 0)
    x = np.array([q], np.int8)
    made = affine_softmax.softmax(entry, Affine(8, 1 / 256, -128)).apply(x)
    powers = np.exp(entry.decode(x) - entry.decode(x).max())
    assert np.abs((made.astype(int) + 128) / 256 - powers / powers.sum()).max() < 0.006


@pytest.mark.parametrize("made", [twice, once, lambda ratios: once(ratios, 15)])
def test_equal_factors_are_one(made: Callable[[Sequence[float]], Factors]) -> None:
    """A constant of C in place of an array of them."""
    equal, other = made([0.3] * 5), made([0.3, 0.3, 0.31])
    assert len(equal.multipliers) == len(equal.shifts) == 1 and len(other.multipliers) == 3
    x = np.arange(-1000, 1000, 7)
    np.testing.assert_array_equal(equal.apply(x), made([0.3]).apply(x))
    for column, ratio in enumerate((0.3, 0.3, 0.31)):
        np.testing.assert_array_equal(other.apply(x[:, None])[:, column], made([ratio]).apply(x))
