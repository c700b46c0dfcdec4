"""What outputs are worth: each scored by its task, and together what a gate should look at."""

from __future__ import annotations

import base64
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mcusim.line.score import Mismatch, Wanted, compare, score, scores_of_real
from mcusim.numbers.formats import Format
from mcusim.tasks import classification
from mcusim.tasks.figure import Figure
from mcusim.tasks.task import Answers, Asked, Judge, Scores, Task
from tests.tasks.asking import asked

POSITIONS = np.array([0, 10, 20])
Q4_4 = Format(8, 4)


def errors(asked: Asked, answers: Answers) -> Scores:
    """Mean and largest error of numbers whose label is another number, and a score that is better the higher it is."""
    assert answers.labels is not None
    off = np.abs(answers.outputs[:, 0] - answers.labels)
    return Scores(numbers={"mae": float(off.mean()), "worst": float(off.max()), "r2": float(1 - off.mean())})


REGRESSION = cast(
    Task,
    SimpleNamespace(
        NAME="regression",
        FIGURES=(Figure("scores.mae", "", better="lower"), Figure("scores.r2", "", better="higher")),
        score=errors,
        differs=lambda asked, outputs, expected: np.abs(outputs - expected).max(axis=1) > 0.1,
    ),
)


def classes(expected: Any, labels: Any, fmt: Format | None = None) -> Wanted:
    judge = Judge(classification, asked(len(expected[0])))
    return Wanted(judge, np.array(expected), fmt, np.array(labels))


def numbers(expected: Any, labels: Any, fmt: Format | None = None) -> Wanted:
    return Wanted(Judge(REGRESSION, asked(1)), expected, fmt, np.array(labels))


def test_floats_may_round_differently_but_must_decide_the_same() -> None:
    expected = np.array([[0.1, 0.9], [0.6, 0.4]], np.float32)
    outputs = expected + np.float32(1e-6)
    wrong, distance = compare(outputs, classes(expected, [1, 0]))
    assert not wrong.any() and distance == pytest.approx(1e-6, rel=0.1)
    outputs[1] = [0.4, 0.45]
    found = score({"": outputs}, {"": classes(expected, [1, 0])}, np.array([3, 4]))
    assert found.mismatches == 1 and found.first_mismatch is not None
    assert (found.first_mismatch.sample, found.first_mismatch.output) == (4, 0)
    assert found.first_mismatch.got == pytest.approx(0.4) and found.first_mismatch.expected == pytest.approx(0.6)


def bits(packed: str | None) -> list[int]:
    assert packed is not None
    return np.unpackbits(np.frombuffer(base64.b64decode(packed, validate=True), np.uint8)).tolist()


def test_each_sample_that_is_right_is_told_in_a_bit() -> None:
    outputs = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0, 1, 2, 0]]
    labels = [0, 1, 0, 0, 2, 2, 1, 1, 2, 0]
    found = score({"": outputs}, {"": classes(outputs, labels)}, np.arange(10))
    assert bits(found.right) == [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, *[0] * 6] and found.accuracy == 0.7


def test_what_no_label_decides_is_neither_right_nor_wrong() -> None:
    outputs = np.array([[0.5]], np.float32)
    assert score({"": outputs}, {"": numbers(outputs, [0.5])}, np.array([0])).right is None


def test_the_bits_of_very_many_samples_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.line.score.MOST_TOLD", 3)
    outputs = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    for count, told in ((3, [1, 1, 0, *[0] * 5]), (4, None)):
        some = score({"": outputs[:count]}, {"": classes(outputs[:count], [0, 1, 1, 1][:count])}, np.arange(count))
        assert (some.right and bits(some.right)) == told


def test_of_several_outputs_each_has_its_bits() -> None:
    answers = {"a": np.eye(2, dtype=np.float32), "b": np.eye(2, dtype=np.float32)}
    wanted = {"a": classes(answers["a"], [0, 1]), "b": classes(answers["b"], [1, 1])}
    found = score(answers, wanted, np.arange(2))
    assert found.right is None
    assert [bits(output.right)[:2] for output in found.outputs] == [[1, 1], [0, 1]]


