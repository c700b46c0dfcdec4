"""Pointwise convolutions in tiles: bit for bit what the graph computes, at the price that is told."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.kernels import plain, pointwise
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.kernels.memory import NO_WAITS, USUAL
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.grid import Case, compare, side_by_side
from tests.kernels.measured import assert_priced, forced

FEW = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
ACTIVATIONS = ("linear", "relu", "relu6")
# (input, filters, stride): whole tiles and not, 1 to 9 positions, one filter, odd ones, long and short rows of weights
SHAPES = [
    *(((25, 5, 64), 64, 1), ((12, 24, 8), 16, 1), ((6, 6, 128), 128, 1), ((3, 3, 128), 256, 1), ((3, 3, 256), 64, 1)),
    *(((16, 16, 16), 32, 2), ((7, 12), 31, 1), ((2, 20), 7, 1), ((3, 36), 9, 1), ((5, 44), 16, 1), ((9, 400), 10, 1)),
    *(((40, 4), 1, 1), ((13, 13, 4), 3, 2), ((200, 8), 5, 1), ((64, 120), 6, 1), ((1, 12), 1, 1)),
]


def cases() -> list[Case]:
    def case(index: int) -> Case:
        shape, filters, stride = SHAPES[index]
        source = f"input_{index}" if index else "input"
        activation = ACTIVATIONS[index % 3]
        return shape, lambda builder: builder.conv(filters, 1, source, strides=stride, activation=activation)

    return [case(index) for index in range(len(SHAPES))]


@st.composite
def layers(draw: st.DrawFn) -> tuple[Graph, Array, Variant]:
    """A convolution that makes numbers without a sign, perhaps, and the one that is forced behind it."""
    data_type = draw(st.sampled_from(["int8", "int8", "int16", "int12", "w8a16"]))
    channels = draw(st.sampled_from([4, 8, 12, 20, 52] if "8" in data_type else [2, 4, 6, 26]))
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    spread = draw(st.sampled_from([1.0, 1.0, 30.0]))
    builder = Builder((height, width, channels), seed=draw(st.integers(0, 999)), spread=spread)
    for filters in draw(st.sampled_from([(), (channels,)])) + (draw(st.integers(1, 9)),):
        activation, stride = draw(st.sampled_from(ACTIVATIONS)), draw(st.integers(1, 2))
        builder.conv(filters, 1, strides=stride, activation=activation, padding="same")
    x = builder.samples(6)
    graph = quantize(optimize(builder.graph()), x, data_type, weights="rounded")
    x[-2:] *= 1e6
    return graph, x, Variant(draw(st.integers(1, 4)))


@FEW
@given(layers())
def test_any_shape_is_bit_exact(made: tuple[Graph, Array, Variant]) -> None:
    graph, x, variant = made
    chosen = forced(graph, pointwise, variant)
    assert any(kernel is pointwise for kernel, _ in chosen.values())
    compiled = run_compiled(graph, x, program=program_of(graph, chosen))
    np.testing.assert_array_equal(compiled, graph.run(x))


@cache
def grid(data_type: str) -> tuple[Graph, Array]:
    return side_by_side(cases(), data_type)


@pytest.mark.parametrize(("data_type", "variant"), [("int8", DEFAULT), ("int8", Variant(3)), ("int16", DEFAULT)])
def test_bits_and_cost_are_right_on_the_l452(data_type: str, variant: Variant, tmp_path: Path) -> None:
    compared = compare(pointwise, *grid(data_type), tmp_path, variant)
    assert len(compared) == len(SHAPES)
    assert_priced((one.told, one.cycles) for one in compared)


@pytest.mark.parametrize(("data_type", "variant"), [("int8", Variant(2)), ("int16", Variant(3))])
def test_bits_are_right_on_apollo3(data_type: str, variant: Variant, tmp_path: Path) -> None:
    assert len(compare(pointwise, *grid(data_type), tmp_path, variant, "sparkfun_edge")) == len(SHAPES)


def test_outputs_may_lie_far_apart(tmp_path: Path) -> None:
    graph, x = side_by_side([((5, 4), lambda builder: builder.conv(1500, 1))], "int8")
    assert len(compare(pointwise, graph, x, tmp_path)) == 1


def test_without_wait_states_it_is_a_little_less() -> None:
    graph, _ = grid("int8")
    for layer in graph:
        if layer.kind.startswith("Conv"):
            inputs = graph.inputs_of(layer)
            told = pointwise.cost(layer, inputs, memory=NO_WAITS)
            assert told < pointwise.cost(layer, inputs, memory=USUAL) < 1.5 * told


@pytest.mark.parametrize("data_type", ["int8", "int16"])
def test_it_is_cheaper_than_plain_c_wherever_it_fits(data_type: str) -> None:
    graph, _ = grid(data_type)
    for layer in graph:
        if layer.kind.startswith("Conv"):
            inputs = graph.inputs_of(layer)
            assert (
                pointwise.cost(layer, inputs) < plain.cost(layer, inputs) or layer.macs < 200
            )  # which the compiler unrolls


@pytest.mark.parametrize(
    ("shape", "config", "data_type", "why"),
    [
        ((4, 4, 4), {"size": 3}, "int8", "one tap"),
        ((4, 4, 4), {"size": 1, "groups": 2}, "int8", "in one group"),
        ((4, 4, 6), {"size": 1}, "int8", "no multiple of 4"),
        ((4, 4, 3), {"size": 1}, "int16", "no multiple of 2"),
        ((4, 4, 2000), {"size": 1}, "int8", "too many channels"),
        ((4, 4, 4), {"size": 1}, "float32", "for integers"),
    ],
)
def test_what_does_not_fit_says_why(shape: tuple[int, ...], config: dict[str, int], data_type: str, why: str) -> None:
    builder = Builder(shape)
    builder.conv(2, **config)  # type: ignore[arg-type]
    graph = builder.graph()
    graph = quantize(graph, builder.samples(2), data_type) if data_type != "float32" else graph
    layer = graph.layers[-1]
    assert why in str(pointwise.fits(layer, graph.inputs_of(layer)))


@pytest.mark.arm
@pytest.mark.parametrize("scheme", ["per-layer", "per-channel"])
def test_outputs_of_two_positions_lie_further_apart_than_offsets_reach(scheme: str, tmp_path: Path) -> None:
    def add(builder: Builder) -> None:
        builder.conv(2100, 1)

    graph, x = side_by_side([((8, 8), add)], "int8", scheme=scheme)
    assert len(compare(pointwise, graph, x, tmp_path)) == 1
