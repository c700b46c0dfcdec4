"""What a task is: a module that scores outputs, and brings the figures that it scores them with."""

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from mcusim.datasets.targets import column
from mcusim.system.arrays import Array, without_ones
from mcusim.tasks.figure import Row
from mcusim.tasks.worst import Wrong

SAMPLES = "samples"
FLOAT_TOLERANCE = 1e-4  # of the largest number expected: float32 sums in another order differ by some 1e-6 of it


@dataclass(frozen=True, eq=False)
class Asked:
    """What is known of one output: of the model that answers, and of the data set that tells what it should answer.

    `output` is "" for an only one. `end`: kind of the layer that makes it, "Softmax" also when that was dropped.
    `inputs`: shapes of the model's. `targets` are those of the test samples, (N,) or (N, *shape), `train_targets` those
    of the training samples; None where there are none. `classes`: their names, empty where nobody named them.
    `threshold` and `top_k` are the user's, None when not given.
    """

    model: str
    dataset: str
    output: str
    shape: tuple[int, ...]
    end: str
    inputs: tuple[tuple[int, ...], ...]
    targets: Array | None = None
    train_targets: Array | None = None
    classes: tuple[str, ...] = ()
    threshold: float | None = None
    top_k: int | None = None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def of(self) -> str:
        """` of 'name'`, for sentences; nothing for an only output."""
        return f" of {self.output!r}" if self.output else ""

    @property
    def repeats_its_input(self) -> bool:
        """An only input has the shape of the output, but for axes of length 1: an autoencoder does."""
        return len(self.inputs) == 1 and without_ones(self.inputs[0]) == without_ones(self.shape)

    @property
    def tells_anomalies(self) -> bool:
        """It seems to be an autoencoder: no labels, or labels 0 and 1 that are too few to be classes of its outputs."""
        if not self.repeats_its_input or self.end == "Softmax":
            return False
        seen = [column(y) for y in (self.targets, self.train_targets) if y is not None]
        has_two = all(y.ndim == 1 and y.dtype.kind in "buif" and np.isin(y, (0, 1)).all() for y in seen)
        return self.targets is None or (has_two and self.elements > 2 and len(self.classes) in (0, 2))


@dataclass(frozen=True, eq=False)
class Answers:
    """N answers of one output, as real numbers (N, elements), any of them NaN or infinite, and what belongs to them.

    `labels` are what the task made of the targets, None without. `samples` (N, *shape) are as the model saw them, None
    when it has several inputs, or the task has no use for them. `of_float`: what the model answered before it was
    quantized. N may be 0.
    """

    outputs: Array
    labels: Array | None = None
    samples: Array | None = None
    of_float: Array | None = None


@dataclass(frozen=True)
class ClassScores:
    """Of one class: how many samples are of it; shares, None where there is nothing to divide by."""

    name: str
    samples: int
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True, eq=False)
class Scores:
    """What outputs are worth; None where there is nothing to tell.

    `accuracy`, `confusion` and `classes` are keys of a run. `numbers` are whatever else the task has: its rows are
    called `scores.<name>`, and the report keeps them in `scores`. `right` (N,) bool: samples that are decided as
    labelled, where `accuracy` is their share. `worst`: of those that are answered otherwise, the furthest off.
    """

    accuracy: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    classes: tuple[ClassScores, ...] = ()
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    right: Array | None = None
    worst: tuple[Wrong, ...] = ()


@dataclass(frozen=True, eq=False)
class TaskLabels:
    """Targets as a task wants them, (N, ..), and what a reader should know of how they were understood.

    `uses`: the options among those of `Asked` (threshold, top_k) that scores depend on, and SAMPLES: a task that does
    not say so is given none of these.
    """

    values: Array | None
    notes: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


class Task(Protocol):
    """A module with these names. `FIGURES`: the rows of the report that it fills, best known first.

    `DECIDES`: only the order of an output's numbers matters, so that a softmax at its end can be left out.
    """

    NAME: str
    DECIDES: bool
    FIGURES: tuple[Row, ...]

    def claim(self, asked: Asked) -> str | None:
        """Why an output should be scored by this task, when nobody has said; None when it should not.

        The first of `TASKS` that claims an output has it.
        """

    def labels(self, asked: Asked) -> TaskLabels:
        """The targets as `score` wants them. DataError when the output cannot answer for them."""

    def score(self, asked: Asked, answers: Answers) -> Scores:
        """What they are worth."""

    def differs(self, asked: Asked, outputs: Array, expected: Array) -> Array:
        """Which samples (N,) are answered otherwise than expected: floats (N, elements) that were rounded on their own.

        Integers are not asked about: they have to be equal.
        """


@dataclass(frozen=True, eq=False)
class Judge:
    """A task, set for one output and its targets. `labels` are those of all test samples."""

    task: Task
    asked: Asked
    labels: Array | None = None
    notes: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()

    def score(self, answers: Answers) -> Scores:
        return self.task.score(self.asked, answers)

    @property
    def alone(self) -> "Judge":
        """Without the targets of all samples: enough to score answers that come with their labels."""
        return replace(self, asked=replace(self.asked, targets=None, train_targets=None), labels=None)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, which has the same modules."""
        module = getattr(self.task, "__name__", "")
        return _judge, (module, self.asked, self.labels, self.notes, self.uses)

    def differs(self, outputs: Array, expected: Array) -> Array:
        return self.task.differs(self.asked, outputs, expected)


def _judge(module: str, *known: Any) -> Judge:
    task: Any = importlib.import_module(module)
    return Judge(task, *known)


def far(asked: Asked, outputs: Array, expected: Array) -> Array:
    """`Task.differs` of tasks that decide nothing: a number is further off than rounding in float32 explains."""
    with np.errstate(invalid="ignore"):
        largest = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
        close = np.isclose(outputs, expected, rtol=0.0, atol=FLOAT_TOLERANCE * float(largest), equal_nan=True)
    return np.asarray(~close.all(axis=1))
