"""What an autoencoder cannot repeat: scores of samples, and how well they tell anomalies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.system.errors import DataError
from mcusim.tasks.anomaly import auc, correlation, labels, reconstruction_errors, score
from mcusim.tasks.task import Answers
from tests.tasks.asking import asked

SAMPLES = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]], np.float32)
REPEATED = SAMPLES + np.float32([[1], [2], [3]])


def test_a_score_is_the_mean_squared_difference() -> None:
    assert reconstruction_errors(SAMPLES, REPEATED).tolist() == [1, 4, 9]
    assert reconstruction_errors(SAMPLES.reshape(3, 2, 2, 1), REPEATED).tolist() == [1, 4, 9], "outputs are flat"


def test_scores() -> None:
    of_float = SAMPLES + np.sqrt(np.float32([[2], [8], [18]]))
    found = score(asked(4), Answers(REPEATED, np.array([0, 1, 1]), SAMPLES, of_float)).numbers
    assert found == {
        "anomaly_score_mean": pytest.approx(14 / 3),
        "score_correlation": pytest.approx(1.0),
        "auc": 1.0,
        "pauc": 1.0,
    }


def test_without_labels_there_is_no_auc() -> None:
    found = score(asked(4), Answers(REPEATED, None, SAMPLES, REPEATED)).numbers
    assert set(found) == {"anomaly_score_mean", "score_correlation"}
    assert labels(asked(4)).values is None


def test_of_one_kind_only_there_is_no_auc() -> None:
    found = score(asked(4), Answers(REPEATED, np.ones(3, np.int64), SAMPLES, None)).numbers
    assert found["auc"] is None and found["pauc"] is None


def test_a_score_that_is_no_number_ranks_nowhere() -> None:
    outputs = REPEATED.copy()
    outputs[0, 0] = np.nan
    found = score(asked(4), Answers(outputs, np.array([0, 1, 1]), SAMPLES, REPEATED)).numbers
    assert found["auc"] is None and found["score_correlation"] is None
    outputs[0, 0] = np.inf
    assert score(asked(4), Answers(outputs, np.array([1, 0, 0]), SAMPLES)).numbers["auc"] == 1.0


@pytest.mark.parametrize("max_fpr", [0.1, 0.25, 1.0])
def test_areas_are_those_of_scikit_learn(max_fpr: float) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(2)
    for levels in (2, 5, 40, 10_000):  # few: most scores are equal
        for share in (0.05, 0.5, 0.9):
            positive = random.random(150) < share
            positive[:2] = True, False
            scores = random.integers(0, levels, 150) / 7 + positive * random.random(150).round(1)
            wanted = metrics.roc_auc_score(positive, scores, max_fpr=max_fpr)
            assert auc(scores, positive.astype(int), max_fpr) == pytest.approx(wanted, abs=1e-12)


def test_areas_by_hand() -> None:
    positive = np.array([0, 0, 1, 1])
    assert auc(np.array([1, 2, 3, 4]), positive) == 1.0
    assert auc(np.array([4, 3, 2, 1]), positive) == 0.0
    assert auc(np.array([1, 1, 1, 1]), positive) == 0.5
    assert auc(np.array([1, 1, 1, 1]), positive, 0.1) == pytest.approx(0.5)
    assert auc(np.array([1, 2, 2, 4]), positive) == 0.875


def test_correlation() -> None:
    random = np.random.default_rng(3)
    one, other = random.random(40), random.random(40)
    assert correlation(one, other) == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert correlation(one, np.ones(40)) is None and correlation(one[:1], other[:1]) is None


def test_names_say_which_kind_is_normal_or_are_refused() -> None:
    """In alphabetical order `anomaly` is 0 and `normal` 1: the AUC would be that of the opposite."""
    told = labels(asked(4, [0, 1], classes=("normal", "anomaly"))).values
    assert told is not None and told.tolist() == [0, 1]
    with pytest.raises(DataError, match="'anomaly', 'normal': it is not known which one is normal") as caught:
        labels(asked(4, [0, 1], classes=("anomaly", "normal")))
    assert caught.value.hint == "store 0 for normal and 1 for anomalous, without names"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"elements": 3, "targets": [0, 1]}, r"takes \(4,\) and answers \(3,\)"),
        ({"elements": 4, "targets": [0, 2]}, "hold label 2"),
        ({"elements": 4, "inputs": ((4,), (4,))}, r"takes \(4,\) and \(4,\)"),
    ],
)
def test_refused_with_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        labels(asked(**changes))
    assert caught.value.hint
