"""Samples that judge points: training samples that training held out, none of the test set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset
from mcusim.line.validation import HeldShare, judged_by_validation
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.training.lesson import hold_out

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 3)).astype(np.float32)
Y = RANDOM.integers(0, 4, 200)
A_FIFTH = HeldShare(0.2, "[explore]")
DATA = Dataset("mine", X[:150], Y[:150], X[150:], Y[150:], ("a", "b", "c", "d"))


def test_they_are_those_that_training_holds_out() -> None:
    judged = judged_by_validation(DATA, A_FIFTH, 7)
    assert DATA.x_train is not None and DATA.y_train is not None and judged.y_test is not None
    _, held = hold_out(DATA.y_train, None, 0.2, np.random.default_rng(7))
    np.testing.assert_array_equal(judged.x_test, DATA.x_train[held])
    np.testing.assert_array_equal(judged.y_test, DATA.y_train[held])
    assert judged.x_train is DATA.x_train, "calibration sees what it always sees"


def test_whole_groups_are_held_out() -> None:
    groups = np.repeat(np.arange(15), 10)
    judged = judged_by_validation(replace(DATA, groups_train=groups), A_FIFTH, 7)
    rows = {row.tobytes() for row in judged.x_test}
    inside = np.array([row.tobytes() in rows for row in X[:150]])
    assert {len(set(inside[groups == group].tolist())) for group in range(15)} == {1} and 0 < inside.sum() < 60


@pytest.mark.parametrize("y", [None, RANDOM.normal(size=(150, 2)), np.eye(4)[Y[:150]]])
def test_targets_of_any_kind(y: np.ndarray | None) -> None:
    judged = judged_by_validation(replace(DATA, y_train=y, y_test=None if y is None else y[:50]), A_FIFTH, 7)
    assert 20 <= len(judged.x_test) <= 40 and (judged.y_test is None) == (y is None)


def test_the_test_set_never_judges() -> None:
    with pytest.raises(DataError, match="30 of 30 samples"):
        judged_by_validation(replace(DATA, x_test=X[:150]), A_FIFTH, 7)
    one = judged_by_validation(replace(DATA, x_test=np.concatenate([X[150:], X[:1]])), HeldShare(0.0, "[explore]"), 7)
    assert len(one.x_test) == 149, "a single one is left out"


def test_without_training_samples_nothing_judges() -> None:
    with pytest.raises(DataError, match="no training samples"):
        judged_by_validation(replace(DATA, x_train=None, y_train=None), A_FIFTH, 7)


def test_a_share_that_holds_none_out_is_told_where_it_stands() -> None:
    with pytest.raises(ConfigurationError, match="0 to validate on") as told:
        judged_by_validation(DATA, HeldShare(0.001, "[explore]"), 7)
    assert told.value.where == "[explore]" and told.value.hint
