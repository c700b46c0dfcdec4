"""Ranges of tensors by what the answers lose: what does not matter to them takes no bits, what does is not cut off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.line import answer_ranges
from mcusim.line.quantize import quantize
from mcusim.numbers.affine import Affine
from mcusim.numbers.numbers import Range, Ranges
from mcusim.system.arrays import Array
from tests.graphs import Builder

SAMPLES = 200


def network(first: Array, seed: int = 0) -> Graph:
    """`first` (inputs, 8) weights, ReLU, three outputs."""
    builder = Builder((len(first),), seed=seed)
    builder.add("Dense", builder.last.name, arrays=(first, np.zeros(8, np.float32)), activation="relu")
    builder.dense(3)
    return builder.graph()


def normal(seed: int, *shape: int) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=shape), np.float32)


def found(graph: Graph, x: Array) -> Mapping[str, Range]:
    levels = {layer.name: 256 for layer in graph if layer.name != graph.ends[0].name}
    return answer_ranges.answer_ranges(graph, x, graph.ranges(x, spread=True), levels)


def test_what_answers_do_not_see_costs_no_bits() -> None:
    """The first of six inputs is large, and read by nobody: the squares of the tensor itself would keep it."""
    weights, x = normal(1, 6, 8), normal(2, SAMPLES, 6)
    weights[0], x[:, 0] = 0, np.linspace(-50, 50, SAMPLES)
    ranges = found(network(weights), x)["input"]
    assert -8 < ranges.low < -2 and 2 < ranges.high < 8
    graph = network(weights)
    numbers = quantize(graph, x, "int8", scheme="per-channel", ranges="answers").inputs[0].numbers
    assert isinstance(numbers, Affine) and numbers.scale < 16 / 255


def test_what_they_see_stays() -> None:
    x = np.asarray(np.random.default_rng(3).uniform(-1, 1, (SAMPLES, 6)), np.float32)
    ranges = found(network(normal(1, 6, 8)), x)["input"]
    assert ranges.low < -0.8 and ranges.high > 0.8


def test_one_sided_tensors_stay_so() -> None:
    ranges = found(network(normal(1, 6, 8)), normal(2, SAMPLES, 6))["dense_1_relu"]
    assert ranges.low == 0 < ranges.high


def test_answers_are_off_less_than_by_the_tensors_own_errors() -> None:
    """Samples of heavy tails, some inputs louder than others: on samples that chose nothing."""
    loud = np.geomspace(0.2, 5, 6)
    x, unseen = (np.asarray(normal(seed, SAMPLES, 6) ** 3 * loud, np.float32) for seed in (4, 5))
    graph = network(np.asarray(normal(1, 6, 8) / loud[:, None] ** 2, np.float32))

    def error(ranges: Ranges) -> float:
        made = quantize(graph, x, "int8", scheme="per-channel", ranges=ranges)
        return float(np.square(made.decode(made.run(unseen)) - graph.run(unseen)).mean())

    assert error("answers") < 0.8 * error("mse")


def test_few_samples_or_many_products_choose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x = network(normal(1, 6, 8)), normal(2, SAMPLES, 6)
    assert found(graph, x[: answer_ranges.FEWEST_SAMPLES - 1]) == {}
    monkeypatch.setattr(answer_ranges, "MACS", answer_ranges.RUNS * graph.macs * answer_ranges.FEWEST_SAMPLES)
    assert list(found(graph, x)) == ["input"]
    monkeypatch.setattr(answer_ranges, "MACS", answer_ranges.MACS - 1)
    assert found(graph, x) == {}
