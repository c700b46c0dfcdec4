"""Affine scales as mcusim chooses them: what they cover and keep exact, and how near results come to real ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph, Output
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.layers.convolution import Convolution
from mcusim.layers.pooling import AveragePooling
from mcusim.line.lower import lower, options_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.affine import Affine, Multiplied, ScaledMean, as_affine
from mcusim.numbers.affine_scheme import LEAST_APART, MOST_APART, AffineScheme, make_scheme
from mcusim.numbers.cutting import cut
from mcusim.numbers.formats import Format
from mcusim.numbers.functions import SYMMETRIC, UNIT
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import Range
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import COMMAND_LINE, validate
from tests.compiled import run_compiled
from tests.graphs import Builder

PER_CHANNEL, PER_TENSOR = AffineScheme(8, per_channel=True), AffineScheme(8, per_channel=False)
FAST = Destination("cortex-m4", memory=USUAL)
ENTRY = Affine(8, 0.05, -3)


def noise(graph: Graph, quantized: Graph, x: Array) -> float:
    """Of the only output, as a share of the signal."""
    real, made = graph.run(x), quantized.decode(quantized.run(x))
    return float(((real - made) ** 2).mean() / (real**2).mean())


@given(st.floats(-1e6, 0), st.floats(0, 1e6))
def test_a_range_is_covered_and_0_is_a_number(low: float, high: float) -> None:
    numbers = PER_CHANNEL.numbers_for(Range(low, high))
    assert numbers.decode(np.array(numbers.zero)) == 0
    ends = numbers.decode(np.array([numbers.minimum, numbers.maximum]))
    assert ends[0] <= low + numbers.scale / 2 + 1e-6 * abs(low) and ends[1] >= high - numbers.scale / 2 - 1e-6 * high
    if high - low > 1e-20:
        assert numbers.scale == np.float32((high - low) / 255)


def test_functions_with_bounds_have_the_numbers_of_tflm() -> None:
    assert PER_CHANNEL.numbers_for(UNIT) == Affine(8, 1 / 256, -128)
    assert PER_CHANNEL.numbers_for(SYMMETRIC) == Affine(8, 1 / 128, 0)


def seen(x: Array) -> Range:
    return Range().widened(x.reshape(len(x), -1).astype(np.float32), spread=True)


def test_ranges_are_cut_where_that_costs_least() -> None:
    random = np.random.default_rng(0)
    x = np.append(random.normal(size=60_000), [40.0, 41.0]).reshape(-1, 1)
    whole = seen(x)
    best, share, kept = (cut(whole, ranges, 256) for ranges in ("mse", "percentile", "kl"))  # type: ignore[arg-type]
    assert cut(whole, "max", 256) is whole and whole.high == 41

    def error(values: Range) -> float:
        numbers = PER_CHANNEL.numbers_for(values)
        return float(((numbers.decode(numbers.encode(x)) - x) ** 2).mean())

    tried = [replace(whole, low=low, high=high) for low in (-2, -3, -4, -6) for high in (3, 4, 8, 16, 30, 41)]
    assert error(best) <= min(map(error, tried)) * 1.05
    for values in (share, kept):
        assert 3 < values.high < 15 and -5 < values.low < -2.5
    assert share.low == pytest.approx(np.quantile(x, 5e-5), abs=0.1)


def test_one_sided_ranges_stay_one_sided() -> None:
    values = seen(np.abs(np.random.default_rng(0).normal(size=(3000, 4))))
    for ranges in ("mse", "percentile", "kl"):
        found = cut(values, ranges, 256)  # type: ignore[arg-type]
        assert found.low == 0 and 1 < found.high <= values.high
        assert PER_CHANNEL.numbers_for(found).zero == -128
    constant = seen(np.full((10, 1), 3.0))
    assert cut(constant, "mse", 256).high == pytest.approx(3, rel=0.01)


def convolution(random: np.random.Generator, spread: Array) -> Array:
    return np.asarray(random.normal(size=(len(spread), 3, 3, 2)) * spread[:, None, None, None], np.float32)


def test_each_channel_has_a_scale_of_its_own() -> None:
    random = np.random.default_rng(1)
    kernel, bias = convolution(random, np.geomspace(0.05, 1, 6)), random.normal(size=6).astype(np.float32)
    errors = []
    for scheme in (PER_CHANNEL, PER_TENSOR):
        made = scheme.weighted_sum(kernel, bias, ENTRY, Range(-9, 9))
        assert np.abs(made.kernel.astype(int)).reshape(6, -1).max(axis=1).max() >= 124
        assert isinstance(made.rescale, Multiplied)
        rows = (made.kernel_numbers.decode(made.kernel) - kernel).reshape(6, -1)
        errors.append(float((rows**2).sum(axis=1)[0]))
    assert errors[0] < errors[1] / 50
    assert len(PER_CHANNEL.weighted_sum(kernel, bias, ENTRY, Range(-9, 9), one_scale=True).kernel_numbers.scales) == 1  # type: ignore[attr-defined]


def test_outputs_are_an_even_number_of_sums_apart_and_scales_hardly_larger_for_it() -> None:
    random = np.random.default_rng(2)
    kernel, bias = convolution(random, np.geomspace(0.002, 2, 12)), random.normal(size=12).astype(np.float32)
    made = PER_CHANNEL.weighted_sum(kernel, bias, ENTRY, Range(-9, 9))
    widest = np.abs(kernel).reshape(12, -1).max(axis=1) / 127
    have, out = np.array(made.kernel_numbers.scales), as_affine(made.numbers)  # type: ignore[attr-defined]
    apart, wanted = out.scale / (ENTRY.scale * have), out.scale / (ENTRY.scale * widest)
    even = (wanted >= LEAST_APART) & (wanted < MOST_APART)
    assert even.sum() >= 8 and (wanted < LEAST_APART).any() and (wanted > MOST_APART).any()
    distance = apart[even] / 2 % 1
    assert (distance > 0).all() and (distance < 1e-3).all()  # halves go away from zero
    assert (have[even] >= widest[even] * (1 - 1e-6)).all() and (have[even] < widest[even] * (1 + 2 / LEAST_APART)).all()
    np.testing.assert_allclose(have[wanted < LEAST_APART], widest[wanted < LEAST_APART], rtol=1e-6)


EXTREMES: dict[str, tuple[Callable[[Array, Array], None], Range]] = {
    "a dead channel": (lambda kernel, bias: (kernel[2].fill(0), bias[2:3].fill(0)), Range(-9, 9)),  # type: ignore[dict-item]
    "a huge bias": (lambda kernel, bias: bias[1:2].fill(1e9), Range(-9, 1e9)),
    "tiny weights": (lambda kernel, bias: kernel[1].fill(1e-20), Range(-9, 9)),
    "all is 0": (lambda kernel, bias: (kernel.fill(0), bias.fill(0)), Range()),  # type: ignore[dict-item]
    "outputs finer than their sums": (lambda kernel, bias: None, Range(-1e-6, 1e-6)),
    "huge weights": (lambda kernel, bias: kernel.fill(1e30), Range(-1e31, 1e31)),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_weights(name: str) -> None:
    """No sum leaves 32 bits, nothing is shifted to the left, and channels that are well stay well."""
    change, values = EXTREMES[name]
    random = np.random.default_rng(2)
    kernel, bias = convolution(random, np.full(4, 0.3)), random.normal(size=4).astype(np.float32)
    change(kernel, bias)
    for scheme in (PER_CHANNEL, PER_TENSOR):
        made = scheme.weighted_sum(kernel, bias, ENTRY, values)
        assert made.peak_sum < 2**31 and np.isfinite(made.bias).all()
        assert isinstance(made.rescale, Multiplied) and made.rescale.factors.shifts.max() <= 0
        assert made.zero == ENTRY.zero
    if name == "a huge bias":
        total = made.bias[1] + ENTRY.zero * made.kernel[1].astype(int).sum()
        weights = PER_CHANNEL.weighted_sum(kernel, bias, ENTRY, values).kernel_numbers
        assert total * ENTRY.scale * as_scales(weights)[0] > 0


def as_scales(numbers: Any) -> tuple[float, ...]:
    return tuple(numbers.scales)


def test_means_of_whole_planes_have_a_scale_of_their_own() -> None:
    builder = Builder((8, 8, 3), seed=1)
    builder.conv(4, activation="relu")
    builder.add("AveragePooling2D", pool_size=2)
    builder.add("GlobalAveragePooling2D")
    graph = builder.graph()
    quantized = quantize(graph, builder.samples(40), "int8", scheme="per-channel")
    local, whole = (layer for layer in quantized if isinstance(layer, AveragePooling))
    assert local.numbers == quantized[local.inputs[0]].numbers
    assert isinstance(whole.averaging, ScaledMean)
    assert as_affine(whole.averaging.numbers).scale < as_affine(local.averaging.numbers).scale / 1.5  # type: ignore[union-attr]


@pytest.mark.parametrize("data_type", ["int8", "w8a16"])
def test_what_was_0_in_calibration_is_no_finer_than_its_inputs_need(data_type: str) -> None:
    """Seed 95 of script/fuzz's graphs: a mean 2^39 times as fine, which C has no shift for."""
    builder = Builder((6, 2))
    start = builder.add("Rescaling", scale=1e10, offset=0.0)
    dead = builder.add("ReLU")
    builder.add("GlobalAveragePooling1D", dead)
    builder.add("Subtract", start, start)
    builder.add("Add", builder.last.name, start)
    graph, x = builder.graph(), -np.abs(builder.samples(8))
    graph = replace(graph, outputs=(Output("mean", "globalaveragepooling1d_3"), Output("add", builder.last.name)))
    quantized = quantize(graph, x, data_type, scheme="per-channel")
    answers, expected = run_compiled(quantized, -3 * x), quantized.run(-3 * x)
    for name in ("mean", "add"):
        np.testing.assert_array_equal(answers[name], expected[name])


