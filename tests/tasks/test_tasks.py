"""All tasks: which of them claims an output when nobody has said, and that each can score nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.system.errors import DataError
from mcusim.tasks import TASKS, judge_of
from mcusim.tasks.task import FLOAT_TOLERANCE, Answers, far
from tests.tasks.asking import asked

FLOATS = np.linspace(0, 1, 12)
FOUR = (4,)
GUESSED: dict[str, tuple[dict[str, Any], str]] = {
    "classes": ({"targets": [0, 1, 2]}, "classification"),
    "names of classes": ({"targets": [0, 1, 2], "classes": ("a", "b", "c")}, "classification"),
    "one-hot": ({"targets": np.eye(3)}, "classification"),
    "whole floats and three outputs": ({"targets": [0.0, 1.0, 2.0]}, "classification"),
    "0 and 1, one output": ({"elements": 1, "targets": [0, 1]}, "classification"),
    "0.0 and 1.0, one output": ({"elements": 1, "targets": [0.0, 1.0]}, "classification"),
    "floats": ({"elements": 1, "targets": FLOATS}, "regression"),
    "floats of a sigmoid": ({"elements": 1, "targets": FLOATS, "end": "Sigmoid"}, "regression"),
    "a column of floats": ({"elements": 1, "targets": FLOATS[:, None]}, "regression"),
    "floats for each output": ({"targets": FLOATS.reshape(4, 3)}, "regression"),
    "floats in another shape": ({"targets": FLOATS.reshape(1, 3, 4), "shape": (12,)}, "regression"),
    "several labels": ({"targets": [[1, 1, 0], [0, 0, 1]]}, "multilabel"),
    "several labels as floats": ({"targets": [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]}, "multilabel"),
    "ages": ({"elements": 1, "targets": [18, 40, 72]}, "regression"),
    "counts for each output": ({"targets": [[3, 0, 4], [1, 1, 9]]}, "regression"),
    "an autoencoder": ({"elements": 4}, "anomaly"),
    "an autoencoder with an axis more": ({"shape": (4, 1)}, "anomaly"),
    "an autoencoder and labels": ({"elements": 4, "targets": [0, 1, 1]}, "anomaly"),
    "an autoencoder and float labels": ({"elements": 4, "targets": [0.0, 1.0]}, "anomaly"),
    "as many classes as features": ({"elements": 4, "targets": [0, 1, 3]}, "classification"),
    "two of as many classes, with softmax": ({"elements": 4, "targets": [0, 1], "end": "Softmax"}, "classification"),
    "two of as many classes, known from training": (
        {"elements": 4, "targets": [0, 1], "train_targets": np.arange(4)},
        "classification",
    ),
    "two features, two classes": ({"elements": 2, "targets": [0, 1], "inputs": ((2,),)}, "classification"),
    "an autoencoder and what it should say": ({"elements": 4, "targets": FLOATS.reshape(3, 4)}, "regression"),
    "nothing": ({}, "none"),
    "two inputs": ({"elements": 4, "inputs": (FOUR, FOUR)}, "none"),
}


@pytest.mark.parametrize(("changes", "task"), GUESSED.values(), ids=GUESSED)
def test_a_guess(changes: dict[str, Any], task: str) -> None:
    judge = judge_of(asked(**changes))
    assert task == judge.task.NAME
    if task != "classification":
        assert any(f"guessed to be {task!r}" in note for note in judge.notes), "a wrong guess has to be seen"


def test_whole_numbers_that_are_guessed_to_be_classes_are_told() -> None:
    (note,) = judge_of(asked(3, [0.0, 1.0, 2.0])).notes
    assert "guessed to be 'classification': targets are whole numbers, and there are 3 outputs" in note
    assert judge_of(asked(3, [0, 1, 2])).notes == (), "that is plain"


def test_what_is_said_is_not_guessed() -> None:
    assert judge_of(asked(1, [0.0, 1.0]), "regression").task.NAME == "regression"
    assert judge_of(asked(1, [0.0, 1.0]), "regression").notes == ()
    judge = judge_of(asked(3, [0, 1, 2]), "none")
    assert judge.task.NAME == "none" and judge.labels is None


@pytest.mark.parametrize("targets", [[[0.5, 1.0]], np.zeros((2, 8, 8)), [0.5, 1.5]])
def test_targets_of_something_else_are_refused(targets: Any) -> None:
    with pytest.raises(DataError, match="model 'model' answers 3 numbers: they do not belong together") as caught:
        judge_of(asked(3, targets))
    assert caught.value.hint and 'kind = "none"' in caught.value.hint


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.NAME)
@pytest.mark.parametrize("labels", [None, np.zeros((0, 4), np.int64)], ids=["unlabelled", "labelled"])
def test_every_task_scores_no_samples(task: Any, labels: Any) -> None:
    nothing = np.zeros((0, 4), np.float32)
    flat = labels if labels is None or task.NAME in ("regression", "multilabel") else labels[:, 0]
    found = task.score(asked(4), Answers(nothing, flat, nothing, nothing))
    assert found.accuracy is None and set(found.numbers.values()) <= {None}
    assert task.differs(asked(4), nothing, nothing).shape == (0,)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.NAME)
def test_docs_tell_what_a_task_is_for(task: Any) -> None:
    text = (Path(__file__).parents[2] / "docs" / "experiment.md").read_text(encoding="utf-8")
    assert f"\n- `{task.NAME}`, " in text.partition("\n## [task]")[2].partition("\n## ")[0]


def test_numbers_are_far_when_rounding_does_not_explain_it() -> None:
    expected = np.array([[1.0, 100.0], [0.0, 1.0], [np.nan, np.inf]], np.float32)
    told = asked(2)
    assert not far(told, expected, expected).any(), "what is expected to be no number is none"
    assert not far(told, expected + np.float32(0.5 * 100 * FLOAT_TOLERANCE), expected).any()
    off = np.float32([[0, 0], [0, 2 * 100 * FLOAT_TOLERANCE], [0, 0]])
    assert far(told, expected + off, expected).tolist() == [0, 1, 0]