@pytest.mark.parametrize("rubbish", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_are_mismatches_and_never_reach_the_report(rubbish: float) -> None:
    expected = np.array([[0.1, 0.9]], np.float32)
    outputs = np.array([[rubbish, 0.9]], np.float32)
    found = score({"": outputs}, {"": classes(expected, [1])}, np.array([0]))
    assert found.mismatches == 1 and found.output_difference_max is None
    assert found.first_mismatch is not None
    assert found.first_mismatch.output == 0 and found.first_mismatch.got is None


def test_a_task_gets_real_numbers_and_its_scores_are_named() -> None:
    outputs = np.array([[16], [8], [-24]], np.int8)
    wanted = numbers(outputs, [1.0, 0.75, -1.0], Q4_4)
    found = score({"": outputs}, {"": wanted}, POSITIONS)
    assert found.scores == {"mae": 0.25, "worst": 0.5, "r2": 0.75}
    assert (found.task, found.accuracy, found.confusion, found.mismatches) == ("regression", None, None, 0)


def test_a_score_that_is_no_number_is_none() -> None:
    outputs = np.array([[np.nan]], np.float32)
    found = score({"": outputs}, {"": numbers(outputs, [1.0])}, POSITIONS[:1])
    assert found.scores == {"mae": None, "worst": None, "r2": None}


def test_a_difference_of_what_float32_cannot_hold_is_none() -> None:
    """Of weights near the largest float."""
    expected = np.array([[100], [1]], np.int8)
    wrong, distance = compare(expected, classes(expected, [0, 0], Format(8, -130)))
    assert not wrong.any() and distance is None


def test_floats_differ_as_their_task_says() -> None:
    expected = np.array([[1.0], [2.0]], np.float32)
    wrong, _ = compare(expected + np.float32([[0.05], [0.2]]), numbers(expected, [0.0, 0.0]))
    assert wrong.tolist() == [False, True]


KIND = np.array([[9, 1], [0, 5], [1, 2]], np.int8)
PLACE = np.array([[0.1, 0.9, 0.0], [0.6, 0.4, 0.0], [0.0, 0.1, 0.9]], np.float32)


def test_of_several_outputs_each_is_told_and_the_worst_is_the_runs() -> None:
    wrong_place = PLACE.copy()
    wrong_place[2] = [0.0, 0.9, 0.5]
    wanted = {"kind": classes(KIND, [0, 1, 1], Q4_4), "place": classes(PLACE, [1, 0, 2])}
    found = score({"kind": KIND, "place": wrong_place}, wanted, POSITIONS)
    kind, place = found.outputs
    assert (kind.name, kind.accuracy, kind.mismatches, kind.output_difference_max) == ("kind", 1.0, 0, 0.0)
    assert (place.name, place.accuracy, place.mismatches) == ("place", pytest.approx(2 / 3), 1)
    assert place.confusion == ((1, 0, 0), (0, 1, 0), (0, 1, 0))
    assert found.accuracy == place.accuracy and found.mismatches == 1 and found.confusion is None
    assert found.output_difference_max == place.output_difference_max == pytest.approx(0.8)
    assert found.task == "classification" and found.scores["recall_worst"] == 0.0
    assert found.classes == () and len(place.classes) == 3 and kind.scores["recall_worst"] == 1.0
    assert found.first_mismatch is not None
    assert (found.first_mismatch.sample, found.first_mismatch.output) == (20, 2 + 1), "counted through all outputs"


def test_a_sample_that_is_wrong_in_two_outputs_is_one_mismatch() -> None:
    wanted = {"kind": classes(KIND, [0, 1, 1], Q4_4), "place": classes(PLACE, [1, 0, 2])}
    found = score({"kind": KIND[::-1], "place": PLACE[::-1]}, wanted, POSITIONS)
    assert [output.mismatches for output in found.outputs] == [2, 2] and found.mismatches == 2
    assert found.first_mismatch == Mismatch(0, 0, 9, 1), "of the first output that is wrong"


def test_the_worst_of_a_score_is_what_its_row_says() -> None:
    near, far = np.array([[16], [16]], np.int8), np.array([[24], [16]], np.int8)
    labels = np.array([1.0, 1.0])
    wanted = {"near": numbers(near, labels, Q4_4), "far": numbers(far, labels, Q4_4)}
    wanted |= {"kind": classes(KIND[:2], [0, 1], Q4_4)}
    found = score({"far": far, "near": near, "kind": KIND[:2]}, wanted, POSITIONS[:2])
    told = {name: found.scores[name] for name in ("mae", "worst", "r2", "f1_macro")}
    assert told == {"mae": 0.25, "worst": 0.5, "r2": 0.75, "f1_macro": 1.0}, "the last is the classifier's"
    assert found.accuracy == 1.0 and found.task == "regression, classification"


def test_the_float_model_is_scored_alike() -> None:
    wanted = {"kind": classes(KIND, [0, 1, 1], Q4_4), "near": numbers(np.zeros((3, 1), np.int8), [1.0, 1.0, 1.0], Q4_4)}
    of_float = {"kind": KIND.astype(np.float32), "near": np.full((3, 1), 0.5, np.float32)}
    accuracy, scores = scores_of_real({name: replace(wanted[name], expected=of_float[name]) for name in wanted})
    assert accuracy == 1.0 and scores["mae"] == 0.5 and scores["f1_macro"] == 1.0
    accuracy, scores = scores_of_real({"": replace(wanted["near"], expected=of_float["near"])})
    assert accuracy is None and scores == {"mae": 0.5, "worst": 0.5, "r2": 0.5}


def test_wanted_of_some_samples() -> None:
    some = replace(classes(KIND, [0, 1, 1], Q4_4), samples=PLACE).at(np.array([2, 0]))
    assert some.expected.tolist() == [[1, 2], [9, 1]] and some.labels is not None and some.labels.tolist() == [1, 0]
    assert some.samples is not None and len(some.samples) == 2 and some.of_float is None