def test_sums_are_nearer_when_weights_are_fitted() -> None:
    builder = Builder((12, 12, 4), seed=4)
    builder.conv(8, activation="relu", padding="same")
    builder.depthwise(3, padding="same")
    builder.conv(6, strides=2)
    builder.add("Flatten")
    builder.dense(5)
    graph, mixed = optimize(builder.graph()), builder.random.normal(size=(4, 4))
    x = (builder.samples(400) @ mixed).astype(np.float32)  # of channels that tell of each other
    made = {
        (scheme, weights): noise(graph, quantize(graph, x, "int8", scheme=scheme, weights=weights), x)
        for scheme, weights in itertools.product(("per-channel", "per-tensor"), ("fitted", "rounded"))
    }  # type: ignore[arg-type]
    for scheme in ("per-channel", "per-tensor"):
        assert made[scheme, "fitted"] < made[scheme, "rounded"]
    assert made["per-channel", "fitted"] < made["per-tensor", "fitted"]
    assert made["per-channel", "fitted"] < noise(graph, quantize(graph, x, "int8", output="int8"), x)


def everything() -> Builder:
    """Each kind of layer that there is on planes."""
    builder = Builder((9, 8, 4), seed=7)
    builder.conv(6, padding="same", activation="relu")
    start = builder.last.name
    builder.normalization()
    builder.add("PReLU", arrays=(builder.weights(1, 1, 6, fan_in=1),))
    builder.standardization()
    builder.add("Activation", activation="sigmoid")
    builder.add("Multiply", start, builder.last.name)
    builder.transposed(6, 3, strides=1, padding="same")
    other = builder.last.name
    builder.add("Maximum", start, other)
    builder.add("Subtract", builder.last.name, other)
    builder.add("Add", builder.last.name, start, other)
    builder.add("Concatenate", builder.last.name, start)
    builder.add("MaxPooling2D", pool_size=2)
    builder.add("UpSampling2D", size=2, interpolation="bilinear")
    builder.add("ZeroPadding2D", padding=((1, 0), (0, 1)))
    builder.add("AveragePooling2D", pool_size=3, padding="same", strides=2)
    builder.add("Activation", activation="tanh")
    builder.depthwise(3, padding="same")
    builder.add("GlobalAveragePooling2D")
    builder.dense(5)
    return builder


