"""Functions in assembly that are equal are there once, by their name: two that differ may not share one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mcusim.graph import Graph, Layer, Output, Shape
from mcusim.kernels import KERNELS, lanes
from mcusim.kernels.choice import why_not
from mcusim.kernels.kernel import DEFAULT, Inputs, Kernel, Variant
from mcusim.kernels.memory import USUAL
from mcusim.layers.input import Input
from mcusim.layers.strided_copy import StridedCopy
from mcusim.line.emit import emit_library
from mcusim.line.lower import program_of, running_layers
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.records import records_of
from tests.graphs import Builder
from tests.kernels.lanes_graphs import Side
from tests.kernels.measured import CORE, forced
from tests.kernels.routine_text import assert_sound
from tests.kernels.test_averages import drawn
from tests.kernels.test_lanes import moves, pools, sums
from tests.kernels.test_lanes_affine import side as affine_side
from tests.kernels.test_lanes_wide import side as wide_side

# Among them pairs of numbers by a prime number, of which tiles take turns of several lengths, and windows of two
# channels, which overlap in memory: a tile reads them there, and as many numbers side by side from a copy.
SHAPES: list[Shape] = [(40, 2), (40, 6), (11, 106), (9, 10, 2), (8, 9, 6)]
MOST_VARIANTS = 2


def network(data_type: str) -> Graph:
    """On each shape layers of all kinds that have weights. All shift their sums alike, so that more may be shared."""
    builder = Builder((1, 1))
    builder.layers.clear()
    for index, shape in enumerate(SHAPES):
        start = f"input{index}"
        builder.layers.append(Input(name=start, inputs=(), shape=shape))
        for size, strides in ((1, 1), (1, 2), (3, 1)):
            for filters, activation in ((3, "relu6"), (8, "relu" if size == 1 else "linear")):
                builder.conv(filters, size, start, strides=strides, padding="same", activation=activation)
        builder.add("Reshape", start, target_shape=shape)
        builder.depthwise(3, padding="same")
        for units in (1, 12):
            builder.add("Flatten", start)
            builder.dense(units)
    graph = optimize(builder.graph())
    if data_type == "float32":
        return graph
    if data_type == "affine":
        x = {layer.name: builder.random.normal(size=(2, *layer.shape)).astype(np.float32) for layer in graph.inputs}
        return quantize(graph, records_of(x), "int8", scheme="per-channel", weights="rounded")
    return quantize(graph, np.zeros(0), data_type, scheme="per-network", fraction=4)


def variants_of(kernel: Kernel, layer: Layer, inputs: Inputs) -> tuple[Variant, ...]:
    offered = getattr(kernel, "variants", None)
    every: tuple[Variant, ...] = offered(layer, inputs) if offered else (DEFAULT,)
    return (*every[:MOST_VARIANTS], *(one for one in every[MOST_VARIANTS:] if one.stripes <= MOST_VARIANTS))


@pytest.mark.parametrize("data_type", ["int8", "int16", "float32", "affine"])
def test_a_name_stands_for_one_function_whose_words_are_all_known(data_type: str) -> None:
    graph = network(data_type)
    texts: dict[str, str] = {}
    for layer in running_layers(graph):
        inputs = graph.inputs_of(layer)
        for kernel in KERNELS:
            if why_not(kernel, layer, inputs, CORE):
                continue
            for variant in variants_of(kernel, layer, inputs):
                assert kernel.cost(layer, inputs, variant, USUAL) > 0
                for routine in kernel.code(layer, inputs, variant).routines:
                    if routine.name not in texts:
                        assert_sound(routine)
                    assert texts.setdefault(routine.name, routine.assembly) == routine.assembly, (kernel.NAME, layer)
    assert len(texts) > 25


def sides() -> Iterator[Side]:
    """Layers without weights, of all number types."""
    for bits in (8, 16, 0):
        side = Side(bits)
        sums(side, (5, 4))
        moves(side)
        pools(side, mean=True)
        pools(side, mean=False)
        yield side
    yield from (drawn(kind, 5, 20) for kind in ("int8", "int16", "float32", "affine"))
    yield from (affine_side(1), wide_side(5))


def test_of_layers_without_weights_likewise() -> None:
    texts: dict[str, str] = {}
    for graph in (side.graph() for side in sides()):
        for layer in running_layers(graph):
            inputs = graph.inputs_of(layer)
            if lanes.fits(layer, inputs) is None:
                assert lanes.cost(layer, inputs, DEFAULT, USUAL) > 0
                for routine in lanes.code(layer, inputs, DEFAULT).routines:
                    if routine.name not in texts:
                        assert_sound(routine)
                    assert texts.setdefault(routine.name, routine.assembly) == routine.assembly, layer
    assert len(texts) > 250


def test_a_name_of_two_functions_is_a_defect() -> None:
    """No library comes of it."""
    builder = Builder((12, 4))
    builder.conv(4, 3)
    builder.conv(4, 3)
    graph = quantize(builder.graph(), builder.samples(4), "int8")
    (fast,) = [kernel for kernel in KERNELS if kernel.NAME == "patches"]
    program = program_of(graph, forced(graph, fast))
    first, second = program.steps
    own = {routine.name: routine for routine in second.code.routines}
    shared = next(routine for routine in first.code.routines if routine.name in own)
    others = tuple(
        replace(routine, assembly=f"{routine.assembly}\n") if routine.name == shared.name else routine
        for routine in second.code.routines
    )
    broken = replace(program, steps=(first, replace(second, code=replace(second.code, routines=others))))
    assert emit_library(program)
    with pytest.raises(AssertionError, match=shared.name):
        emit_library(broken)


def test_layers_of_two_kinds_that_copy_alike_share_a_routine() -> None:
    """RepeatVector and UpSampling1D of one step: the assembly tells nothing of either."""
    entry = Input(name="x", inputs=(), shape=(24,))
    kinds = ("RepeatVector", "UpSampling1D")
    copies = [
        StridedCopy(name=kind, inputs=("x",), shape=(3, 24), spelled=kind, sizes=(3, 24), strides=(0, 1))
        for kind in kinds
    ]
    graph = Graph((entry, *copies), "two", outputs=tuple(Output(kind, kind) for kind in kinds))
    files = emit_library(program_of(graph, forced(graph, lanes))).files
    assert len([name for name in files if name.endswith(".S")]) == 1
