"""Where channels go: in another order, with other weights of what reads them, the answers are the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcusim.approximate.paths import Path, only, path_of
from mcusim.graph import Graph, Output
from mcusim.line.optimize import merged
from tests.approximate.networks import same
from tests.graphs import Builder

FILTERS = 6


def _flat(builder: Builder) -> None:
    builder.add("MaxPooling2D")
    builder.add("Flatten")
    builder.normalization()
    builder.dense(4)


def _depthwise(builder: Builder) -> None:
    builder.depthwise(3, padding="same", activation="relu")
    builder.conv(4, 1)
    builder.add("Flatten")


def _functions(builder: Builder) -> None:
    builder.add("LeakyReLU", negative_slope=0.1)
    builder.add("PReLU", arrays=(builder.weights(1, 1, FILTERS, fan_in=1),), shared_axes=[1, 2])
    builder.add("ZeroPadding2D", padding=1)
    builder.add("AveragePooling2D", padding="same")
    builder.conv(4, 2)
    builder.add("Flatten")


def _global(builder: Builder) -> None:
    builder.add("GlobalAveragePooling2D")
    builder.dense(4)


def _twice(builder: Builder) -> None:
    start = builder.last.name
    left, right = builder.conv(4, 3, start, padding="same"), builder.conv(4, 1, start)
    builder.add("Add", left, right)
    builder.add("Flatten")


@pytest.mark.parametrize("after", [_flat, _depthwise, _functions, _global, _twice])
def test_another_order_changes_no_answer(after: Callable[[Builder], None]) -> None:
    builder = Builder((7, 6, 2), seed=1)
    builder.conv(FILTERS, activation="relu")
    after(builder)
    graph, start = merged(builder.graph()), "conv2d_1"
    path = path_of(graph, graph[start])
    assert isinstance(path, Path) and path.channels == FILTERS and path.readers
    same(graph, only(graph, path, np.array([4, 1, 0, 5, 2, 3])), builder.samples(5))
    fewer = only(graph, path, np.array([4, 1]))
    assert fewer.run(builder.samples(2)).shape == graph.run(builder.samples(2)).shape and fewer.macs < graph.macs


def _added(builder: Builder) -> None:
    start = builder.last.name
    builder.add("Add", start, builder.conv(FILTERS, 3, start, padding="same"))
    builder.add("Flatten")


def _recurrent(builder: Builder) -> None:
    builder.add("Reshape", target_shape=(20, FILTERS))
    builder.recurrent("LSTM", 3)


def _split(builder: Builder) -> None:
    """Channels are no longer side by side."""
    builder.add("Reshape", target_shape=(20 * 2, FILTERS // 2))
    builder.conv(2)


@pytest.mark.parametrize(("after", "kind"), [(_added, "Add"), (_recurrent, "LSTM"), (_split, "Reshape")])
def test_what_needs_all_channels_says_so(after: Callable[[Builder], None], kind: str) -> None:
    builder = Builder((7, 6, 2))
    start = builder.conv(FILTERS)
    place = len(builder.layers)
    after(builder)
    graph = Graph(tuple(builder.layers))
    found = path_of(graph, graph[start])
    reader = next(one for one in builder.layers[place:] if one.kind == kind)
    assert found == f"{reader.name!r} ({reader.kind}) reads its channels"


def test_an_output_keeps_its_channels() -> None:
    builder = Builder((7, 6, 2))
    start = builder.conv(FILTERS)
    pooled = builder.add("MaxPooling2D")
    builder.conv(2, 1)
    graph = Graph(tuple(builder.layers), outputs=(Output("a", pooled), Output("b", builder.last.name)))
    assert path_of(graph, graph[start]) == f"{pooled!r} is an output"