def sequence(kind: str) -> Builder:
    builder = Builder((10, 3), seed=5)
    builder.conv(4, padding="same", activation="relu")
    builder.recurrent(kind, 5, return_sequences=True)
    builder.recurrent(kind, 4, activation="relu")
    builder.dense(3)
    return builder


@pytest.mark.parametrize("make", [everything, *(lambda kind=kind: sequence(kind) for kind in ("LSTM", "GRU"))])
@pytest.mark.parametrize(
    ("data_type", "scheme"),
    [("int8", "per-channel"), ("int8", "per-tensor"), ("w8a16", "per-channel"), ("w8a16", "per-layer")],
)
def test_every_layer_has_its_numbers(make: Callable[[], Builder], data_type: str, scheme: str) -> None:
    builder = make()
    graph, x = optimize(builder.graph()), builder.samples(200)
    quantized = quantize(graph, x, data_type, scheme=scheme)
    kind, most = (Format, 3e-3) if scheme == "per-layer" else (Affine, 3e-4 if data_type == "w8a16" else 0.02)
    assert all(isinstance(layer.numbers, kind) for layer in quantized) and quantized.scheme == scheme
    assert noise(graph, quantized, x) < most
    x = np.concatenate([x[:20], 1e6 * x[:4]])
    np.testing.assert_array_equal(run_compiled(quantized, x), quantized.run(x))


