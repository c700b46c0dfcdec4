"""Classes: what decides, what counts, and what a model has to answer."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset
from mcusim.system.errors import DataError
from mcusim.tasks import TASKS
from mcusim.tasks.classification import LARGEST_CONFUSION, accuracy, check, decide, differs, score

OUTPUTS = np.array([[9, 1, 2], [0, 5, 5], [1, 2, 3]], np.float32)


def test_the_largest_output_decides_and_of_equal_ones_the_first() -> None:
    assert decide(OUTPUTS).tolist() == [0, 1, 2]
    assert accuracy(OUTPUTS, np.array([0, 2, 2])) == pytest.approx(2 / 3)


def test_nan_never_decides() -> None:
    assert decide(np.array([[np.nan, -5.0], [np.nan, np.nan]])).tolist() == [1, 0]


def test_scores() -> None:
    found = score(OUTPUTS, np.array([0, 2, 2]))
    assert found.accuracy == pytest.approx(2 / 3) and found.numbers == {}
    assert found.confusion == ((1, 0, 0), (0, 0, 0), (0, 1, 1)), "rows: label, columns: decided"


def test_of_nothing() -> None:
    found = score(OUTPUTS[:0], np.zeros(0, np.int64))
    assert found.accuracy is None and found.confusion == ((0, 0, 0),) * 3
    assert accuracy(np.zeros((0, 3)), np.zeros(0, np.int64)) == 0.0


@pytest.mark.parametrize(("classes", "told"), [(LARGEST_CONFUSION, True), (LARGEST_CONFUSION + 1, False)])
def test_a_confusion_of_many_classes_is_left_out(classes: int, told: bool) -> None:
    assert (score(np.zeros((1, classes)), np.array([0])).confusion is not None) == told


def test_outputs_differ_when_another_class_is_decided() -> None:
    assert differs(OUTPUTS, OUTPUTS + np.float32([[0, 0, 0], [0, 0, 1], [9, 9, 9]])).tolist() == [False, True, False]


def test_an_output_for_each_class() -> None:
    x, y = np.zeros((2, 4), np.float32), np.zeros(2, np.int64)
    data = Dataset("mine", x, y, x, y, ("a", "b", "c"))
    check(3, data, "model")
    with pytest.raises(DataError, match="data set 'mine' has 3 classes, model 'model' tells 4 apart") as caught:
        check(4, data, "model")
    assert caught.value.hint == "check the data set, or choose the model that was trained on it"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.NAME)
def test_every_task_scores_no_samples(task) -> None:  # type: ignore[no-untyped-def]
    nothing = np.zeros((0, 3), np.float32)
    assert task.score(nothing, np.zeros(0, np.int64)).accuracy is None
    assert task.differs(nothing, nothing).shape == (0,)
