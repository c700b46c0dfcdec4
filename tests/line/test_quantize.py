"""Scales, proofs and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.affine import Affine
from mcusim.numbers.formats import Format
from mcusim.system.errors import ConfigurationError, DataError
from tests.compiled import run_compiled
from tests.graphs import Builder


def network(spread: float = 1.0) -> tuple[Graph, Builder]:
    builder = Builder((24, 6), spread=spread)
    builder.conv(8, 3, padding="same", activation="relu")
    start = builder.last.name
    builder.conv(8, 3, padding="same")
    builder.add("Add", start, builder.last.name)
    builder.add("ReLU")
    builder.add("GlobalMaxPooling1D")
    builder.dense(5)
    return optimize(builder.graph()), builder


@pytest.mark.parametrize(("data_type", "tolerance"), [("int16", 2e-3), ("int12", 3e-2), ("int9", 0.3), ("int8", 0.6)])
def test_the_error_shrinks_with_the_width(data_type: str, tolerance: float) -> None:
    graph, builder = network()
    x = builder.samples(64)
    quantized = quantize(graph, x, data_type)
    assert quantized.ends[0].numbers is not None
    error = np.abs(quantized.ends[0].numbers.decode(quantized.run(x)) - graph.run(x)).max()
    assert error < tolerance
    assert quantized.data_type == data_type and quantized.scheme == "per-layer"


def test_nearest_is_closer_than_floor() -> None:
    graph, builder = network()
    x, errors = builder.samples(64), {}
    for rounding in ("nearest", "floor"):
        quantized = quantize(graph, x, "int8", rounding=rounding)
        assert quantized.ends[0].numbers is not None
        errors[rounding] = np.abs(quantized.ends[0].numbers.decode(quantized.run(x)) - graph.run(x)).mean()
    assert errors["nearest"] < errors["floor"]


def test_per_network_uses_one_format_and_needs_no_samples() -> None:
    graph, _ = network()
    quantized = quantize(graph, np.empty((0, 24, 6)), "int16", scheme="per-network", fraction=9)
    assert {layer.numbers for layer in quantized} == {Format(16, 9)}
    assert quantized.scheme == "Q7.9"


def test_a_given_format_that_could_overflow_gets_wide_accumulators() -> None:
    graph, builder = network(spread=1000.0)
    quantized = quantize(graph, builder.samples(4), "int16", scheme="per-network", fraction=12)
    assert max(layer.accumulator_peak for layer in quantized) > 2**31
    per_layer = quantize(graph, builder.samples(4), "int16")
    assert max(layer.accumulator_peak for layer in per_layer) < 2**31


def test_float32_is_left_alone() -> None:
    graph, builder = network()
    assert quantize(graph, builder.samples(1), "float32") is graph


def test_refusals() -> None:
    graph, builder = network()
    x = builder.samples(2)
    with pytest.raises(ConfigurationError, match="unknown data type 'int17'"):
        quantize(graph, x, "int17")
    with pytest.raises(ConfigurationError, match="did you mean 'per-layer'"):
        quantize(graph, x, "int8", scheme="per_layer")
    with pytest.raises(ConfigurationError, match="needs a format"):
        quantize(graph, x, "int8", scheme="per-network", fraction=8)
    with pytest.raises(DataError, match="calibration"):
        quantize(graph, x[:0], "int8")
    with pytest.raises(DataError, match="do not fit the model"):
        quantize(graph, np.zeros((4, 24, 5)), "int8")
    with pytest.raises(DataError, match="sample 3 holds NaN"):
        quantize(graph, np.full((4, 24, 6), np.where(np.arange(4) == 3, np.nan, 0)[:, None, None]), "int8")


def test_layers_of_another_width_are_named_and_their_inputs_converted() -> None:
    graph, builder = network()
    last = graph.layers[-1].name
    quantized = quantize(graph, builder.samples(4), "int8", layers={last: ("int16", "per-layer")})
    convert, end = quantized.layers[-2:]
    assert (convert.kind, end.dtype, end.inputs) == ("Convert", np.int16, (convert.name,))
    with pytest.raises(ConfigurationError, match="has no layer 'nobody'"):
        quantize(graph, builder.samples(4), "int8", layers={"nobody": ("int16", "per-layer")})


def test_a_conversion_takes_no_name_of_a_layer() -> None:
    builder = Builder((6,))
    builder.dense(4)
    first, taken = builder.last.name, f"{builder.last.name}_as_int16"
    builder.dense(3)
    builder.layers[-1] = replace(builder.layers[-1], name=taken)
    last = builder.add("Dense", first, arrays=(builder.weights(4, 2, fan_in=4), np.zeros(2, np.float32)))
    joined = builder.add("Concatenate", taken, last)
    x = builder.samples(4)
    quantized = quantize(
        builder.graph(), x, "int8", layers={last: ("int16", "per-layer"), joined: ("int16", "per-layer")}
    )
    assert len({layer.name for layer in quantized}) == len(quantized.layers)
    np.testing.assert_array_equal(run_compiled(quantized, x), quantized.run(x))


def test_a_spike_in_the_calibration_costs_no_bit_and_is_told() -> None:
    graph, builder = network()
    x = builder.samples(300)
    plain = quantize(graph, x, "int8")
    x[5, 3, 2] = 1e3
    spiky = quantize(graph, x, "int8")
    assert [layer.numbers for layer in spiky] == [layer.numbers for layer in plain]
    assert "1 of 300 calibration samples choose no scales: they reach 1e+03 in 'input', all" in spiky.notes[0]
    whole = quantize(graph, x, "int8", ranges="max")
    assert whole.layers[0].numbers == Format(8, -3) and not whole.notes


def test_the_mean_of_a_sparse_map_keeps_its_bits() -> None:
    builder = Builder((16, 16, 4))
    builder.add("GlobalAveragePooling2D")
    graph, x = builder.graph(), np.zeros((64, 16, 16, 4), np.float32)
    x[np.arange(64), np.arange(64) % 16, np.arange(64) // 4, np.arange(64) % 4] = 1.0  # one element in 1024
    quantized, expected = quantize(graph, x, "int8"), graph.run(x)
    numbers = quantized.ends[0].numbers
    assert numbers is not None
    error = np.abs(numbers.decode(quantized.run(x)) - expected).max()
    assert error < 0.02 * np.abs(expected).max()
    np.testing.assert_array_equal(run_compiled(quantized, x), quantized.run(x))


def pixels() -> tuple[Graph, np.ndarray]:
    """Bytes in, and a Softmax in the middle, which takes no numbers without a sign."""
    builder = Builder((8, 8, 3))
    builder.conv(4, 3, padding="same", activation="relu")
    builder.add("MaxPooling2D")
    builder.conv(4, 3, activation="relu")
    builder.add("Softmax")
    builder.add("Flatten")
    builder.dense(5)
    x = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3)).astype(np.float32)
    return optimize(builder.graph()), x


def test_what_is_never_negative_has_a_bit_more_where_its_readers_take_it() -> None:
    graph, x = pixels()
    quantized = quantize(graph, x, "int8")
    assert [layer.dtype.kind for layer in quantized.layers[:4]] == ["u", "u", "u", "i"]
    assert quantized.layers[0].numbers == Format(8, 0, signed=False) and quantized.encode(x).dtype == np.uint8
    np.testing.assert_array_equal(run_compiled(quantized, x), quantized.run(x))
    assert all(layer.dtype != np.uint8 for layer in quantize(graph, x, "int16"))
    assert all(layer.dtype != np.uint8 for layer in quantize(graph, x, "int8", scheme="per-network", fraction=4))


def test_sums_at_the_end_are_told_in_16_bits() -> None:
    graph, x = pixels()
    quantized = quantize(graph, x, "int8")
    assert quantized.ends[0].dtype == np.int16 and quantized.ends[0].kernel.dtype == np.int8  # type: ignore[attr-defined]
    assert quantize(graph, x, "int8", output="int8").ends[0].dtype == np.int8
    assert quantize(graph, x, "int12").ends[0].numbers == Format(
        12, quantize(graph, x, "int12").ends[0].numbers.fraction
    )  # type: ignore[union-attr]


def noise(graph: Graph, quantized: Graph, x: np.ndarray) -> float:
    """Mean square of what quantization adds to the outputs, as a share of theirs."""
    expected, numbers = graph.run(x), quantized.ends[0].numbers
    assert numbers is not None
    return float(((numbers.decode(quantized.run(x)) - expected) ** 2).mean() / (expected**2).mean())


def test_sums_of_many_inputs_keep_the_bits_of_their_weights() -> None:
    builder = Builder((64, 64, 4))
    builder.add("Flatten")
    builder.dense(3)
    graph, x = builder.graph(), builder.samples(4)
    wide = quantize(graph, x, "int16")
    assert wide.ends[0].accumulator_peak > 2**31 and not wide.notes
    narrow = quantize(graph, x, "int8", weights="rounded")  # to fit so many takes a minute
    assert noise(graph, wide, x) < noise(graph, narrow, x) / 1000
    np.testing.assert_array_equal(run_compiled(wide, x), wide.run(x))


def test_weights_of_32_bit_sums_that_are_coarser_are_named() -> None:
    builder = Builder((300,))
    last = builder.dense(3)
    quantized = quantize(builder.graph(), builder.samples(4), "int16")
    assert quantized.ends[0].accumulator_peak < 2**31
    assert f"weights are coarser, so that 32-bit sums cannot overflow, in {last!r} (" in quantized.notes[0]


@pytest.mark.parametrize("samples", [30, 400])
def test_weights_that_are_fitted_make_less_noise_on_other_samples(samples: int) -> None:
    """Through a convolution, a depthwise one and a dense layer, from inputs that depend on each other."""
    builder = Builder((12, 12, 3))
    builder.conv(8, 3, activation="relu")
    builder.depthwise(3, activation="relu")
    builder.conv(8, 1, activation="relu")
    builder.add("Flatten")
    builder.dense(6)
    graph = optimize(builder.graph())
    x = np.cumsum(builder.random.normal(size=(samples + 200, 12, 12, 3)), axis=1).astype(np.float32)
    seen, new = x[:samples], x[samples:]
    fitted, rounded = quantize(graph, seen, "int8"), quantize(graph, seen, "int8", weights="rounded")
    assert noise(graph, fitted, new) < 0.75 * noise(graph, rounded, new)
    assert fitted.layers[1].kernel.dtype == np.int8  # type: ignore[attr-defined]
    again = quantize(graph, seen, "int8")
    np.testing.assert_array_equal(fitted.run(new), again.run(new))


def test_a_curve_that_is_too_wide_for_its_table_is_named() -> None:
    builder = Builder((16,))
    builder.add("Activation", activation="softsign")
    for scale, named in ((1.0, False), (200.0, True)):
        quantized = quantize(builder.graph(), builder.samples(64, scale), "int16")
        notes = [note for note in quantized.notes if "table of a curve" in note]
        assert bool(notes) == named, quantized.notes
        assert not named or builder.last.name in notes[0]


def test_readers_of_several_systems_have_conversions_of_their_own() -> None:
    builder = Builder((6,))
    first = builder.dense(4)
    readers = [builder.add("ReLU", first), builder.add("ReLU", first)]
    builder.add("Add", *readers)
    own = {first: ("int16", "per-layer"), readers[0]: ("int8", "per-channel"), readers[1]: ("int8", "per-layer")}
    quantized = quantize(builder.graph(), builder.samples(), "int8", layers=own)
    converted = [quantized[quantized[name].inputs[0]] for name in readers]
    assert [type(layer.numbers) for layer in converted] == [Affine, Format]
    assert [layer.name for layer in converted] == [f"{first}_as_int8_per_channel", f"{first}_as_int8"]


@pytest.mark.parametrize("scheme", ["per-channel", "per-layer"])
def test_layers_that_keep_numbers_are_looked_at_where_they_are_converted(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, x = pixels()
    usual, whole, alone = quantize(graph, x, "int8", scheme=scheme), Graph.ranges, list[set[str]]()

    def ranges(self: Graph, x: np.ndarray, *, spread: bool, peaks_alone: bool, ends_alone: set[str]) -> object:
        alone.append(ends_alone)
        return whole(self, x, spread=spread, peaks_alone=peaks_alone)

    monkeypatch.setattr(Graph, "ranges", ranges)
    made = quantize(graph, x, "int8", scheme=scheme)
    assert made.notes == usual.notes and [one.numbers for one in made] == [one.numbers for one in usual]
    assert (made.run(x) == usual.run(x)).all()
    quantize(graph, x, "int8", scheme=scheme, layers={graph.ends[0].name: ("int16", "per-layer")})
    assert alone == [{layer.name for layer in graph if layer.KEEPS_NUMBERS}, set()] and len(alone[0]) > 1
