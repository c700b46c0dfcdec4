"""Convolutions of all sizes, drawn by a seed: tiny and large, odd, in groups, with padding. Many in one graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcusim.graph import Graph, Output
from mcusim.kernels import KERNELS, plain
from mcusim.kernels.kernel import DEFAULT, Kernel, Variant
from mcusim.layers.input import Input
from mcusim.line.lower import Chosen
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.graphs import Builder
from tests.kernels.affine import affine_graph
from tests.kernels.measured import forced

LONG = "Q6.9"  # int16 with one format for all, so that sums need 64 bits
AFFINE = "affine"  # int8, as of models of others
KERNEL_OF = {kernel.NAME: kernel for kernel in KERNELS}
MOST_MACS, MOST_NUMBERS, INPUT_BYTES, LAYERS, TRIES = 300_000, 6000, 26_000, 24, 60


@dataclass(frozen=True)
class Kind:
    """What may be drawn: sizes of windows, strides, gaps; groups, padding, or a window for each channel."""

    sizes: tuple[int, ...] = (1, 2, 3, 3, 3, 3, 4, 5, 5, 7, 7, 6)
    width: tuple[int, ...] | None = None  # of windows, where it is none of `sizes`
    strides: tuple[int, ...] = (1, 1, 1, 2)
    dilations: tuple[int, ...] = (1,)
    grouped: bool = False
    of_a_group: int = 1  # channels, at least
    channels_of: int = 1  # a multiple of it
    padded: bool = True
    depthwise: bool = False


ANY = Kind(strides=(1, 1, 1, 2, 2, 3, 4), dilations=(1, 1, 1, 2, 3), grouped=True)
KINDS = {
    "direct": Kind(grouped=True),
    "patches": ANY,
    "gather": Kind(ANY.sizes, None, ANY.strides, ANY.dilations, grouped=True, of_a_group=4),
    "pointwise": Kind((1,), channels_of=4, padded=False),
    "winograd": Kind(width=(3,), strides=(1,)),
    "points": Kind(width=(3,), strides=(1,)),
    "tiles": Kind(),
    "depthwise": Kind(depthwise=True),
}


@dataclass(frozen=True)
class Drawn:
    """A layer, not yet built."""

    shape: tuple[int, ...]
    filters: int
    size: tuple[int, ...]
    groups: int
    depthwise: bool
    zeros: tuple[tuple[int, int], ...] | None
    config: dict[str, Any] = field(default_factory=dict)

    def add(self, builder: Builder) -> str:
        rank, channels = len(self.size), self.shape[-1]
        if self.zeros:
            builder.add(f"ZeroPadding{rank}D", padding=self.zeros if rank > 1 else self.zeros[0])
        own = (channels, self.filters // channels) if self.depthwise else (channels // self.groups, self.filters)
        weights = builder.weights(*self.size, *own, fan_in=math.prod(self.size) * (1 if self.depthwise else own[0]))
        kind = f"{'Depthwise' if self.depthwise else ''}Conv{rank}D"
        groups = {} if self.depthwise else {"groups": self.groups}
        return builder.add(kind, arrays=(weights, builder.bias(self.filters)), **groups, **self.config)


def drawn(random: np.random.Generator, kind: Kind) -> Drawn:
    while True:
        one = _tried(random, kind)
        if one is not None:
            return one


def _tried(random: np.random.Generator, kind: Kind) -> Drawn | None:
    def some(low: int, high: int) -> int:
        return round(math.exp(random.uniform(math.log(low), math.log(high))))

    rank, filters = int(random.integers(1, 3)), some(1, 100)
    channels = -(-some(1, 100) // kind.channels_of) * kind.channels_of
    sides = [some(1, 200 if rank == 1 else 30) for _ in range(rank)]
    size = [int(random.choice(kind.sizes)) for _ in sides]
    size[-1] = int(random.choice(kind.width)) if kind.width else size[-1]
    dilation = int(random.choice(kind.dilations))
    strides = [int(random.choice(kind.strides)) if dilation == 1 else 1 for _ in sides]
    groups = 1
    if kind.depthwise:
        groups, filters = channels, channels * int(random.choice([1, 1, 1, 2, 3]))
    elif kind.grouped and random.random() < 0.3:
        several = [n for n in range(2, channels + 1) if channels % n == 0 and channels // n >= kind.of_a_group]
        if not several:
            return None
        groups = int(random.choice(several))
        filters = groups * some(1, 12)
    zeros = None
    if kind.padded and random.random() < 0.2:
        zeros = tuple((int(random.integers(0, 3)), int(random.integers(0, 3))) for _ in sides)
    padding = str(random.choice(["same", "valid"]))
    there = [side + sum(zeros[axis] if zeros else ()) for axis, side in enumerate(sides)]
    seen = [dilation * (n - 1) + 1 for n in size]
    if any(n > side for n, side in zip(seen, there, strict=True)):
        return None
    positions = math.prod((n - k) // s + 1 for n, k, s in zip(there, seen, strides, strict=True))
    weights = math.prod(size) * channels // groups * filters
    macs, numbers = positions * weights, max(math.prod(sides) * channels, positions * filters, weights // 2)
    if macs > MOST_MACS or numbers > MOST_NUMBERS or (macs < 300 and random.random() < 0.7):
        return None
    config: dict[str, Any] = {"strides": tuple(strides), "padding": padding, "dilation_rate": (dilation,) * rank}
    config["activation"] = str(random.choice(["linear", "relu", "relu6"]))
    config = {key: value[0] if isinstance(value, tuple) and rank == 1 else value for key, value in config.items()}
    return Drawn((*sides, channels), filters, tuple(size), groups, kind.depthwise, zeros, config)


def network(seed: int, names: Sequence[str], data_type: str) -> tuple[Graph, Array, dict[str, Kernel]]:
    """Layers side by side, each between an input of its own, that begins on a word, and a pool; two samples; and which
    kernel of `names` each layer was drawn for, in turn.
    """
    random, builder = np.random.default_rng(seed), Builder((1, 1), seed=seed)
    builder.layers.clear()
    outputs, x, drawn_for, used = [], {}, dict[str, Kernel](), 0
    item_bytes = {"float32": 4, "int16": 2, LONG: 2}.get(data_type, 1)
    for attempt in range(TRIES):
        name = names[attempt % len(names)]
        one = drawn(random, KINDS[name])
        bytes_ = math.prod(one.shape) * item_bytes
        if bytes_ % 4 or used + bytes_ > INPUT_BYTES or len(outputs) == LAYERS:
            continue
        used += bytes_
        entry = f"input_{len(outputs)}"
        builder.layers.append(Input(name=entry, inputs=(), shape=one.shape))
        drawn_for[one.add(builder).partition("_relu")[0]] = KERNEL_OF[name]  # its activation becomes a part of it
        outputs.append(Output(f"y{len(outputs)}", builder.add(f"GlobalMaxPooling{len(one.size)}D")))
        numbers = random.normal(size=(2, *one.shape)).astype(np.float32)
        x[entry] = np.abs(numbers) if data_type == "uint8" else numbers
    graph = optimize(Graph(tuple(builder.layers), "drawn", outputs=tuple(outputs)))
    return _in(graph, records_of(x), data_type), records_of(x), drawn_for


def _in(graph: Graph, records: Array, data_type: str) -> Graph:
    if data_type == "float32":
        return graph
    if data_type == LONG:
        return quantize(graph, records, "int16", scheme="per-network", fraction=9)
    if data_type == AFFINE:
        return affine_graph(quantize(graph, records, "int8", weights="rounded"), seed=len(graph.layers))
    return quantize(graph, records, data_type.removeprefix("u"), weights="rounded")


def varied(graph: Graph, kernels: Mapping[str, Kernel], seed: int) -> dict[str, Chosen]:
    """Of each layer that kernel, where it fits, half of the time in another variant than the first."""
    random, chosen = np.random.default_rng(seed), forced(graph, plain)
    for name, kernel in kernels.items():
        layer, inputs = graph[name], graph.inputs_of(graph[name])
        if kernel.fits(layer, inputs) is not None:
            continue
        chosen[name] = kernel, DEFAULT
        if hasattr(kernel, "variants") and random.random() < 0.5:
            several: tuple[Variant, ...] = kernel.variants(layer, inputs)
            chosen[name] = kernel, several[int(random.integers(len(several)))]
    return chosen
