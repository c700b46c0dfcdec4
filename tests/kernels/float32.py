"""What tests of kernels in float32 share: numbers that are hard, and prices that are near enough."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from mcusim.graph import Graph, Output, Shape
from mcusim.kernels.kernel import Kernel
from mcusim.kernels.memory import USUAL
from mcusim.layers.input import Input
from mcusim.line.lower import Chosen
from mcusim.line.optimize import optimize
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.graphs import Builder
from tests.kernels.measured import Measured, forced
from tests.kernels.random_layers import Kind, drawn

EXTREMES = (0.0, -0.0, 1e-42, 3e38, -3e38)  # sums become infinite, and those of the next layer NaN
WITHIN = 0.05
Convolved = tuple[Shape, int, int, dict[str, Any]]  # input, filters, size of the window, and what else


def same(x: Array, y: Array) -> bool:
    """Bit for bit, but that a NaN is a NaN."""
    x, y = x.view(np.float32), y.view(np.float32)  # of records, too
    bits = x.view(np.uint32) == y.view(np.uint32)
    return bool(np.all(bits | (np.isnan(x) & np.isnan(y))))


def with_extremes(x: Array, random: np.random.Generator) -> Array:
    """Of three samples: an ordinary one, one with a few numbers of EXTREMES, and one full of them."""
    shares = np.array([0, 0.02, 0.5]).reshape(-1, *[1] * (x.ndim - 1))
    return np.where(random.random(x.shape) < shares, random.choice(EXTREMES, x.shape), x).astype(x.dtype)


def drawn_layers(kind: Kind, seed: int, spread: float, layers: int = 10) -> tuple[Graph, Array]:
    """Side by side, each with an input of its own, whose numbers `with_extremes` makes."""
    random, builder = np.random.default_rng(seed), Builder((1, 1), seed=seed, spread=spread)
    builder.layers.clear()
    outputs, x = [], {}
    for index in range(layers):
        one = drawn(random, kind)
        builder.layers.append(Input(name=f"input_{index}", inputs=(), shape=one.shape))
        outputs.append(Output(f"y{index}", one.add(builder)))
        x[f"input_{index}"] = with_extremes(random.normal(size=(3, *one.shape)).astype(np.float32), random)
    return optimize(Graph(tuple(builder.layers), "drawn", outputs=tuple(outputs))), records_of(x)


def on_one_input(convolutions: Iterable[Convolved]) -> tuple[Graph, Array]:
    """Side by side, each sees it in a shape of its own of as many elements; -> the graph, and samples for it."""
    cases = list(convolutions)
    builder, ends = Builder((math.prod(cases[0][0]),), seed=5), []
    for shape, filters, size, config in cases:
        builder.add("Reshape", "input", target_shape=shape)
        ends.append(builder.conv(filters, size, **config))
    outputs = tuple(Output(f"y{index}", name) for index, name in enumerate(ends))
    return optimize(Graph(tuple(builder.layers), "grid", outputs=outputs)), builder.samples(2)


def striped(graph: Graph, kernel: Kernel, several: Sequence[int]) -> dict[str, Chosen]:
    """That kernel where it fits, layer by layer in its variants of these numbers, or the last one before."""
    chosen, numbers = forced(graph, kernel), cycle(several)
    for name, (there, _) in chosen.items():
        if there is kernel and hasattr(kernel, "variants"):
            variants = kernel.variants(graph[name], graph.inputs_of(graph[name]))
            chosen[name] = kernel, variants[min(next(numbers), len(variants)) - 1]
    return chosen


def far_off(graph: Graph, chosen: Mapping[str, Chosen], measured: Measured, within: float = WITHIN) -> list[str]:
    """Layers that cost more or less than their kernel says, on the L452 at 48 MHz."""
    wrong = []
    for name, (kernel, variant) in chosen.items():
        layer, cycles = graph[name], measured.cycles[name]
        cost = kernel.cost(layer, graph.inputs_of(layer), variant, USUAL)
        print(f"{name} {layer.kind} {layer.shape} {variant}: {cycles:.0f}, said {cost / cycles - 1:+.1%}")
        wrong += [name] if abs(cost / cycles - 1) > within else []
    return wrong
