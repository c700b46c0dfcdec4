"""Weights of 8 bits beside inputs of 16: all kernels for sums, forced, with both kinds of scales, at the price told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph, Layer, Shape, has_narrow_weights
from mcusim.kernels import depthwise, direct, patches, pointwise, rows, winograd
from mcusim.kernels.choice import Destination, Option, options
from mcusim.kernels.kernel import DEFAULT, Kernel
from mcusim.kernels.memory import USUAL
from mcusim.line.lower import Chosen, program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.affine import Multiplied
from mcusim.numbers.factors import once
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.grid import side_by_side
from tests.kernels.measured import differing, forced, measure

SCHEMES = ("per-layer", "per-channel")
BOARDS = ("nucleo_l452re_p", "sparkfun_edge")
OFF, FEW_CYCLES = 0.05, 100  # of a cost, and of layers that are done in no time


def conv(filters: int, size: int, **more: object) -> Callable[[Builder], object]:
    return lambda builder: builder.conv(filters, size, **more)  # type: ignore[arg-type]


def positive(filters: int) -> Callable[[Builder], object]:
    """What only F(2,3) of numbers above zero has room for."""

    def make(builder: Builder) -> None:
        builder.add("ReLU")
        builder.conv(filters, 3, padding="same", activation="relu")

    return make


def deep(size: int, **more: object) -> Callable[[Builder], object]:
    return lambda builder: builder.depthwise(size, **more)  # type: ignore[arg-type]


def dense(units: int) -> Callable[[Builder], object]:
    return lambda builder: builder.dense(units, activation="relu")


# Whole words of channels and not, one filter, odd ones, groups, gaps, windows as words of four and not.
CASES: tuple[tuple[Kernel, Shape, Callable[[Builder], object]], ...] = (
    (direct, (12, 9, 6), conv(5, 3, padding="same", activation="relu")),
    (direct, (40, 9), conv(8, 3, padding="same")),
    (direct, (11, 8, 5), conv(7, 5, strides=2, padding="same", activation="relu6")),
    (direct, (9, 9, 3), conv(6, 3, padding="same")),
    (patches, (31, 7), conv(1, 3, padding="same", activation="relu")),
    (patches, (11, 8, 5), conv(7, 5, strides=2, padding="same")),
    (patches, (9, 9, 8), conv(6, 3, strides=2, groups=2)),
    (patches, (40, 16), conv(7, 9, padding="same", activation="relu")),
    (patches, (10, 10, 3), conv(6, 3, dilation_rate=2, padding="same")),
    (pointwise, (12, 9, 6), conv(5, 1, activation="relu")),
    (pointwise, (31, 8), conv(1, 1)),
    (pointwise, (11, 8, 16), conv(7, 1, strides=2)),
    (winograd, (32, 8), positive(6)),
    (winograd, (12, 9, 4), positive(6)),
    (winograd, (8, 9, 15), positive(7)),
    (depthwise, (12, 9, 6), deep(3, padding="same", activation="relu")),
    (depthwise, (12, 9, 4), deep(3, strides=2, padding="same", activation="relu")),
    (depthwise, (11, 8, 5), deep(5, padding="same")),
    (depthwise, (9, 9, 3), deep(7, padding="same")),
    (depthwise, (10, 10, 3), deep(3, depth_multiplier=2)),
    (rows, (320,), dense(48)),
    (rows, (7,), dense(3)),
    (rows, (33,), dense(5)),
    (rows, (30,), dense(1)),
)


@cache
def grid(scheme: str) -> tuple[Graph, Array]:
    """And two samples more, far beyond what the others reach."""
    graph, x = side_by_side([(shape, make) for _, shape, make in CASES], "w8a16", 4, scheme)
    x = x.copy()
    for name in x.dtype.names or ():
        x[name][2:] *= 1000
    return graph, x


def sums(graph: Graph) -> list[Layer]:
    return [layer for layer in graph if layer.weights]


def chosen(graph: Graph) -> dict[str, Chosen]:
    """The kernel of each case for the layer that it adds, plain C for all else."""
    own = {layer.name: (kernel, DEFAULT) for layer, (kernel, *_) in zip(sums(graph), CASES, strict=True)}
    for name, (kernel, _) in own.items():
        assert kernel.fits(graph[name], graph.inputs_of(graph[name])) is None, (kernel.NAME, name)
    return {**forced(graph, direct), **own}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_twins_give_the_bits_of_the_graph(scheme: str) -> None:
    graph, x = grid(scheme)
    program, wanted = program_of(graph, chosen(graph)), graph.run(x)
    compiled = run_compiled(graph, x, program=program)
    for name in wanted.dtype.names or ():
        np.testing.assert_array_equal(compiled[name], wanted[name])
        assert np.unique(wanted[name]).size > 1
    kernels = [one for step in program.steps for one in step.code.constants if one.role == "kernel"]
    assert {layer.kernel.dtype for layer in sums(graph)} == {np.dtype(np.int8)}  # type: ignore[attr-defined]
    assert len(kernels) == len(CASES) and {one.ctype for one in kernels} == {"int8_t", "int32_t"}


@pytest.mark.parametrize(
    ("scheme", "board"), [(SCHEMES[0], BOARDS[0]), (SCHEMES[1], BOARDS[0]), (SCHEMES[1], BOARDS[1])]
)
def test_bits_and_prices_on_boards(scheme: str, board: str, tmp_path: Path) -> None:
    graph, x = grid(scheme)
    measured = measure(graph, x, tmp_path, chosen(graph), board)
    assert differing(measured, graph, x) == 0
    if board != BOARDS[0]:
        return
    for layer, (kernel, *_) in zip(sums(graph), CASES, strict=True):
        told = kernel.cost(layer, graph.inputs_of(layer), DEFAULT, USUAL)
        assert told == pytest.approx(measured.cycles[layer.name], rel=OFF, abs=FEW_CYCLES), (kernel.NAME, layer.name)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_fastest_is_not_plain_c_but_takes_its_flash(scheme: str) -> None:
    """All of them together: some round up to words, or to an even number of filters."""
    graph, _ = grid(scheme)
    ours = theirs = 0
    for layer in sums(graph):
        first, *_ = every = options(layer, graph.inputs_of(layer), Destination("cortex-m4", USUAL))
        plainly = next(one for one in every if one.kernel.NAME == "plain")
        assert first.cycles < plainly.cycles or layer.macs < FEW_CYCLES, layer.name
        ours, theirs = ours + bytes_of_weights(first), theirs + bytes_of_weights(plainly)
    assert theirs == sum(layer.kernel.size for layer in sums(graph)) < ours < 1.2 * theirs  # type: ignore[attr-defined]


def bytes_of_weights(option: Option) -> int:
    return sum(one.values.nbytes for one in option.code.constants if one.role == "kernel")


@pytest.mark.parametrize("units", [3, 17])
def test_sums_of_64_bits_end_where_32_hold_what_matters(units: int, tmp_path: Path) -> None:
    """Dense layers, whose outputs are at their ends where a sum has more than 32 bits."""
    builder = Builder((3000,), seed=2)
    builder.dense(units)
    quantized = quantize(builder.graph(), builder.samples(20), "w8a16", scheme="per-channel")
    layer = quantized.layers[-1]
    assert has_narrow_weights(layer) and layer.accumulator_peak > ACCUMULATOR_LIMIT
    assert rows.fits(layer, quantized.inputs_of(layer)) is None
    signs = np.sign(layer.kernel[:2].astype(np.float32)) * 1e6  # type: ignore[attr-defined]
    x = np.concatenate([builder.samples(3), signs, -signs, np.full((2, 3000), 1e6, np.float32)])
    sums = quantized.encode(x).astype(np.int64) @ layer.kernel.T.astype(np.int64)  # type: ignore[attr-defined]
    assert np.abs(sums).max() > ACCUMULATOR_LIMIT
    chosen = forced(quantized, rows)
    np.testing.assert_array_equal(run_compiled(quantized, x, program=program_of(quantized, chosen)), quantized.run(x))
    measured = measure(quantized, x, tmp_path, chosen)
    assert differing(measured, quantized, x) == 0
    told = rows.cost(layer, quantized.inputs_of(layer), DEFAULT, USUAL)
    assert told == pytest.approx(measured.cycles[layer.name], rel=OFF)


def test_sums_that_32_bits_would_change_stay_plain_c() -> None:
    builder = Builder((3000,), seed=2)
    builder.dense(2)
    quantized = quantize(builder.graph(), builder.samples(20), "w8a16", scheme="per-channel")
    layer = quantized.layers[-1]
    small = replace(layer, rescale=Multiplied(once([2.0**-18], bits=15), layer.numbers))  # type: ignore[arg-type]
    assert rows.fits(small, quantized.inputs_of(layer)) is not None


@pytest.mark.parametrize(("data_type", "other"), [("int8", "w8a16"), ("w8a16", "int8"), ("int16", "w8a16")])
def test_layers_of_other_widths_share_what_makes_weights_ready(data_type: str, other: str) -> None:
    """The same routine is called from files of different numbers."""
    builder = Builder((9, 9, 8), seed=3)
    builder.conv(8, 3, padding="same", activation="relu")
    builder.conv(12, 1, activation="relu")
    builder.conv(8, 3)
    graph, x = optimize(builder.graph()), builder.samples(6)
    quantized = quantize(graph, x, data_type, layers={sums(graph)[1].name: (other, "per-layer")})
    program = program_of(quantized, forced(quantized, patches))
    assert {unit.name for unit in program.units} == {data_type, other}
    np.testing.assert_array_equal(run_compiled(quantized, x, program=program), quantized.run(x))
