"""A model that is fed other numbers than it was trained on is doubted, with what to do about it; no other one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset, Normalization
from mcusim.experiment.tables import TaskChoice
from mcusim.graph import Graph
from mcusim.line.fit import fit
from mcusim.line.misfed import misfed
from mcusim.line.quantize import quantize
from mcusim.models.source import Source
from mcusim.numbers.affine import Affine
from mcusim.system.arrays import Array
from tests.graphs import Builder

RANDOM = np.random.default_rng(3)
CENTRES = RANDOM.integers(40, 215, (3, 6)).astype(np.float32)
Y = np.arange(300) % 3
X = np.clip(CENTRES[Y] + RANDOM.normal(0, 12, (300, 6)), 0, 255).astype(np.float32)
DATA = Dataset("mine", X, Y, X[:60], Y[:60])
STATISTICS = Normalization.fit(X)


def knows(feed: Callable[[Array], Array]) -> Graph:
    """The nearest centre of samples that are fed so: trained on them, in a way."""
    centres = feed(CENTRES)
    builder = Builder((6,))
    builder.add("Dense", arrays=((2 * centres.T).astype(np.float32), -(centres**2).sum(axis=1)), units=3)
    return builder.graph()


WAYS: dict[str, Callable[[Array], Array]] = {
    "raw": lambda x: x,
    "z-score": STATISTICS.apply,
    "over 255": lambda x: (x / 255).astype(np.float32),
    "-1 to 1": lambda x: (x / 127.5 - 1).astype(np.float32),
}


def doubt(graph: Graph, dataset: Dataset = DATA, task: TaskChoice | None = None, **kept: Normalization) -> str:
    return misfed(Source(graph, kept), fit(graph, dataset, task), seed=0) or ""


def test_whoever_is_fed_what_it_knows_is_not_doubted() -> None:
    assert doubt(knows(WAYS["raw"])) == ""
    assert misfed(Source(knows(WAYS["z-score"]), {"": STATISTICS}), fit(knows(WAYS["z-score"]), DATA), 0) is None


def test_a_quantized_model_that_is_given_its_integers() -> None:
    """Somebody stored what an interpreter of .tflite is fed: the model takes such samples for reals."""
    graph = quantize(knows(WAYS["raw"]), X, "int8", scheme="per-channel")
    [numbers] = [layer.numbers for layer in graph.inputs]
    assert isinstance(numbers, Affine)
    integers = numbers.encode(X).astype(np.float32)
    told = doubt(graph, Dataset("mine", integers, Y, integers[:60], Y[:60]))
    assert "those read as its integers 100 %" in told and "scale * (q - zero point)" in told
    assert doubt(graph) == ""


def test_a_model_that_divides_by_itself_is_given_shares() -> None:
    shares = (X / 255).astype(np.float32)
    told = doubt(knows(WAYS["raw"]), Dataset("mine", shares, Y, shares[:60], Y[:60]))
    assert "those times 255 100 %" in told and "store x * 255" in told


@pytest.mark.parametrize(
    ("trained", "words", "advice"),
    [
        ("z-score", "z-scored ones 100 %", 'add normalize = "z-score" to [dataset]'),
        ("over 255", "those over 255 100 %", "store x / 255 in the data file"),
        ("-1 to 1", "those from -1 to 1 100 %", "store x / 127.5 - 1 in the data file"),
    ],
)
def test_what_it_was_trained_on_is_found(trained: str, words: str, advice: str) -> None:
    told = doubt(knows(WAYS[trained]))
    assert told.startswith("raw samples give ") and words in told and told.endswith(advice)
    assert "accuracy of the float model on 256 training samples" in told


def test_statistics_that_should_not_be_applied() -> None:
    told = misfed(Source(knows(WAYS["raw"]), {"": STATISTICS}), fit(knows(WAYS["raw"]), DATA), 0) or ""
    assert told.startswith("z-scored ones give ") and "raw ones 100 %" in told and 'normalize = "none"' in told


def test_without_training_samples_the_test_samples_tell() -> None:
    alone = replace(DATA, x_train=None, y_train=None)
    told = doubt(knows(WAYS["over 255"]), alone)
    assert "on 60 test samples" in told and "x / 255" in told
    assert doubt(knows(WAYS["over 255"]), replace(alone, y_test=None)) == ""


def test_errors_of_a_regression() -> None:
    builder = Builder((6,))
    weights = np.ones((6, 1), np.float32)
    builder.add("Dense", arrays=(weights, np.zeros(1, np.float32)), units=1)
    graph, z = builder.graph(), STATISTICS.apply(X)
    y = (z @ weights).astype(np.float64)
    told = doubt(graph, Dataset("mine", X, y, X[:60], y[:60]), TaskChoice(kind="regression"))
    assert "mean absolute error" in told and "z-scored ones" in told
    raw = X @ weights
    assert doubt(graph, Dataset("mine", X, raw, X[:60], raw[:60]), TaskChoice(kind="regression")) == ""


def test_a_small_advantage_is_chance() -> None:
    noisy = replace(DATA, y_train=np.where(RANDOM.uniform(size=300) < 0.9, (Y + 1) % 3, Y))
    assert doubt(knows(WAYS["raw"]), noisy) == ""
