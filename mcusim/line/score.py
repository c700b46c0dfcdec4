"""Answers + what was wanted -> Scored: what the outputs of a run are worth. Each is scored by its task.

What was wanted is `Graph.run()` of the same samples, which the firmware should have computed exactly, and the labels.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mcusim.system.arrays import Array
from mcusim.tasks.figure import Figure
from mcusim.tasks.task import Answers, ClassScores, Judge, Scores, Task

MOST_TOLD = 100_000  # samples of which each is told whether it is right: 17 KB of a report


class Decoding(Protocol):
    """What integers stand for: any Numbers do."""

    def decode(self, q: Array) -> Array:
        """Stored integers -> reals, float32."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """Of one output and N samples: `expected` (N, elements), raw integers of `numbers` or floats, and who judges.

    `labels`, `samples` and `of_float` as in `Answers`.
    """

    judge: Judge
    expected: Array
    numbers: Decoding | None = None
    labels: Array | None = None
    samples: Array | None = None
    of_float: Array | None = None

    def at(self, positions: Array) -> "Wanted":
        """Of some of the samples."""
        labels, samples, of_float = (
            None if part is None else part[positions] for part in (self.labels, self.samples, self.of_float)
        )
        return Wanted(self.judge, self.expected[positions], self.numbers, labels, samples, of_float)

    def score(self, real: Array) -> Scores:
        """`real` (N, elements): what was answered, in real numbers."""
        return self.judge.score(Answers(real, self.labels, self.samples, self.of_float))


@dataclass(frozen=True)
class Mismatch:
    """The first output that is not the expected one. Integers are the raw numbers; None stands for NaN or infinity.

    `output` counts the elements of all outputs, in their order.
    """

    sample: int
    output: int
    expected: int | float | None
    got: int | float | None


@dataclass(frozen=True)
class WorstSample:
    """A sample of the test set, by its index, that is answered otherwise than its label, `by` so much."""

    sample: int
    label: str
    answered: str
    by: float


@dataclass(frozen=True)
class OutputFigures:
    """One output. As the figures of the same names in Scored."""

    name: str
    task: str
    accuracy: float | None
    scores: Mapping[str, float | None]
    mismatches: int
    output_difference_max: float | None
    confusion: tuple[tuple[int, ...], ...] | None
    classes: tuple[ClassScores, ...] = ()
    right: str | None = None
    worst: tuple[WorstSample, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Of all outputs. Where there are several, `outputs` has each, and the scores are the worst of them."""

    task: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    accuracy: float | None = None
    right: str | None = None
    mismatches: int | None = None
    first_mismatch: Mismatch | None = None
    output_difference_max: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    classes: tuple[ClassScores, ...] = ()
    worst: tuple[WorstSample, ...] = ()
    outputs: tuple[OutputFigures, ...] = ()

    @property
    def worst_samples(self) -> Sequence[int]:
        """Of all outputs, by their index in the test set."""
        return [one.sample for worst in (self.worst, *(output.worst for output in self.outputs)) for one in worst]


def score(answers: Mapping[str, Array], wanted: Mapping[str, Wanted], positions: Array) -> Scored:
    """`answers`: (N, elements) of each output by name, in the order of the answer; at least one.

    `positions` (N,) are the samples' indices in the test set.
    """
    compared = {name: compare(outputs, wanted[name]) for name, outputs in answers.items()}
    wrong = {name: entry for name, (entry, _) in compared.items()}
    figures = tuple(
        _figures(name, outputs, wanted[name], positions, *compared[name]) for name, outputs in answers.items()
    )
    several, tasks = len(figures) > 1, [wanted[name].judge.task for name in answers]
    return Scored(
        task=", ".join(dict.fromkeys(output.task for output in figures)),
        scores=worst_scores([output.scores for output in figures], tasks) if several else figures[0].scores,
        accuracy=_worst([output.accuracy for output in figures if output.accuracy is not None], higher_is_better=True),
        mismatches=int(np.any(list(wrong.values()), axis=0).sum()),
        first_mismatch=_first(wrong, answers, wanted, positions),
        output_difference_max=_worst([output.output_difference_max for output in figures], higher_is_better=False),
        right=None if several else figures[0].right,
        confusion=None if several else figures[0].confusion,
        classes=() if several else figures[0].classes,
        worst=() if several else figures[0].worst,
        outputs=figures if several else (),
    )


