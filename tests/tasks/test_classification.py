"""Classes: what decides, what counts, and which labels can mean what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.system.errors import DataError
from mcusim.tasks.classification import LARGEST_CONFUSION, above, claim, decide, differs, labels, score, threshold
from mcusim.tasks.task import Answers, Scores
from tests.tasks.asking import asked

OUTPUTS = np.array([[9, 1, 2], [0, 5, 5], [1, 2, 3]], np.float32)


def scored(outputs: Any, wanted: Any, **changes: Any) -> Scores:
    outputs = np.asarray(outputs, np.float32)
    return score(asked(outputs.shape[1], **changes), Answers(outputs, np.asarray(wanted, np.int64)))


def test_the_largest_output_decides_and_of_equal_ones_the_first() -> None:
    assert decide(OUTPUTS).tolist() == [0, 1, 2]


def test_nan_never_decides() -> None:
    assert decide(np.array([[np.nan, -5.0], [np.nan, np.nan]])).tolist() == [1, 0]
    assert above(np.array([[np.nan], [1.0]], np.float32), 0.0).tolist() == [0, 1]


def test_scores() -> None:
    found = scored(OUTPUTS, [0, 2, 2])
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.confusion == ((1, 0, 0), (0, 0, 0), (0, 1, 1)), "rows: label, columns: decided"
    told = [(entry.name, entry.samples, entry.recall, entry.precision, entry.f1) for entry in found.classes]
    assert told == [("0", 1, 1.0, 1.0, 1.0), ("1", 0, None, 0.0, 0.0), ("2", 2, 0.5, 1.0, pytest.approx(2 / 3))]
    assert found.numbers["recall_worst"] == 0.5 and found.numbers["balanced_accuracy"] == 0.75
    assert "top_k_accuracy" not in found.numbers, "nobody asked"


def test_scores_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    for classes, of_labels in ((2, 2), (5, 5), (12, 7)):
        outputs = random.normal(size=(60, classes)).astype(np.float32)
        wanted = random.integers(0, of_labels, 60)
        found, decided = scored(outputs, wanted, top_k=2), outputs.argmax(axis=1)
        assert found.accuracy == pytest.approx(metrics.accuracy_score(wanted, decided))
        assert found.numbers["f1_macro"] == pytest.approx(metrics.f1_score(wanted, decided, average="macro"))
        balanced = np.mean([np.mean(decided[wanted == one] == one) for one in np.unique(wanted)])
        assert found.numbers["balanced_accuracy"] == pytest.approx(balanced)
        recalls = metrics.recall_score(wanted, decided, labels=np.arange(classes), average=None, zero_division=np.nan)
        assert found.numbers["recall_worst"] == pytest.approx(np.nanmin(recalls))
        if classes > 2:
            best = metrics.top_k_accuracy_score(wanted, outputs, k=2, labels=np.arange(classes))
            assert found.numbers["top_k_accuracy"] == pytest.approx(best)


def test_of_equal_outputs_the_first_are_among_the_largest() -> None:
    found = [scored([[1, 1, 1]], [label], top_k=2).numbers["top_k_accuracy"] for label in range(3)]
    assert found == [1.0, 1.0, 0.0]
    assert scored([[1, 1, 1]], [2], top_k=5).numbers["top_k_accuracy"] == 1.0, "there are no five"


def test_of_nothing() -> None:
    found = scored(OUTPUTS[:0], [])
    assert found.accuracy is None and found.confusion == ((0, 0, 0),) * 3
    assert set(found.numbers.values()) == {None}


@pytest.mark.parametrize(("classes", "told"), [(LARGEST_CONFUSION, True), (LARGEST_CONFUSION + 1, False)])
def test_a_confusion_of_many_classes_is_left_out(classes: int, told: bool) -> None:
    found = scored(np.zeros((1, classes)), [0])
    assert (found.confusion is not None) == bool(found.classes) == told and found.accuracy == 1.0


def test_outputs_differ_when_another_class_is_decided() -> None:
    off = OUTPUTS + np.float32([[0, 0, 0], [0, 0, 1], [9, 9, 9]])
    assert differs(asked(3), OUTPUTS, off).tolist() == [False, True, False]
    probabilities = np.array([[0.4], [0.5], [0.9]], np.float32)
    assert differs(asked(1, end="Sigmoid"), probabilities, probabilities + np.float32(0.05)).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("end", "told", "expected", "rule"),
    [
        ("Sigmoid", None, [0, 0, 1], "the output of Sigmoid is above 0.5 "),
        ("Sigmoid", 0.1, [0, 1, 1], "the output of Sigmoid is above 0.1 "),
        ("Dense", None, [0, 1, 1], "taken for a logit, is above 0 "),
        ("Dense", -3.0, [1, 1, 1], "is above -3, a probability of 0.0474 "),
    ],
)
def test_an_only_output_decides_by_a_threshold(end: str, told: float | None, expected: list[int], rule: str) -> None:
    """0.5 of a sigmoid is undecided and class 0, as in Keras' BinaryAccuracy."""
    question = asked(1, [0, 1, 1], end=end, threshold=told)
    found = score(question, Answers(np.array([[-2.0], [0.5], [0.8]], np.float32), np.array(expected)))
    assert found.accuracy == 1.0 and found.confusion is not None and len(found.confusion) == 2
    assert rule in labels(question).notes[0]


