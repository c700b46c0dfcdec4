"""The interpreter: shapes, chunks, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import mcusim.graph
from mcusim.line.quantize import quantize
from mcusim.system.errors import DataError
from tests.graphs import Builder


def builder() -> Builder:
    made = Builder((12, 3))
    made.conv(4, 3, padding="same", activation="relu")
    made.add("Flatten")
    made.dense(5)
    return made


def test_facts() -> None:
    graph = builder().graph("facts")
    assert (graph.inputs[0].shape, graph.ends[0].shape) == ((12, 3), (5,))
    assert graph.parameters == 3 * 3 * 4 + 4 + 48 * 5 + 5
    assert graph.macs == 12 * 3 * 3 * 4 + 48 * 5
    assert graph.sample_dtype == np.dtype((np.float32, (12, 3)))
    assert quantize(graph, builder().samples(), "int9").answer_dtype == np.dtype((np.int16, (5,)))


def test_results_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = builder()
    graph, x = quantize(made.graph(), made.samples(), "int8"), made.samples(50)
    whole = graph.run(x)
    monkeypatch.setattr(mcusim.graph, "CHUNK_BYTES_OF_INTEGERS", 1)
    np.testing.assert_array_equal(graph.run(x), whole)


def test_an_empty_batch_gives_an_empty_result() -> None:
    assert builder().graph().run(np.empty((0, 12, 3))).shape == (0, 5)


def test_ranges_reach_from_the_smallest_to_the_largest() -> None:
    made = builder()
    graph, x = made.graph(), made.samples(20)
    ranges, answers = graph.ranges(x), graph.run(x)
    assert (ranges["input"].low, ranges["input"].high) == (x.min(), x.max())
    assert ranges[graph.ends[0].name].peak == pytest.approx(np.abs(answers).max())
    assert ranges[graph.layers[2].name].low == 0, "behind a ReLU"
    told = graph.ranges(x, spread=True, ends_alone=("input",))
    assert told == ranges and told["input"].spread is told["input"].octaves is None
    assert told[graph.ends[0].name].spread is not None


def test_wrong_samples_are_refused() -> None:
    graph = builder().graph("kws")
    with pytest.raises(
        DataError, match=r"samples of shape \(3, 12\) do not fit the model 'kws', which takes \(12, 3\)"
    ):
        graph.run(np.zeros((2, 3, 12)))
    bad = np.zeros((4, 12, 3))
    bad[2, 0, 0] = np.inf
    with pytest.raises(DataError, match="sample 2 holds NaN or infinity"):
        graph.encode(bad)
