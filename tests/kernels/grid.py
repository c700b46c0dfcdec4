"""Many layers side by side in one graph, each with an input of its own: one build and one run measure them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcusim.graph import Graph, Layer, Output, Shape
from mcusim.kernels.kernel import DEFAULT, Kernel, Variant
from mcusim.kernels.memory import USUAL
from mcusim.layers.input import Input
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.graphs import Builder
from tests.kernels.measured import differing, forced, measure

Case = tuple[Shape, Callable[[Builder], object]]  # of its input, and what adds the layer


def side_by_side(
    cases: Sequence[Case], data_type: str, samples: int = 2, scheme: str = "per-layer"
) -> tuple[Graph, Array]:
    """Behind each map a pool that leaves few outputs; -> the graph, and samples for it."""
    builder = Builder(cases[0][0])
    outputs, inputs = [], [builder.last]
    for index, (shape, make) in enumerate(cases):
        if index:
            inputs.append(Input(name=f"input_{index}", inputs=(), shape=shape))
            builder.layers.append(inputs[-1])
        make(builder)
        rank = len(builder.last.shape) - 1
        outputs.append(Output(f"out{index}", builder.add(f"GlobalMaxPooling{rank}D") if rank else builder.last.name))
    graph = optimize(Graph(tuple(builder.layers), "grid", outputs=tuple(outputs)))
    x = {one.name: builder.random.normal(size=(samples, *one.shape)).astype(np.float32) for one in inputs}
    records = records_of(x) if len(cases) > 1 else x["input"]
    if data_type == "float32":
        return graph, records
    return quantize(graph, records, data_type, weights="rounded", scheme=scheme), records


@dataclass(frozen=True)
class Told:
    """What `cost` tells of a layer, and what was measured."""

    layer: Layer
    cycles: float
    told: float


def compare(
    kernel: Kernel, graph: Graph, x: Array, folder: Path, variant: Variant = DEFAULT, board: str = "nucleo_l452re_p"
) -> list[Told]:
    """Of all layers that the kernel runs, at 48 MHz on the L452; bits are the graph's."""
    chosen = forced(graph, kernel, variant)
    measured = measure(graph, x, folder, chosen, board)
    assert differing(measured, graph, x) == 0
    own = [graph[name] for name, (one, _) in chosen.items() if one is kernel]
    return [
        Told(layer, measured.cycles[layer.name], kernel.cost(layer, graph.inputs_of(layer), variant, memory=USUAL))
        for layer in own
    ]
