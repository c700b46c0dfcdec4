"""Convolution by patches, whatever the window: bit for bit what the graph computes, at the price that is told."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph, Shape
from mcusim.kernels import patches, plain
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.grid import Case, compare, side_by_side
from tests.kernels.measured import forced

FEW = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
ACTIVATIONS = ("linear", "relu", "relu6")
# Input, filters, window, and what else: columns and planes, strides, dilation, groups, first layers, long windows
SHAPES: list[tuple[Shape, int, tuple[int, ...], dict[str, Any]]] = [
    ((49, 10, 1), 64, (10, 4), {"strides": 2, "padding": "same"}),
    ((16, 16, 3), 16, (3, 3), {"padding": "same"}),
    ((12, 12, 16), 16, (3, 3), {"padding": "same"}),
    ((11, 9, 8), 12, (3, 3), {"strides": 2}),
    ((64, 9), 16, (3,), {"padding": "same"}),
    ((40, 16), 16, (3,), {"padding": "same"}),
    ((31, 6), 7, (5,), {"strides": 2}),
    ((30, 5), 4, (3,), {"dilation_rate": 2}),
    ((9, 8, 5), 3, (2, 3), {"dilation_rate": 2}),
    ((9, 9, 8), 6, (3, 3), {"groups": 2, "strides": 2}),
    ((7, 7, 6), 6, (3, 3), {"groups": 2, "padding": "same"}),
    ((8, 8, 6), 6, (3, 3), {"groups": 6, "padding": "same"}),
    ((8, 7, 7), 9, (1, 1), {"strides": 2}),
    ((20, 6), 5, (1,), {}),
    ((4, 5, 70), 4, (4, 5), {}),
    ((6, 6, 90), 4, (5, 5), {}),
    ((4, 5, 300), 3, (4, 4), {}),
    ((300, 2), 1, (4,), {}),
    ((6, 160), 8, (5,), {}),
    ((1003, 8), 2, (1000,), {}),
    ((610, 3), 3, (301,), {"dilation_rate": 2}),
]


def convolve(builder: Builder, filters: int, window: tuple[int, ...], *sources: str, **config: Any) -> None:
    shape = builder.layer(sources[0]).shape if sources else builder.last.shape
    channels = shape[-1] // config.get("groups", 1)
    weights = builder.weights(*window, channels, filters, fan_in=int(np.prod(window)) * channels)
    builder.add(f"Conv{len(window)}D", *sources, arrays=(weights, builder.bias(filters)), **config)


def cases() -> list[Case]:
    def case(index: int) -> Case:
        shape, filters, window, config = SHAPES[index]
        source = f"input_{index}" if index else "input"
        activation = ACTIVATIONS[index % 3]
        return shape, lambda builder: convolve(builder, filters, window, source, activation=activation, **config)

    return [case(index) for index in range(len(SHAPES))]


@cache
def grid(data_type: str) -> tuple[Graph, Array]:
    return side_by_side(cases(), data_type)


@st.composite
def layers(draw: st.DrawFn) -> tuple[Graph, Array, Variant]:
    """One convolution or two, so that one may read numbers without a sign."""
    rank = draw(st.integers(1, 2))
    side = st.integers(1, 9 if rank == 2 else 30)
    builder = Builder(
        (*(draw(side) for _ in range(rank)), draw(st.integers(1, 9))),
        seed=draw(st.integers(0, 999)),
        spread=draw(st.sampled_from([1.0, 1.0, 30.0])),
    )
    for _ in range(draw(st.integers(1, 2))):
        channels = builder.last.shape[-1]
        groups = draw(st.sampled_from([1, 1, 1, *(g for g in range(2, channels + 1) if channels % g == 0)]))
        window = tuple(draw(st.integers(1, 4 if rank == 2 else 7)) for _ in range(rank))
        strides = draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 3)) if strides == 1 else 1
        small = any((w - 1) * dilation >= s for w, s in zip(window, builder.last.shape, strict=False))
        config = {"strides": strides, "dilation_rate": dilation, "activation": draw(st.sampled_from(ACTIVATIONS))}
        config["padding"] = "same" if small else draw(st.sampled_from(["same", "valid"]))
        convolve(builder, groups * draw(st.integers(1, 4)), window, groups=groups, **config)
    x = builder.samples(6)
    graph = quantize(
        optimize(builder.graph()),
        x,
        draw(st.sampled_from(["int8", "int8", "int16", "int12", "w8a16"])),
        weights="rounded",
    )
    x[-2:] *= 1e6
    return graph, x, Variant(draw(st.integers(1, 4)))


@FEW
@given(layers())
def test_any_window_is_bit_exact(made: tuple[Graph, Array, Variant]) -> None:
    graph, x, variant = made
    chosen = forced(graph, patches, variant)
    assert any(kernel is patches for kernel, _ in chosen.values())
    compiled = run_compiled(graph, x, program=program_of(graph, chosen))
    np.testing.assert_array_equal(compiled, graph.run(x))


@pytest.mark.parametrize(("data_type", "variant"), [("int8", DEFAULT), ("int8", Variant(3)), ("int16", DEFAULT)])
def test_bits_and_cost_are_right_on_the_l452(data_type: str, variant: Variant, tmp_path: Path) -> None:
    compared = compare(patches, *grid(data_type), tmp_path, variant)
    assert len(compared) >= 13, "sums of more than 32 bits are for others"
    for one in compared:
        assert one.told == pytest.approx(one.cycles, rel=0.05, abs=90), one.layer.name


@pytest.mark.parametrize(("data_type", "variant"), [("int8", Variant(2)), ("int16", Variant(3))])
def test_bits_are_right_on_apollo3(data_type: str, variant: Variant, tmp_path: Path) -> None:
    assert len(compare(patches, *grid(data_type), tmp_path, variant, "sparkfun_edge")) >= 13


def test_stripes_take_less_memory_and_more_cycles() -> None:
    graph, _ = grid("int8")
    layer = next(layer for layer in graph if layer.shape == (16, 16, 16))
    inputs = graph.inputs_of(layer)
    variants = patches.variants(layer, inputs)
    scratch = [patches.code(layer, inputs, variant).scratch_bytes for variant in variants]
    cycles = [patches.cost(layer, inputs, variant) for variant in variants]
    assert len(variants) > 4 and scratch == sorted(scratch, reverse=True) and cycles == sorted(cycles)
    assert scratch[-1] < scratch[0] / 8 and cycles[-1] < 1.4 * cycles[0]


def test_it_is_cheaper_than_plain_c_by_far() -> None:
    graph, _ = grid("int8")
    layers = [layer for layer in graph if layer.kind.startswith("Conv")]
    faster = [
        plain.cost(layer, graph.inputs_of(layer)) / patches.cost(layer, graph.inputs_of(layer)) for layer in layers
    ]
    assert np.median(faster) > 3.5  # of many that are small


@pytest.mark.parametrize(("data_type", "why"), [("float32", "for integers"), ("int8", "for convolutions")])
def test_what_does_not_fit_says_why(data_type: str, why: str) -> None:
    builder = Builder((4, 4, 2))
    builder.conv(2, 3)
    if data_type == "int8":
        builder.add("MaxPooling2D")
    graph = builder.graph()
    graph = quantize(graph, builder.samples(2), data_type) if data_type != "float32" else graph
    layer = graph.layers[-1]
    assert why in str(patches.fits(layer, graph.inputs_of(layer)))