def test_a_threshold_is_compared_in_the_outputs_precision() -> None:
    """0.3 in float32 is a bit more than 0.3: an output of exactly that is not above it."""
    outputs = np.array([[0.3]], np.float32)
    assert threshold(asked(1, threshold=0.3)) == 0.3 and above(outputs, 0.3).tolist() == [0]


UNDERSTOOD: dict[str, tuple[int, Any, list[int], str]] = {
    "numbers": (3, [0, 2, 1], [0, 2, 1], ""),
    "narrow": (3, np.array([0, 2, 1], np.uint8), [0, 2, 1], ""),
    "bool": (1, np.array([True, False]), [1, 0], "there is one output"),
    "column": (3, [[0], [2], [1]], [0, 2, 1], ""),
    "one-hot": (3, np.eye(3)[[0, 2, 1]], [0, 2, 1], "one 1 among 3"),
    "one-hot of one sigmoid": (1, np.eye(2)[[0, 1, 1]], [0, 1, 1], "one 1 among 2"),
    "whole floats": (3, np.array([0.0, 2.0, 1.0]), [0, 2, 1], "whole numbers, and there are 3 outputs"),
    "floats of one output": (1, np.array([[0.0], [1.0]]), [0, 1], "targets are 0 and 1"),
    "signs": (1, [-1, 1, 1], [0, 1, 1], "targets are -1 and 1"),
    "signs of two outputs": (2, [-1, 1, 1], [0, 1, 1], ""),
    "from 1": (3, [3, 1, 2], [2, 0, 1], ""),
}


@pytest.mark.parametrize(("elements", "targets", "expected", "reason"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_labels_that_can_mean_one_thing(elements: int, targets: Any, expected: list[int], reason: str) -> None:
    question = asked(elements, targets)
    why = claim(question)
    assert why is not None and reason in why and (why or not reason)
    found = labels(question)
    assert found.values is not None and found.values.tolist() == expected and found.values.dtype == np.int64


def test_a_reader_is_told_when_labels_were_moved() -> None:
    assert labels(asked(3, [3, 1, 2])).notes == (
        "labels of data set 'mine' 1 to 3 are taken for classes 0 to 2, the model's outputs",
    )
    assert "are of only 2 of 3 classes that model 'model' tells apart" in labels(asked(3, [1, 0])).notes[0]
    assert labels(asked(3, [1, 0], classes=("a", "b", "c"))).notes == (), "the data set names three"
    assert labels(asked(3, [2, 0], train_targets=np.array([0, 1, 2]))).notes == ()


@pytest.mark.parametrize(
    "targets",
    [[0.5, 1.5], [[0.1, 0.9]], [[1.0, 1.0, 0.0]], None, [0, 1, 2, 7]],
    ids=["fractions", "two fractions", "two of three", "nothing", "four of one output"],
)
def test_what_are_no_classes_is_not_claimed(targets: Any) -> None:
    assert claim(asked(1, targets)) is None
    assert claim(asked(12, [0, 1], shape=(3, 4))) is None, "a decision at each of 3 places"


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "too many": ({"targets": [0, 3]}, "data set 'mine' has 4 classes, model 'model' tells 3 apart", "count from 0"),
    "far too many": ({"targets": [0, 9]}, "has 10 classes, model 'model' tells 3 apart", "the model that was trained"),
    "too few names": (
        {"targets": [0, 1], "classes": ("a", "b")},
        "has 2 classes, model 'model' tells 3",
        "name all 3 classes in an array 'classes'",
    ),
    "unnamed": ({"targets": [0, 3], "classes": ("a", "b", "c")}, "hold label 3", "up to 2"),
    "negative": ({"targets": [0, -1, 2]}, "labels of data set 'mine' hold label -1", "number the classes 0, 1, 2"),
    "fractions": ({"targets": [0, 0.5]}, "hold 0.5, which is no class", 'kind = "regression"'),
    "several": ({"targets": [[1, 1, 0]]}, r"have shape \(1, 3\), and are not one-hot", "argmax"),
    "nothing": ({"targets": None}, "has no labels to classify by", "add y_test"),
    "places": ({"targets": [0, 1], "shape": (3, 4)}, r"answers \(3, 4\), more than one decision", 'kind = "none"'),
    "three of one sigmoid": ({"targets": [0, 1, 2], "shape": (1,)}, "has 3 classes, .* tells 2 apart", "0 and 1"),
    "one-hot of others": ({"targets": np.eye(4)}, "has 4 classes, model 'model' tells 3 apart", "check"),
    "gap from 1": (
        {"targets": [1, 3]},
        "has 4 classes, model 'model' tells 3 apart",
        "labels count from 0: the largest may be 2",
    ),
}


@pytest.mark.parametrize(("changes", "message", "hint"), REFUSED.values(), ids=REFUSED)
def test_refused_with_what_to_do(changes: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        labels(asked(**changes))
    assert caught.value.hint and hint in caught.value.hint
