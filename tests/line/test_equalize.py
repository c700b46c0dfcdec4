"""Channels are made alike across layers: no real number changes, and integers lose less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph, Output
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.equalize import equalize
from mcusim.line.front import quantized_graph, real_graph
from mcusim.line.optimize import optimize
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from tests.graphs import Builder


def uneven(ceiling: bool = False) -> tuple[Graph, Array]:
    """A convolution, a depthwise one, and one of points, with channels far apart between them."""
    builder = Builder((10, 10, 3), seed=5)
    builder.conv(8, padding="same", activation="relu6" if ceiling else "relu")
    builder.depthwise(3, padding="same", activation="relu")
    builder.conv(6, 1)
    builder.add("Flatten")
    builder.dense(4)
    graph, spread = optimize(builder.graph()), np.geomspace(1 / 30, 30, 8).astype(np.float32)
    first, deep, point = (layer for layer in graph if isinstance(layer, WeightedSum) and layer.kind != "Dense")
    other = spread[::-1]
    changed = {
        first.name: replace(first, kernel=first.kernel * spread[:, None, None, None], bias=first.bias * spread),
        deep.name: replace(deep, kernel=deep.kernel * (other / spread)[:, None, None, None], bias=deep.bias * other),
        point.name: replace(point, kernel=(point.kernel / other).astype(np.float32)),
    }
    return replace(graph, layers=tuple(changed.get(layer.name, layer) for layer in graph)), builder.samples(200)


def test_real_numbers_stay_the_same_to_the_last_bit() -> None:
    graph, x = uneven()
    made = equalize(graph)
    np.testing.assert_array_equal(made.run(x), graph.run(x))
    assert any(one is not other for one, other in zip(made, graph, strict=True))
    again = equalize(made)
    assert all(one is other for one, other in zip(made, again, strict=True)), "nothing is left to do"


@pytest.mark.parametrize("scheme", ["per-layer", "per-tensor", "per-channel"])
def test_integers_lose_less(scheme: str) -> None:
    graph, x = uneven()
    found = []
    for wanted in (False, True):
        chosen = Quantization(data_type="int8", scheme=scheme, equalize=wanted, weights="rounded")
        made = quantized_graph(Source(graph), x, chosen)
        real = graph.run(x)
        found.append(float(((made.decode(made.run(x)) - real) ** 2).mean() / (real**2).mean()))
    assert found[1] < found[0] / 4


def test_what_cannot_be_scaled_is_left_alone() -> None:
    """A ceiling, an output of the model, a tensor that is read twice."""
    graph, x = uneven(ceiling=True)
    made = equalize(graph)
    first = graph.layers[1]
    assert made[first.name] is first and np.array_equal(made.run(x), graph.run(x))
    whole, x = uneven()
    first = whole.layers[1]
    seen = replace(whole, outputs=(*whole.outputs, Output("seen", first.name)))
    assert equalize(seen)[first.name] is first


def test_dense_layers_as_well() -> None:
    """A convolution, whose plane a dense layer sees as one row, is left alone: a channel of it has several weights."""
    builder = Builder((4, 4, 3), seed=6)
    builder.conv(5, activation="relu")
    builder.add("Flatten")
    builder.dense(6, activation="relu")
    builder.dense(3)
    graph, spread = optimize(builder.graph()), 2.0 ** np.array([-5, 3, 0, 2, -1, 4], np.float32)
    conv, first, last = (layer for layer in graph if isinstance(layer, WeightedSum))
    changed = {
        first.name: replace(first, kernel=first.kernel * spread[:, None], bias=first.bias * spread),
        last.name: replace(last, kernel=last.kernel / spread),
    }
    uneven = replace(graph, layers=tuple(changed.get(layer.name, layer) for layer in graph))
    made, x = equalize(uneven), builder.samples(50)
    np.testing.assert_array_equal(made.run(x), uneven.run(x))
    assert made[conv.name] is conv
    peaks = [np.abs(one[first.name].kernel).max(axis=1) for one in (uneven, made)]  # type: ignore[attr-defined]
    assert peaks[1].max() / peaks[1].min() < 0.2 * peaks[0].max() / peaks[0].min()


def test_dead_channels_are_left_alone() -> None:
    graph, x = uneven()
    first = graph.layers[1]
    assert isinstance(first, WeightedSum)
    kernel = first.kernel.copy()
    kernel[3] = 0
    layers = tuple(replace(first, kernel=kernel) if layer is first else layer for layer in graph)
    graph = replace(graph, layers=layers)
    made = equalize(graph)
    np.testing.assert_array_equal(made.run(x), graph.run(x))
    assert all(np.isfinite(array).all() for layer in made for array in layer.weights.values())


def test_it_is_asked_for() -> None:
    graph, _ = uneven()
    source, plain = Source(graph), Quantization(data_type="int8")
    assert real_graph(source, plain) is graph
    chosen = Quantization(data_type="int8", equalize=True)
    assert chosen.label == "int8 equalized" and real_graph(source, chosen) is not graph
