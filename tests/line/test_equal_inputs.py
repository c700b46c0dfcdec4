"""Channels of an input reach equally far, by powers of two: no real number changes, and integers lose less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.datasets.dataset import Normalization
from mcusim.experiment.quantization import Quantization
from mcusim.line.equal_inputs import equal_inputs
from mcusim.line.front import fed_equally, quantized_graph
from mcusim.line.optimize import optimize
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from tests.graphs import Builder

REACHES = np.array([0.3, 2.0, 10.0], np.float32)


def uneven(dense: bool = False) -> tuple[Source, Array]:
    """A network of three channels that reach differently far, as in its weights; raw samples."""
    builder = Builder((3,) if dense else (6, 6, 3), seed=5)
    if not dense:
        builder.conv(6, padding="same", activation="relu")
        builder.add("Flatten")
    builder.dense(4)
    graph = optimize(builder.graph())
    first = graph.consumers(graph.inputs[0].name)[0]
    kernel = (first.kernel / REACHES).astype(np.float32)
    graph = replace(graph, layers=tuple(replace(one, kernel=kernel) if one is first else one for one in graph))
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, (300, *graph.inputs[0].shape)).astype(np.float32) * REACHES * 5 + 7
    return Source(graph, {"": Normalization((7.0,) * 3, (5.0,) * 3)}), x


@pytest.mark.parametrize("dense", [False, True])
def test_real_answers_stay_the_same_to_the_last_bit(dense: bool) -> None:
    source, x = uneven(dense)
    made = equal_inputs(source, x)
    np.testing.assert_array_equal(made.graph.run(made.normalized(x)), source.graph.run(source.normalized(x)))
    assert np.abs(made.normalized(x)).max(axis=tuple(range(x.ndim - 1))) == pytest.approx([9.6, 8, 10], rel=0.05)
    assert made.normalizations[""].mean == source.normalizations[""].mean
    assert equal_inputs(made, x).normalizations == made.normalizations, "nothing is left to do"


def test_integers_lose_less() -> None:
    source, x = uneven()
    real, found = source.graph.run(source.normalized(x)), []
    for equalize in (False, True):
        chosen = Quantization(data_type="int8", equalize=equalize, weights="rounded")
        fed = fed_equally(source, x, chosen)
        made = quantized_graph(fed, x, chosen)
        found.append(float(np.square(made.decode(made.run(fed.normalized(x))) - real).mean()))
    assert found[1] < found[0] / 4


def test_what_cannot_be_taken_back_stays() -> None:
    source, x = uneven()
    raw = replace(source, normalizations={})
    assert equal_inputs(raw, x).graph is raw.graph, "nobody normalizes what would have to be normalized otherwise"
    builder = Builder((6, 6, 3), seed=5)
    builder.add("Flatten")
    builder.dense(4)
    flat = replace(source, graph=optimize(builder.graph()))
    assert equal_inputs(flat, x).normalizations == flat.normalizations, "read as 108 numbers"


def test_a_channel_that_is_always_0_stays() -> None:
    source, x = uneven()
    x[..., 0] = 7
    made = equal_inputs(source, x)
    assert made.normalizations[""].std == (5.0, 5.0 / 4, 5.0)


@pytest.mark.parametrize("chosen", [Quantization(data_type="int8"), Quantization(data_type="float32")])
def test_only_where_asked_for(chosen: Quantization) -> None:
    source, x = uneven()
    assert fed_equally(source, x, chosen) is source
    assert fed_equally(source, None, Quantization(data_type="int8", equalize=True)) is source, "without samples"
