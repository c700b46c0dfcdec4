"""The promise of the project: the C computes what `Graph.run` computes, whatever the model."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.line.arena import Plan, plan, views
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.store_unsigned import store_unsigned
from mcusim.numbers.factors import rescaling
from mcusim.program import Place
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder, builders, mixture, several

FAST = Destination("cortex-m4", memory=USUAL)  # where kernels in assembly are chosen: on the host run their twins
# script/fuzz draws the same graphs, every night for as long as there is time.
EXAMPLES = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FEW = settings(EXAMPLES, max_examples=10)
NUMBERS = [
    *((name, "per-layer") for name in ("int8", "int16", "int9", "int12", "w8a16")),
    *(("int8", "per-channel"), ("int8", "per-tensor"), ("w8a16", "per-channel")),
]
QUANTIZATIONS = [
    ("int8", "per-layer", None, "nearest"),
    ("int8", "per-layer", None, "floor"),
    ("int16", "per-layer", None, "nearest"),
    ("int16", "per-network", 9, "nearest"),
    ("int16", "per-network", 15, "floor"),
    ("int9", "per-layer", None, "floor"),
    ("int4", "per-layer", None, "nearest"),
    ("int12", "per-network", 0, "nearest"),
    ("int8", "per-channel", None, "nearest"),
    ("int8", "per-tensor", None, "nearest"),
    ("w8a16", "per-channel", None, "nearest"),
    ("w8a16", "per-layer", None, "nearest"),
]


def extreme_samples(builder: Builder) -> Array:
    """Ordinary samples, and some far outside of what calibration saw."""
    x = builder.samples(12)
    x[8:10] *= 1e6
    x[10] = 0
    x[11] = 3e38
    return x


@EXAMPLES
@given(builders(), st.sampled_from(QUANTIZATIONS), st.booleans(), st.booleans())
def test_integers_are_bit_exact_on_any_graph(
    builder: Builder, quantization: tuple[str, str, int | None, str], fused: bool, positive: bool
) -> None:
    graph = optimize(builder.graph()) if fused else builder.graph()
    x = extreme_samples(builder)
    x = np.abs(x) if positive else x
    data_type, scheme, fraction, rounding = quantization
    quantized = quantize(graph, x[:8], data_type, scheme=scheme, fraction=fraction, rounding=rounding)  # type: ignore[arg-type]
    expected = quantized.run(x)
    compiled = run_compiled(quantized, x)
    np.testing.assert_array_equal(compiled, expected)


@FEW
@given(builders(), st.sampled_from([one for one in NUMBERS if one[1] != "per-layer"]), st.booleans())
def test_integers_that_are_rescaled_once_are_bit_exact(builder: Builder, how: tuple[str, str], chosen: bool) -> None:
    graph, x = optimize(builder.graph()), extreme_samples(builder)
    with rescaling("single"):
        quantized = store_unsigned(quantize(graph, x[:8], how[0], scheme=how[1]))
    program = lower(quantized, FAST) if chosen else None
    np.testing.assert_array_equal(run_compiled(quantized, x, program=program), quantized.run(x))


@EXAMPLES
@given(builders(), st.booleans())
def test_floats_agree_on_any_graph(builder: Builder, fused: bool) -> None:
    graph = optimize(builder.graph()) if fused else builder.graph()
    x = builder.samples(8)
    expected = graph.run(x)
    compiled = run_compiled(graph, x)
    scale = max(*(values.peak for values in graph.ranges(x).values()), 1e-30)
    np.testing.assert_allclose(compiled, expected, rtol=1e-4, atol=1e-5 * scale)


@FEW
@given(builders(), st.sampled_from(["int8", "int16", "int12", "mixed"]), st.booleans())
def test_chosen_kernels_are_bit_exact_on_any_graph(builder: Builder, data_type: str, positive: bool) -> None:
    graph = optimize(builder.graph())
    x = extreme_samples(builder)
    x = np.abs(x) if positive else x
    numbers = itertools.cycle([("int16", "per-layer"), ("int8", "per-channel")])
    layers = {layer.name: next(numbers) for layer in graph.layers[1::3]} if data_type == "mixed" else {}
    quantized = quantize(graph, x[:8], "int8" if data_type == "mixed" else data_type, layers=layers)
    np.testing.assert_array_equal(run_compiled(quantized, x, program=lower(quantized, FAST)), quantized.run(x))


@FEW
@given(builders())
def test_chosen_kernels_have_the_bits_of_plain_c_in_float(builder: Builder) -> None:
    graph = optimize(builder.graph())
    x = builder.samples(8)
    chosen = run_compiled(graph, x, program=lower(graph, FAST))
    np.testing.assert_array_equal(chosen, run_compiled(graph, x))


@EXAMPLES
@given(builders())
def test_optimizing_changes_no_result(builder: Builder) -> None:
    graph = builder.graph()
    fused = optimize(graph)
    x = builder.samples(4)
    if len(fused.layers) < len(graph.layers) and "softmax" not in "".join(fused.notes):
        scale = max(*(values.peak for values in graph.ranges(x).values()), 1e-30)
        np.testing.assert_allclose(fused.run(x), graph.run(x), rtol=1e-3, atol=1e-4 * scale)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(builders(), st.sampled_from(["float32", "int16", "int8"]), st.integers(0, 3))
def test_no_two_live_buffers_overlap(builder: Builder, data_type: str, scratch_every: int) -> None:
    graph = quantize(builder.graph(), builder.samples(2), data_type)
    running = [(index, layer) for index, layer in enumerate(graph) if layer.name not in views(graph)]
    scratch = {layer.name: 4 * index for index, layer in running if scratch_every and index % scratch_every}
    planned = plan(graph, scratch)
    assert planned.lower_bound_bytes <= planned.arena_bytes <= max(planned.buffers_bytes, planned.lower_bound_bytes)
    for index, layer in enumerate(graph.layers):
        for other in graph.layers[:index]:
            _check_apart(graph, index, layer.name, other.name, planned.places)
        _check_scratch(graph, index, planned, scratch.get(layer.name, 0))


def _check_apart(graph: Graph, index: int, name: str, other: str, places: Mapping[str, Place]) -> None:
    """When layer `index` writes its output, it may not write over what is still to be read."""
    mine, others = places[name], places[other]
    if others.region != mine.region or graph[name].VIEW:
        return
    later = any(other in layer.inputs for layer in graph.layers[index + 1 :])
    now = other in graph[name].inputs and not graph[name].IN_PLACE
    start, end = others.offset_bytes, others.offset_bytes + graph[other].output_bytes
    if later or now:
        before = mine.offset_bytes + graph[name].output_bytes <= start
        assert before or end <= mine.offset_bytes or graph[other].VIEW, (name, other)


def _check_scratch(graph: Graph, index: int, planned: Plan, size: int) -> None:
    """Scratch of a step lies beside its inputs, its output, and all that is read later."""
    layer = graph.layers[index]
    if not size:
        return
    start = planned.scratch[layer.name].offset_bytes
    alive = {layer.name, *layer.inputs, *(name for later in graph.layers[index + 1 :] for name in later.inputs)}
    for other in graph.layers[: index + 1]:
        place = planned.places[other.name]
        if other.name in alive and place.region == "arena":
            assert start + size <= place.offset_bytes or place.offset_bytes + other.output_bytes <= start, other.name


@pytest.mark.parametrize("data_type", ["int8", "int16"])
def test_the_proof_of_the_accumulator_holds_for_the_worst_input(data_type: str) -> None:
    builder = Builder((16, 8), spread=20.0)
    builder.conv(8, 3, padding="same", activation="relu")
    builder.add("GlobalMaxPooling1D")
    builder.dense(4)
    graph = quantize(optimize(builder.graph()), builder.samples(16), data_type)
    assert 0 < max(layer.accumulator_peak for layer in graph) < 2**31
    conv = graph.layers[1]
    signs = np.sign(conv.kernel[0].sum(axis=0))  # type: ignore[attr-defined]
    worst = np.full((2, 16, 8), 1e9, np.float32) * np.array([1, -1]).reshape(2, 1, 1) * signs[0].mean()
    np.testing.assert_array_equal(run_compiled(graph, worst), graph.run(worst))


@EXAMPLES
@given(builders(), st.sampled_from(NUMBERS), st.randoms(use_true_random=False))
def test_layers_of_several_numbers_are_bit_exact(builder: Builder, numbers: tuple[str, str], random: Random) -> None:
    """Of several widths, in half of the networks of several number systems, too."""
    graph = optimize(builder.graph())
    mixed = random.random() < 0.5
    others = [other for other in NUMBERS if other != numbers and (mixed or other[1] == numbers[1])]
    chosen = random.sample(graph.layers, k=random.randint(1, len(graph.layers)))
    layers = {layer.name: random.choice(others) for layer in chosen}
    x = extreme_samples(builder) if random.random() < 0.5 else np.abs(extreme_samples(builder))
    quantized = store_unsigned(quantize(graph, x[:8], numbers[0], scheme=numbers[1], layers=layers))
    np.testing.assert_array_equal(run_compiled(quantized, x), quantized.run(x))


@pytest.mark.parametrize("data_type", ["int8", "int16"])
@pytest.mark.parametrize("widths", [{}, {1: "int16"}, {0: "int12", 7: "int16", 8: "int16"}])
def test_several_inputs_and_outputs_are_bit_exact(data_type: str, widths: dict[int, str]) -> None:
    graph, x = several()
    layers = {graph.layers[index].name: (width, "per-layer") for index, width in widths.items()}
    quantized = quantize(graph, x, data_type, layers=layers)
    answers = run_compiled(quantized, x)
    np.testing.assert_array_equal(answers, quantized.run(x))
    assert answers.dtype.names == ("gesture", "soft", "flat", "again")


def test_several_inputs_and_outputs_in_float() -> None:
    graph, x = several()
    answers, expected = run_compiled(graph, x), graph.run(x)
    for name in expected.dtype.names:
        np.testing.assert_allclose(answers[name], expected[name], rtol=1e-5, atol=1e-6)


def test_an_output_of_another_width_than_the_input() -> None:
    builder = Builder((6,))
    last = builder.dense(4)
    graph = quantize(builder.graph(), builder.samples(), "int8", layers={last: ("int16", "per-layer")})
    x = builder.samples()
    answers = run_compiled(graph, x)
    assert answers.dtype == np.int16 and graph.encode(x).dtype == np.int8
    np.testing.assert_array_equal(answers, graph.run(x))


def test_layers_that_stay_real_lie_between_integers() -> None:
    """What reals are rounded to may differ by one: their sums have an order of their own."""
    graph, x, own, real = mixture()
    for scheme in ("per-channel", "per-layer"):
        quantized = store_unsigned(quantize(graph, x, "int8", scheme=scheme, layers=own | {real: ("float32", scheme)}))
        assert quantized[real].numbers is None and quantized.ends[0].numbers is not None
        answers, expected = run_compiled(quantized, 3 * x), quantized.run(3 * x)
        assert np.abs(answers.astype(int) - expected).max() <= 1 and (answers != expected).mean() < 0.01
        np.testing.assert_allclose(quantized.decode(quantized.run(x)), graph.run(x), atol=0.3)
