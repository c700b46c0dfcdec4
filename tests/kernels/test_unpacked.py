"""Weights as constants of the code: bit for bit what the graph computes, at the price that is told."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.graph import Graph, Layer, Shape
from mcusim.kernels import unpacked
from mcusim.kernels.choice import Destination, Limit, options
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.kernels.memory import USUAL
from mcusim.kernels.unpacked.price import routine_bytes
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.knapsack import flash_bytes
from mcusim.line.lower import options_of, program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.select import select
from mcusim.system.arrays import Array
from mcusim.system.errors import BuildError
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.grid import Case, compare, side_by_side
from tests.kernels.measured import CORE, forced
from tests.kernels.test_patches import convolve

COMPACT = Variant(compact=True)
# Input of whole words, filters, window, and what else: odd channels, columns, gaps, groups, places far apart, no
# window, two tiles of a line
SHAPES: list[tuple[Shape, int, tuple[int, ...], dict[str, Any]]] = [
    ((8, 9, 3), 10, (3, 3), {"padding": "same", "activation": "relu"}),
    ((8, 7, 4), 5, (3, 2), {"strides": 2, "activation": "relu6"}),
    ((24, 6), 7, (5,), {"strides": 2}),
    ((12, 5), 1, (3,), {"dilation_rate": 2}),
    ((7, 7, 8), 6, (3, 3), {"groups": 2, "activation": "relu"}),
    ((8, 5, 7), 9, (1, 1), {}),
    ((3, 190, 12), 2, (3, 2), {"strides": 5}),
    ((20,), 13, (), {"activation": "relu"}),
    ((16, 4), 1, (1,), {}),
]


def case(index: int) -> Case:
    shape, filters, window, config = SHAPES[index]
    source = f"input_{index}" if index else "input"

    def add(builder: Builder) -> None:
        if window:
            convolve(builder, filters, window, source, **config)
        else:
            arrays = (builder.weights(*shape, filters, fan_in=shape[0]), builder.bias(filters))
            builder.add("Dense", source, arrays=arrays, **config)

    return shape, add


def sparse(graph: Graph, share: float) -> Graph:
    """With so many of the weights 0."""
    random = np.random.RandomState(1)

    def own(layer: Layer) -> Layer:
        if not isinstance(layer, WeightedSum):
            return layer
        kernel = np.where(random.rand(*layer.kernel.shape) < share, 0, layer.kernel).astype(layer.kernel.dtype)
        return replace(layer, kernel=kernel)

    return replace(graph, layers=tuple(map(own, graph)))


@cache
def grid(scheme: str) -> tuple[Graph, Array]:
    graph, x = side_by_side([case(index) for index in range(len(SHAPES))], "int8", scheme=scheme)
    return sparse(graph, 0.4), x


def layer_of(share: float, filters: int = 8, channels: int = 8) -> tuple[Graph, Layer]:
    builder = Builder((10, 10, channels))
    builder.conv(filters, activation="relu")
    graph = sparse(quantize(optimize(builder.graph()), builder.samples(4), "int8"), share)
    return graph, graph.layers[-1]


@pytest.mark.parametrize(("scheme", "variant"), [("per-layer", COMPACT), ("per-channel", DEFAULT)])
def test_any_window_is_bit_exact(scheme: str, variant: Variant) -> None:
    graph, x = grid(scheme)
    chosen = forced(graph, unpacked, variant)
    assert [kernel for kernel, _ in chosen.values()].count(unpacked) == len(SHAPES)
    compiled = run_compiled(graph, x, program=program_of(graph, chosen))
    for name in graph.run(x).dtype.names:
        np.testing.assert_array_equal(compiled[name], graph.run(x)[name])


@pytest.mark.parametrize(("scheme", "variant"), [("per-layer", DEFAULT), ("per-channel", COMPACT)])
def test_bits_and_cost_are_right_on_the_l452(scheme: str, variant: Variant, tmp_path: Path) -> None:
    compared = compare(unpacked, *grid(scheme), tmp_path, variant)
    assert len(compared) == len(SHAPES)
    for one in compared:
        assert one.told == pytest.approx(one.cycles, rel=0.08, abs=300), one.layer.name


def test_bits_are_right_on_apollo3(tmp_path: Path) -> None:
    assert len(compare(unpacked, *grid("per-channel"), tmp_path, DEFAULT, "sparkfun_edge")) == len(SHAPES)


def test_records_of_filters_that_offsets_do_not_reach(tmp_path: Path) -> None:
    def add(builder: Builder) -> None:
        convolve(builder, 345, (1,), "input")

    graph, x = side_by_side([((2, 2), add)], "int8", scheme="per-channel")
    assert len(compare(unpacked, graph, x, tmp_path, DEFAULT)) == 1


@pytest.mark.parametrize("variant", [DEFAULT, COMPACT], ids=["fast", "compact"])
def test_its_size_is_known_before_it_is_written(variant: Variant) -> None:
    graph, _ = grid("per-channel")
    for layer in graph:
        if isinstance(layer, WeightedSum):
            inputs = graph.inputs_of(layer)
            told = routine_bytes(unpacked._plan(layer, inputs, variant))
            own = next(one for one in unpacked.code(layer, inputs, variant).routines if "unpacked" in one.name)
            assert told == pytest.approx(own.code_bytes, rel=0.02, abs=8), layer.name


def test_what_is_zero_takes_no_time_and_no_flash() -> None:
    sizes, cycles = [], []
    for share in (0.0, 0.5, 0.9, 1.0):
        graph, layer = layer_of(share)
        inputs = graph.inputs_of(layer)
        routine = unpacked.code(layer, inputs).routines[1]
        assert isinstance(layer, WeightedSum)
        products = sum(routine.assembly.count(f"    {name}") for name in ("smlad", "smlabb", "smlatb"))
        plan = unpacked._plan(layer, inputs, DEFAULT)
        assert products == plan.positions * int(plan.pairs.any(axis=-1).sum())
        sizes.append(routine.code_bytes)
        cycles.append(unpacked.cost(layer, inputs, DEFAULT, USUAL))
    assert sizes == sorted(sizes, reverse=True) and cycles == sorted(cycles, reverse=True)
    assert sizes[-1] < sizes[0] / 15 and cycles[-1] < cycles[0] / 6


@pytest.mark.parametrize(("share", "runs"), [(0.0, False), (0.95, True)])
def test_nobody_gets_it_unasked_but_where_it_is_the_cheapest(share: float, runs: bool) -> None:
    graph, layer = layer_of(share)
    several = options(layer, graph.inputs_of(layer), Destination(CORE, USUAL))
    assert ("unpacked" in {option.kernel.NAME for option in several}) == runs
    assert (several[0].kernel is unpacked) == runs
    named = options(layer, graph.inputs_of(layer), Destination(CORE, USUAL), KernelChoice(default=("unpacked",)))
    assert {option.kernel.NAME for option in named} == {"unpacked"} and len(named) == 2


def test_a_knapsack_decides_who_is_unpacked() -> None:
    builder = Builder((12, 12, 8))
    builder.conv(16, activation="relu")
    builder.conv(16, activation="relu")
    graph = sparse(quantize(optimize(builder.graph()), builder.samples(4), "int8"), 0.93)
    every = options_of(graph, Destination(CORE, USUAL))
    roomy = select(graph, every, Destination(CORE, USUAL))
    assert [option.kernel.NAME for option in roomy.values()] == ["unpacked", "unpacked"]
    most_bytes = flash_bytes(roomy) - min(option.code_bytes for option in roomy.values()) // 4
    chosen = select(graph, every, Destination(CORE, USUAL, flash=Limit(most_bytes, "[target] flash_max")))
    assert flash_bytes(chosen) <= most_bytes
    assert [option.how for option in chosen.values()] != [option.how for option in roomy.values()]


def test_code_that_no_limit_has_room_for_is_an_error() -> None:
    graph, _ = layer_of(0.0)
    destination = Destination(CORE, USUAL, flash=Limit(2000, "[target] flash_max"))
    choice = KernelChoice(layers=((graph.layers[-1].name, ("unpacked",)),))
    with pytest.raises(BuildError, match="flash"):
        select(graph, options_of(graph, destination, choice), destination)


@pytest.mark.parametrize(
    ("data_type", "groups", "why"),
    [("float32", 1, "integers of 8 bits"), ("int16", 1, "integers of 8 bits"), ("int8", 2, "an odd number")],
)
def test_what_does_not_fit_says_why(data_type: str, groups: int, why: str) -> None:
    builder = Builder((4, 4, 6))
    convolve(builder, 4, (3, 3), groups=groups, padding="same")
    graph = builder.graph()
    graph = quantize(graph, builder.samples(2), data_type) if data_type != "float32" else graph
    layer = graph.layers[-1]
    assert why in str(unpacked.fits(layer, graph.inputs_of(layer)))
