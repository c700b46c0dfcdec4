"""Errors against targets, as scikit-learn has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.system.errors import DataError
from mcusim.tasks.regression import labels, score
from mcusim.tasks.task import Answers
from tests.tasks.asking import asked


def scored(outputs: Any, targets: Any) -> dict[str, float | None]:
    outputs = np.asarray(outputs, np.float32)
    question = asked(outputs.shape[1], targets)
    return dict(score(question, Answers(outputs, labels(question).values)).numbers)


def test_of_one_output() -> None:
    assert scored([[1.0], [3.0]], [1.5, 2.0]) == {
        "mae": 0.75,
        "rmse": pytest.approx(np.sqrt(0.625)),
        "r2": pytest.approx(-9.0),
    }


@pytest.mark.parametrize("elements", [1, 3])
def test_scores_are_those_of_scikit_learn(elements: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    wanted = random.normal(3, 2, (50, elements))
    outputs = (wanted + random.normal(0, 0.5, wanted.shape)).astype(np.float32)
    found = scored(outputs, wanted)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(wanted, outputs))
    assert found["rmse"] == pytest.approx(np.sqrt(metrics.mean_squared_error(wanted, outputs)))
    assert found["r2"] == pytest.approx(metrics.r2_score(wanted, outputs))


def test_targets_that_are_all_the_same_explain_nothing() -> None:
    assert scored([[1.0], [2.0]], [3.0, 3.0])["r2"] is None
    assert scored([[1.0]], [3.0]) == {"mae": 2.0, "rmse": 2.0, "r2": None}
    constant_and_not = scored([[9.0, 1.0], [8.0, 2.0]], [[3.0, 1.0], [3.0, 2.0]])
    assert constant_and_not["r2"] == 1.0, "of the outputs whose targets vary"


def test_what_is_no_number_is_no_score() -> None:
    found = scored([[np.nan], [1.0]], [1.0, 2.0])
    assert all(number is not None and np.isnan(number) for number in found.values())


@pytest.mark.parametrize("targets", [np.arange(6.0).reshape(3, 2), np.arange(6).reshape(3, 1, 2)])
def test_any_shape_whose_numbers_fit(targets: Any) -> None:
    found = labels(asked(2, targets)).values
    assert found is not None and found.tolist() == [[0, 1], [2, 3], [4, 5]] and found.dtype == np.float64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": [1.0, 2.0]}, r"of one sample have shape \(\), model 'model' answers 3 numbers"),
        ({"targets": np.zeros((2, 4))}, r"of one sample have shape \(4,\), model 'model' answers 3 numbers"),
        ({"targets": [0, 1], "shape": (1,), "classes": ("a", "b")}, "names classes, which are no numbers"),
        ({}, "has no targets to compare with"),
    ],
)
def test_refused_with_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        labels(asked(**changes))
    assert caught.value.hint
