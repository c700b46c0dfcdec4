"""Samples that are answered worst, of every task."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.tasks import anomaly, classification, multilabel, regression
from mcusim.tasks.task import Answers
from mcusim.tasks.worst import MOST, Wrong, furthest
from tests.tasks.asking import asked


def test_only_what_is_off_is_told_the_furthest_first() -> None:
    by = np.array([0.5, 0.0, np.nan, 3.0, np.inf, -1.0, 3.0])
    found = furthest(by, lambda row: (str(row), "x"))
    assert [(one.row, one.label, one.by) for one in found] == [(3, "3", 3.0), (6, "6", 3.0), (0, "0", 0.5)]
    assert len(furthest(np.ones(100), lambda row: ("", ""))) == MOST


def test_classes_by_their_margin() -> None:
    outputs = np.array([[3, 1, 0], [0, 2, 9], [5, 4, 0], [np.nan, -1, -2], [np.inf, 0, 0]], np.float32)
    question = asked(3, [0, 1, 1, 2, 1], classes=("a", "b", "c"))
    found = classification.score(question, Answers(outputs, np.array([0, 1, 1, 2, 1]))).worst
    assert found == (Wrong(1, "b", "c", 7.0), Wrong(2, "b", "a", 1.0), Wrong(3, "c", "b", 1.0))


def test_an_only_output_by_how_far_it_is_beyond_the_threshold() -> None:
    question = asked(1, [0, 1, 1], end="Sigmoid")
    outputs = np.array([[0.75], [0.25], [0.9]], np.float32)
    found = classification.score(question, Answers(outputs, np.array([0, 1, 1]))).worst
    assert found == (Wrong(0, "0", "1", 0.25), Wrong(1, "1", "0", 0.25))


def test_labels_by_the_furthest_that_is_wrong() -> None:
    question = asked(3, end="Sigmoid", classes=("dog", "cat", "cow"))
    outputs = np.array([[0.75, 0.9, 0], [0, 0, 0], [0.5, 0, 1]], np.float32)
    wanted = np.array([[0, 1, 0], [1, 1, 1], [0, 0, 1]])
    found = multilabel.score(question, Answers(outputs, wanted)).worst
    assert found == (Wrong(1, "dog, cat, cow", "none", 0.5), Wrong(0, "cat", "dog, cat", 0.25))


def test_numbers_by_their_largest_error() -> None:
    outputs, wanted = np.array([[1, 2], [0, 8], [np.nan, 0]], np.float32), np.array([[1.5, 2], [0, 5], [0, 0]])
    found = regression.score(asked(2), Answers(outputs, wanted)).worst
    assert found == (Wrong(1, "5 (output 1)", "8", 3.0), Wrong(0, "1.5 (output 0)", "1", 0.5))
    assert regression.score(asked(1), Answers(outputs[:2, :1], wanted[:2, :1])).worst[0].label == "1.5"


@pytest.mark.parametrize("labels", [None, np.zeros(4, np.int64)])
def test_without_both_kinds_nothing_is_ranked_wrong(labels: np.ndarray | None) -> None:
    samples = np.zeros((4, 4), np.float32)
    assert anomaly.score(asked(4), Answers(np.ones_like(samples), labels, samples)).worst == ()


def test_anomalies_by_how_many_they_are_ranked_wrong_against() -> None:
    scores = np.array([1.0, 2, 9, 0, 5, 3])  # means of squares
    outputs = np.sqrt(scores)[:, None].astype(np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = anomaly.score(asked(1), Answers(outputs, labels, np.zeros((6, 1), np.float32))).worst
    assert [(one.row, one.label, round(one.by, 4)) for one in found] == [
        (2, "normal", 1.0),
        (3, "anomalous", 1.0),
        (0, "normal", 0.3333),
        (1, "normal", 0.3333),
        (4, "anomalous", 0.3333),
        (5, "anomalous", 0.3333),
    ]