def _figures(
    name: str, outputs: Array, wanted: Wanted, positions: Array, wrong: Array, distance: float | None
) -> OutputFigures:
    scores = wanted.score(outputs if wanted.numbers is None else wanted.numbers.decode(outputs))
    return OutputFigures(
        name=name,
        task=wanted.judge.task.NAME,
        accuracy=scores.accuracy,
        scores=_told(scores),
        mismatches=int(wrong.sum()),
        output_difference_max=distance,
        confusion=scores.confusion,
        classes=scores.classes,
        right=_packed(scores.right),
        worst=tuple(WorstSample(int(positions[one.row]), one.label, one.answered, one.by) for one in scores.worst),
    )


def _packed(right: Array | None) -> str | None:
    """(N,) bool -> a bit for each."""
    if right is None or len(right) > MOST_TOLD:
        return None
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def _told(scores: Scores) -> dict[str, float | None]:
    return {key: None if number is None else _finite(number) for key, number in scores.numbers.items()}


def _worst(values: Sequence[float | None], *, higher_is_better: bool) -> float | None:
    """None when one of them is not known, or there is none."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return min(known) if higher_is_better else max(known)


def worst_scores(each: Sequence[Mapping[str, float | None]], tasks: Sequence[Task]) -> dict[str, float | None]:
    """Scores of several outputs -> of each score the worst; None when one is not known."""
    rising = {row.key for task in tasks for row in task.FIGURES if isinstance(row, Figure) and row.better == "higher"}
    gathered: dict[str, list[float | None]] = {}
    for scores in each:
        for name, number in scores.items():
            gathered.setdefault(name, []).append(number)
    return {name: _worst(values, higher_is_better=f"scores.{name}" in rising) for name, values in gathered.items()}


def scores_of_real(wanted: Mapping[str, Wanted]) -> tuple[float | None, dict[str, float | None]]:
    """What the model of `expected` is worth, real numbers: accuracy and scores, of several outputs the worst."""
    found = [entry.judge.score(Answers(entry.expected, entry.labels, entry.samples)) for entry in wanted.values()]
    told = [_told(scores) for scores in found]
    accuracy = min((scores.accuracy for scores in found if scores.accuracy is not None), default=None)
    several = len(found) > 1
    return accuracy, worst_scores(told, [entry.judge.task for entry in wanted.values()]) if several else told[0]


def compare(outputs: Array, wanted: Wanted) -> tuple[Array, float | None]:
    """Which samples are wrong (N,), and the largest difference of any element in real units, None when not finite.

    Integers are wrong when any element differs. Floats are wrong when their task says that they differ, or when one is
    not finite where a finite one was expected: both sides round on their own.
    """
    expected = wanted.expected
    if wanted.numbers is not None:
        with np.errstate(invalid="ignore"):  # huge weights: real numbers that float32 does not have
            difference = wanted.numbers.decode(outputs).astype(np.float64) - wanted.numbers.decode(expected)
        return (outputs != expected).any(axis=1), _finite(float(np.abs(difference).max(initial=0.0)))
    broken = np.isfinite(outputs) != np.isfinite(expected)
    wrong = wanted.judge.differs(outputs, expected) | broken.any(axis=1)
    if broken.any() or not np.isfinite(expected).all():
        return wrong, None
    difference = outputs.astype(np.float64) - expected.astype(np.float64)
    return wrong, float(np.abs(difference).max(initial=0.0))


def _first(
    wrong: Mapping[str, Array], answers: Mapping[str, Array], wanted: Mapping[str, Wanted], positions: Array
) -> Mismatch | None:
    """Of the first wrong sample, the element that is furthest off (integers: the first that differs)."""
    places = [(int(np.argmax(entry)), order) for order, entry in enumerate(wrong.values()) if entry.any()]
    if not places:
        return None
    row, order = min(places)
    names = list(answers)
    before = sum(answers[name].shape[1] for name in names[:order])
    got, want = answers[names[order]][row], wanted[names[order]].expected[row]
    if wanted[names[order]].numbers is not None:
        column = int(np.argmax(got != want))
    else:
        with np.errstate(invalid="ignore"):
            off = np.abs(got.astype(np.float64) - want)
        column = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
    return Mismatch(int(positions[row]), before + column, _finite(want[column].item()), _finite(got[column].item()))


def _finite(number: Any) -> Any:
    """A number as JSON has it."""
    return number if np.isfinite(number) else None