def test_weights_have_8_bits_beside_inputs_of_16() -> None:
    builder = Builder((9, 8, 4), seed=2)
    builder.conv(5, activation="relu")
    builder.add("GlobalMaxPooling2D")
    builder.dense(3)
    graph, x = optimize(builder.graph()), builder.samples(50)
    for scheme in ("per-channel", "per-layer"):
        quantized = quantize(graph, x, "w8a16", scheme=scheme)
        program = lower(quantized)
        (unit,) = program.units
        assert (unit.name, unit.storage, unit.number_bits, unit.weight_bits) == ("w8a16", "int16", 16, 8)
        kernels = [one.values.dtype for step in program.steps for one in step.code.constants if one.role == "kernel"]
        assert kernels == [np.int8, np.int8] and all(layer.dtype == np.int16 for layer in quantized)
        assert quantized.inputs[0].numbers.zero == 0  # type: ignore[union-attr]
        options = options_of(quantized, FAST)
        assert {options[layer.name][0].kernel.NAME for layer in quantized if layer.weights} == {"direct", "rows"}


def test_long_sums_of_wide_numbers_have_64_bits() -> None:
    builder = Builder((3000,), seed=2)
    builder.dense(3)
    quantized = quantize(builder.graph(), builder.samples(20), "w8a16", scheme="per-channel")
    assert quantized.layers[-1].accumulator_peak > 2**31
    x = np.concatenate([builder.samples(4), np.full((1, 3000), 1e6, np.float32)])
    np.testing.assert_array_equal(run_compiled(quantized, x), quantized.run(x))


def test_a_transposed_sum_takes_zeros_from_its_taps() -> None:
    """Some outputs have fewer taps than others: the zero must not be in their bias as if they had all."""
    builder = Builder((5, 5, 2), seed=3)
    builder.add("ReLU")
    builder.transposed(3, 3, strides=2)
    graph, x = builder.graph(), builder.samples(100)
    quantized = quantize(graph, x, "int8", scheme="per-channel")
    assert quantized[graph.layers[1].name].numbers.zero != 0  # type: ignore[union-attr]
    assert noise(graph, quantized, x) < 1e-3


def test_convolutions_know_what_lies_round_them() -> None:
    builder = Builder((6, 6, 2), seed=3)
    builder.conv(3, padding="same")
    quantized = quantize(builder.graph(), np.abs(builder.samples(50)), "int8", scheme="per-channel")
    layer = quantized.layers[-1]
    assert isinstance(layer, Convolution) and layer.zero == quantized.inputs[0].numbers.zero == -128  # type: ignore[union-attr]


