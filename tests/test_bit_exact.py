"""The promise of the project: the C computes what `Graph.run` computes, whatever the model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.line.arena import plan
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.power_of_two import Array
from tests.compiled import run_compiled
from tests.graphs import Builder, builders

EXAMPLES = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
QUANTIZATIONS = [
    ("int8", "per-layer", None, "nearest"),
    ("int8", "per-layer", None, "floor"),
    ("int16", "per-layer", None, "nearest"),
    ("int16", "per-network", 9, "nearest"),
    ("int16", "per-network", 15, "floor"),
    ("int9", "per-layer", None, "floor"),
    ("int4", "per-layer", None, "nearest"),
    ("int12", "per-network", 0, "nearest"),
]


def extreme_samples(builder: Builder) -> Array:
    """Ordinary samples, and some far outside of what calibration saw."""
    x = builder.samples(12)
    x[8:10] *= 1e6
    x[10] = 0
    x[11] = 3e38
    return x


@EXAMPLES
@given(builders(), st.sampled_from(QUANTIZATIONS), st.booleans())
def test_integers_are_bit_exact_on_any_graph(
    builder: Builder, quantization: tuple[str, str, int | None, str], fused: bool
) -> None:
    graph = optimize(builder.graph()) if fused else builder.graph()
    x = extreme_samples(builder)
    data_type, scheme, fraction, rounding = quantization
    quantized = quantize(graph, x[:8], data_type, scheme=scheme, fraction=fraction, rounding=rounding)  # type: ignore[arg-type]
    expected = quantized.run(x)
    compiled = run_compiled(quantized, x)
    np.testing.assert_array_equal(compiled, expected)


@EXAMPLES
@given(builders(), st.booleans())
def test_floats_agree_on_any_graph(builder: Builder, fused: bool) -> None:
    graph = optimize(builder.graph()) if fused else builder.graph()
    x = builder.samples(8)
    expected = graph.run(x)
    compiled = run_compiled(graph, x)
    scale = max(*graph.peaks(x).values(), 1e-30)
    np.testing.assert_allclose(compiled, expected, rtol=1e-4, atol=1e-5 * scale)


@EXAMPLES
@given(builders())
def test_optimizing_changes_no_result(builder: Builder) -> None:
    graph = builder.graph()
    fused = optimize(graph)
    x = builder.samples(4)
    if len(fused.layers) < len(graph.layers) and "softmax" not in "".join(fused.notes):
        scale = max(*graph.peaks(x).values(), 1e-30)
        np.testing.assert_allclose(fused.run(x), graph.run(x), rtol=1e-3, atol=1e-4 * scale)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(builders(), st.sampled_from([1, 2, 4]))
def test_no_two_live_buffers_overlap(builder: Builder, number_bytes: int) -> None:
    graph = builder.graph()
    planned = plan(graph, number_bytes)
    assert (
        planned.lower_bound_elements <= planned.elements <= max(planned.buffers_elements, planned.lower_bound_elements)
    )
    for index, layer in enumerate(graph.layers):
        for other in graph.layers[:index]:
            _check_apart(graph, index, layer.name, other.name, planned.places)


def _check_apart(graph: Graph, index: int, name: str, other: str, places: dict[str, tuple[str, int]]) -> None:
    """When layer `index` writes its output, it may not write over what is still to be read."""
    region, offset = places[name]
    if places[other][0] != region or graph[name].VIEW:
        return
    later = any(other in layer.inputs for layer in graph.layers[index + 1 :])
    now = other in graph[name].inputs and not graph[name].IN_PLACE
    start, end = places[other][1], places[other][1] + graph[other].elements
    if later or now:
        assert offset + graph[name].elements <= start or end <= offset or graph[other].VIEW, (name, other)


@pytest.mark.parametrize("data_type", ["int8", "int16"])
def test_the_proof_of_the_accumulator_holds_for_the_worst_input(data_type: str) -> None:
    builder = Builder((16, 8), spread=20.0)
    builder.conv(8, 3, padding="same", activation="relu")
    builder.add("GlobalMaxPooling1D")
    builder.dense(4)
    graph = quantize(optimize(builder.graph()), builder.samples(16), data_type)
    assert 0 < graph.accumulator_peak < 2**31
    conv = graph.layers[1]
    signs = np.sign(conv.kernel[0].sum(axis=0))  # type: ignore[attr-defined]
    worst = np.full((2, 16, 8), 1e9, np.float32) * np.array([1, -1]).reshape(2, 1, 1) * signs[0].mean()
    np.testing.assert_array_equal(run_compiled(graph, worst), graph.run(worst))
