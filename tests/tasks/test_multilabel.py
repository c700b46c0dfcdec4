"""Several labels for a sample, as scikit-learn scores them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.system.errors import DataError
from mcusim.tasks.multilabel import claim, differs, labels, score
from mcusim.tasks.task import Answers, Scores
from tests.tasks.asking import asked

WANTED = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1]])
OUTPUTS = np.array([[0.9, 0.6, 0.1], [0.5, 0.2, 0.2], [0.8, 0.7, 0.1]], np.float32)


def scored(outputs: Any, wanted: Any, **changes: Any) -> Scores:
    question = asked(outputs.shape[1], wanted, end="Sigmoid", **changes)
    return score(question, Answers(outputs, labels(question).values))


def test_scores() -> None:
    found = scored(OUTPUTS, WANTED, classes=("dog", "cat", "cow"))
    assert found.accuracy == pytest.approx(2 / 3) and found.confusion is None
    assert found.numbers["label_accuracy"] == pytest.approx(7 / 9) and found.numbers["recall_worst"] == 0.0
    assert [(entry.name, entry.samples, entry.recall) for entry in found.classes] == [
        ("dog", 2, 1.0),
        ("cat", 1, 1.0),
        ("cow", 1, 0.0),
    ]


def test_scores_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(4)
    outputs, wanted = random.random((80, 5)).astype(np.float32), random.integers(0, 2, (80, 5))
    found = scored(outputs, wanted, threshold=0.3)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(wanted, outputs > 0.3))
    assert found.numbers["f1_macro"] == pytest.approx(metrics.f1_score(wanted, outputs > 0.3, average="macro"))
    assert found.numbers["label_accuracy"] == pytest.approx(1 - metrics.hamming_loss(wanted, outputs > 0.3))


def test_a_threshold_of_logits_and_nan_is_no() -> None:
    logits = np.array([[-0.1, np.nan, 0.1]], np.float32)
    question = asked(3, [[0, 0, 1]])
    assert score(question, Answers(logits, labels(question).values)).accuracy == 1.0
    assert "above 0 " in labels(question).notes[0]
    assert differs(question, logits, logits + np.float32([[0.05, 0, 0]])).tolist() == [False]
    assert differs(question, logits, logits + np.float32([[0.2, 0, 0]])).tolist() == [True]


@pytest.mark.parametrize(
    ("elements", "targets", "claimed"),
    [(3, WANTED, True), (3, WANTED.astype(float), True), (3, WANTED * 2, False), (4, np.ones((2, 4)), False)],
    ids=["plain", "floats", "counts", "what an autoencoder should repeat"],
)
def test_a_claim(elements: int, targets: Any, claimed: bool) -> None:
    assert (claim(asked(elements, targets)) is not None) == claimed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": WANTED * 2}, r"labels of shape \(3,\) for each sample, which are not 0 or 1"),
        ({"targets": WANTED[:, :2]}, r"labels of shape \(2,\)"),
        ({}, "has no labels"),
        ({"targets": WANTED, "classes": ("a", "b")}, "names 2 classes, model 'model' has 3 outputs"),
    ],
)
def test_refused_with_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        labels(asked(**changes))
    assert caught.value.hint
