"""One row of each pool stands for the others: shapes, what is lost, what makes up for it."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.line.optimize import optimize
from mcusim.system.errors import ConfigurationError
from tests.approximate.networks import loss, network, reduced, same
from tests.graphs import Builder


def test_some_filters_or_all_of_them() -> None:
    graph, x = network()
    half = reduced(graph, x, rows=0.5)
    assert {one.layer: (one.count, one.total) for one in half.skipped} == {"conv2d_1": (4, 8), "conv2d_4": (4, 8)}
    assert half["conv2d_1"].shape == (12, 12, 4) and half["conv2d_1_one_row"].shape == (6, 12, 4)
    assert half["maxpooling2d_3"].kind == "Concatenate" and half["maxpooling2d_3"].shape == (6, 6, 8)
    every = reduced(graph, x, rows=1.0)
    assert [layer.name for layer in every] == [layer.name for layer in graph]
    assert every["conv2d_1"].shape == (6, 12, 8) and every["conv2d_1"].macs * 2 == graph["conv2d_1"].macs
    assert (
        loss(graph, half, x) < loss(graph, every, x) < loss(graph, reduced(graph, x, rows=1.0, compensation="none"), x)
    )


@pytest.mark.parametrize("degree", [0.5, 1.0])
def test_where_rows_are_equal_nothing_is_lost(degree: float) -> None:
    graph, x = network()
    flat = np.repeat(x[:, :1], 14, axis=1)  # so that every row of sums is the same
    same(graph, reduced(graph, flat, rows=degree, compensation="none"), flat)


def test_one_dimension_padding_strides_and_wide_pools() -> None:
    """Positions that are computed are those of the whole layer: the first of each window."""
    builder = Builder((31, 3), seed=4)
    start = builder.conv(6, 3, padding="same", strides=2)
    builder.add("MaxPooling1D", pool_size=3)
    builder.conv(4, 2)
    builder.add("Flatten")
    builder.dense(3)
    graph, x = optimize(builder.graph()), builder.samples(20)
    made = reduced(graph, x, {"rows": {start: 1.0}}, compensation="none")
    whole, some = (next(iter(one.values(x)))[start] for one in (graph, made))
    np.testing.assert_allclose(some, whole[:, ::3], rtol=1e-5, atol=1e-6)


def test_what_has_no_pool_of_its_own_is_told() -> None:
    builder = Builder((9, 9, 2))
    first = builder.conv(4)
    builder.add("MaxPooling2D", pool_size=3, strides=1)
    second = builder.conv(4)
    builder.add("Flatten")
    builder.dense(3)
    graph, x = optimize(builder.graph()), builder.samples(4)
    made = reduced(graph, x, rows=0.5)
    assert made.layers == graph.layers
    assert (
        "do not lie side by side), " in made.notes[0] and f"{second!r} (what reads it is no max-pool" in made.notes[0]
    )
    with pytest.raises(ConfigurationError, match="cannot be approximated by 'rows': windows of"):
        reduced(graph, x, {"rows": {first: 2}})
    with pytest.raises(ConfigurationError, match="cannot be approximated by 'rows': it is no convolution"):
        reduced(graph, x, {"rows": {"dense_5": 2}})
