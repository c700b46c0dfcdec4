"""Channels that are always the same number go, and no calibration sample is answered otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.graph import Graph, Skipped
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.optimize import optimize
from mcusim.system.arrays import Array
from tests.approximate.networks import network, reduced, same, with_layer
from tests.graphs import Builder


def test_they_go_and_the_answers_stay() -> None:
    graph, x = network()
    made = reduced(graph, x, dead_channels=True)
    same(graph, made, x)
    assert made.skipped == (Skipped("dead_channels", "conv2d_1", 2, 8),) and made.macs < graph.macs
    assert made.notes == ("channels that no calibration sample activates are not computed: 2 of 8 in 'conv2d_1'",)


def constant(number: float, padding: str, *, deep: bool = False) -> tuple[Graph, Array]:
    """Filters 0, 1 and 3 of a first convolution are `number` everywhere. `deep`: a depthwise one is behind it."""
    builder = Builder((8, 8, 2), seed=2)
    first = builder.conv(6, padding="same")
    if deep:
        builder.depthwise(3, padding=padding, activation="relu")
    builder.conv(4, 1 if deep else 3, padding=padding, activation="relu")
    builder.add("Flatten")
    builder.dense(3)
    graph = optimize(builder.graph())
    layer = graph[first]
    assert isinstance(layer, WeightedSum)
    kernel, bias = layer.kernel.copy(), layer.bias.copy()
    kernel[[0, 1, 3]], bias[[0, 1, 3]] = 0, number
    return with_layer(graph, replace(layer, kernel=kernel, bias=bias)), builder.samples(20)


@pytest.mark.parametrize(
    ("number", "padding", "deep", "gone"),
    [
        (0.0, "same", False, 2),  # of three, so that pairs are left
        (1.5, "valid", False, 2),
        (1.5, "same", False, 0),  # windows at the edges see zeros in place of it
        (0.0, "same", True, 2),
        (1.5, "valid", True, 2),  # another number behind each depthwise filter
    ],
)
def test_what_a_constant_does_is_in_the_bias(number: float, padding: str, deep: bool, gone: int) -> None:
    graph, x = constant(number, padding, deep=deep)
    made = reduced(graph, x, dead_channels=True)
    same(graph, made, x)
    assert sum(one.count for one in made.skipped) == gone


def test_a_channel_that_one_sample_activates_stays() -> None:
    graph, x = network()
    first = graph["conv2d_1"]
    assert isinstance(first, WeightedSum)
    kernel = first.kernel.copy()
    kernel[2] = 30  # sums of 27 numbers of a deviation of 1
    few = with_layer(graph, replace(first, kernel=kernel))
    assert np.ptp(next(iter(few.values(x)))["conv2d_1"][..., 2]) > 0
    assert not reduced(few, x, dead_channels=True).skipped
