"""The first layer that computes something else is named; rounding, however deep, is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from mcusim.graph import Graph, Layer
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.line.layer_by_layer import distance, first_difference, shaken
from mcusim.system.arrays import Array
from tests.graphs import Builder, builders

UNIT = float(np.finfo(np.float32).eps)


def values(graph: Graph, x: Array, rounding: float = 0.0) -> dict[str, Array]:
    """What a framework would tell of every layer that is not an input, which rounds a little differently."""
    made = {graph.inputs[0].name: graph.encode(x)}
    with np.errstate(all="ignore"):
        for layer in graph.layers[1:]:
            made[layer.name] = shaken(layer.run(*(made[name] for name in layer.inputs)), rounding)
    return {name: value for name, value in made.items() if name != graph.inputs[0].name}


def network() -> Builder:
    builder = Builder((9, 9, 3), seed=3)
    builder.conv(6, strides=2, padding="same", use_bias=False)
    builder.normalization()
    builder.add("ReLU")
    builder.depthwise(3, padding="same")
    builder.add("AveragePooling2D", pool_size=2, padding="same")
    builder.add("Flatten")
    builder.dense(4)
    return builder


@settings(max_examples=40)
@given(builders())
def test_rounding_is_no_difference(builder: Builder) -> None:
    graph, x = builder.graph(), builder.samples(4)
    assert first_difference(graph, x, values(graph, x, rounding=4 * UNIT), UNIT) is None
    ends = {graph.layers[-1].name: values(graph, x, rounding=4 * UNIT)[graph.layers[-1].name]}
    assert first_difference(graph, x, ends, UNIT) is None, "also when only the outputs are known"


def test_a_deep_network_is_no_difference() -> None:
    builder = Builder((6, 6, 8), seed=1, spread=1.4)
    for _ in range(60):
        builder.conv(8, padding="same", activation="relu")
    graph, x = builder.graph(), builder.samples(4)
    known = values(graph, x, rounding=4 * UNIT)
    assert first_difference(graph, x, known, UNIT) is None
    last = graph.layers[-1].name
    assert first_difference(graph, x, {last: known[last]}, UNIT) is None


def epsilon(layer: Layer) -> Layer:
    assert isinstance(layer, BatchNormalization)
    return replace(layer, kernel=layer.kernel * np.float32(1 + 5e-5))  # 1e-3 in place of 1.1e-3, at variance 1


def padding(layer: Layer) -> Layer:
    assert isinstance(layer, Convolution)
    return replace(layer, padding=tuple((after, before) for before, after in layer.padding))


def flipped(layer: Layer) -> Layer:
    assert isinstance(layer, Convolution)
    return replace(layer, kernel=layer.kernel[:, ::-1].copy())


def other_rows(layer: Layer) -> Layer:
    assert isinstance(layer, Dense)
    return replace(layer, kernel=np.roll(layer.kernel, 1, axis=1))


MUTATIONS: list[tuple[str, Callable[[Layer], Layer]]] = [
    ("BatchNormalization", epsilon),
    ("Convolution", padding),
    ("Convolution", flipped),
    ("Dense", other_rows),
]


@pytest.mark.parametrize(("kind", "mutation"), MUTATIONS, ids=[mutation.__name__ for _, mutation in MUTATIONS])
def test_a_wrong_layer_is_named(kind: str, mutation: Callable[[Layer], Layer]) -> None:
    builder = network()
    graph, x = builder.graph(), builder.samples(8)
    known = values(graph, x, rounding=4 * UNIT)
    for place, layer in enumerate(graph.layers):
        if layer.kind == kind:
            wrong = mutation(layer)
            same = all(np.array_equal(getattr(layer, key), value) for key, value in vars(wrong).items())
            mutant = replace(graph, layers=(*graph.layers[:place], wrong, *graph.layers[place + 1 :]))
            found = first_difference(mutant, x, known, UNIT)
            assert (found is None) if same else (found is not None and (found.layer, found.kind) == (layer.name, kind))
            ends = {graph.layers[-1].name: known[graph.layers[-1].name]}
            told = first_difference(mutant, x, ends, UNIT)
            if not same and mutation is not epsilon:
                assert told is not None and told.layer == graph.layers[-1].name, "at its output, when no more is known"


def test_numbers_are_those_that_are_furthest_off() -> None:
    builder = Builder((3,), seed=2)
    builder.dense(2)
    graph, x = builder.graph(), builder.samples(5)
    known = values(graph, x)
    wrong = {name: value.copy() for name, value in known.items()}
    wrong["dense_1"][3, 1] += 0.5
    wrong["dense_1"][4, 1] += 0.25
    found = first_difference(graph, x, wrong, UNIT)
    assert found is not None and (found.layer, found.sample) == ("dense_1", 3)
    assert found.theirs - found.ours == pytest.approx(0.5, rel=1e-5)


def test_another_shape_and_numbers_that_are_not_finite_differ() -> None:
    builder = Builder((3,), seed=2)
    builder.dense(2)
    graph, x = builder.graph(), builder.samples(5)
    assert first_difference(graph, x, {"dense_1": np.zeros((5, 3), np.float32)}, UNIT) is not None
    broken = {"dense_1": np.full((5, 2), np.nan, np.float32)}
    assert first_difference(graph, x, broken, UNIT) is not None
    one = np.array([np.nan, np.inf, np.inf, 1.0, np.nan])
    other = np.array([np.nan, np.inf, -np.inf, np.nan, 2.0])
    assert distance(one, other).tolist() == [0.0, 0.0, np.inf, np.inf, np.inf]


def test_a_coarser_type_has_a_wider_bound() -> None:
    builder = network()
    graph, x = builder.graph(), builder.samples(4)
    half = values(graph, x, rounding=2.0**-10)
    assert first_difference(graph, x, half, 2.0**-10) is None
    assert first_difference(graph, x, half, UNIT) is not None