WRONG = [
    ({"data_type": "int16", "scheme": "per-channel"}, "scheme 'per-channel' is for int8 and w8a16, not for int16"),
    ({"scheme": "per-tensor", "rounding": "floor"}, "rounds as TensorFlow Lite Micro does"),
    (
        {"layer": [{"name": "a", "data_type": "int16", "scheme": "per-channel"}]},
        "is for int8 and w8a16, not for int16",
    ),
    ({"scheme": "per-channel", "output": "int16"}, "has no outputs of 'int16'"),
    ({"scheme": "per-channel", "format": "Q7.1"}, "takes no format"),
    (
        {"scheme": "per-layer", "ranges": "kl"},
        "ranges = 'kl' is for scales that follow a range exactly, not for scheme 'per-layer'",
    ),
]


@pytest.mark.parametrize(("written", "what"), WRONG)
def test_what_it_cannot_do_is_told(written: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what.replace("(", ".")):
        validate(Quantization, {"data_type": "int8", **written}, COMMAND_LINE)


def test_a_run_is_called_by_its_scheme() -> None:
    chosen = validate(Quantization, {"data_type": "int8", "scheme": "per-channel", "ranges": "kl"}, COMMAND_LINE)
    assert chosen.label == "int8 kl" and str(make_scheme(8, "per-channel", None, "nearest")) == "per-channel"
    assert Quantization(data_type="int8").chosen_scheme == "per-channel"
    assert Quantization(data_type="int8", scheme="per-layer").label == "int8 per-layer"
    assert Quantization(data_type="w8a16").chosen_scheme == "per-layer"


@pytest.mark.parametrize("written", [{"rounding": "floor"}, {"output": "int16"}])
def test_what_only_powers_of_two_have_chooses_them(written: dict[str, Any]) -> None:
    chosen = validate(Quantization, {"data_type": "int8", **written}, COMMAND_LINE)
    assert chosen.chosen_scheme == "per-layer" and chosen.label.startswith("int8 per-layer ")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("reach", [1e29, 1e33, 3e38, 1e300, math.inf, math.nan, 0.0, 1e-35])
def test_numbers_that_diverge_or_vanish_have_a_scale(bits: int, reach: float) -> None:
    scheme = AffineScheme(bits, per_channel=True)
    numbers = scheme.numbers_for(Range(-reach, reach))
    assert 0 < np.float32(numbers.scale) < np.inf
    mean = scheme.averaging(numbers, Range(-reach, reach), 9, whole=True)
    assert mean.numbers is not None and 0 < np.float32(mean.numbers.scale) < np.inf
    both = scheme.product((numbers, numbers), Range(-reach, reach))
    assert 0 < np.float32(both.numbers.scale) < np.inf


@pytest.mark.parametrize(("count", "lost"), [(130_000, 0), (140_000, 1), (280_000, 2)])
def test_weights_get_coarser_where_sums_have_no_room(count: int, lost: int) -> None:
    """Sums of that many products of the largest numbers there are."""
    entry, kernel, bias = Affine(8, 0.5, 0), np.full((1, count), 1.27, np.float32), np.zeros(1, np.float32)
    made = PER_CHANNEL.weighted_sum(kernel, bias, entry, Range(-9, 9))
    assert made.lost_bits == lost and made.peak_sum <= ACCUMULATOR_LIMIT < 3 * made.peak_sum
    assert abs(made.kernel_numbers.decode(made.kernel) - kernel).max() <= made.kernel_numbers.scales[0]  # type: ignore[attr-defined]
    inner = PER_CHANNEL.inner_sum(kernel, bias, entry)
    assert np.abs(inner.kernel.astype(np.int64)).sum() * 128 <= ACCUMULATOR_LIMIT
    assert abs(inner.kernel_numbers.decode(inner.kernel) - kernel).max() <= 2.0**-inner.fraction / entry.scale
