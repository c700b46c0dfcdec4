"""Small networks for tests of approximations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcusim.approximate import APPROXIMATIONS, approximated
from mcusim.approximate.approximation import Degree, Degrees, Wanted
from mcusim.graph import Graph
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.optimize import optimize
from mcusim.system.arrays import Array
from tests.graphs import Builder

NAMES = [approximation.NAME for approximation in APPROXIMATIONS]


def wanted(layers: dict[str, dict[str, Degree]] | None = None, **told: object) -> Wanted:
    """`layers`: degrees by kind and layer. `told`: for all layers, or another field of Wanted."""
    own = layers or {}
    degrees = {name: Degrees(told.pop(name, 0), own.get(name, {})) for name in NAMES}  # type: ignore[arg-type]
    return Wanted(degrees, **told)  # type: ignore[arg-type]


def network(seed: int = 3) -> tuple[Graph, Array]:
    """Two convolutions with pools, and two dense layers; `conv2d_1` has two filters that are never active."""
    builder = Builder((14, 14, 3), seed=seed)
    builder.conv(8, activation="relu")
    builder.add("MaxPooling2D")
    builder.conv(8, activation="relu")
    builder.add("MaxPooling2D")
    builder.add("Flatten")
    builder.dense(8, activation="relu")
    builder.dense(4)
    graph = optimize(builder.graph())
    dead = graph["conv2d_1"]
    assert isinstance(dead, WeightedSum)
    bias = dead.bias.copy()
    bias[[2, 5]] = -100
    return with_layer(graph, replace(dead, bias=bias)), builder.samples(60)


def with_layer(graph: Graph, layer: WeightedSum) -> Graph:
    return replace(graph, layers=tuple(layer if one.name == layer.name else one for one in graph))


def loss(graph: Graph, made: Graph, x: Array) -> float:
    """Squared error of the answers, as a share of what they are."""
    real = graph.run(x)
    return float(((made.run(x) - real) ** 2).mean() / (real**2).mean())


def same(graph: Graph, made: Graph, x: Array) -> None:
    np.testing.assert_allclose(made.run(x), graph.run(x), rtol=1e-4, atol=1e-5)


def reduced(graph: Graph, x: Array, layers: dict[str, dict[str, Degree]] | None = None, **told: object) -> Graph:
    return approximated(graph, x, wanted(layers, **told))
