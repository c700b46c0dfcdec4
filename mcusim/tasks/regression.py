"""Outputs + targets -> errors: each output is a number, and the target the number that it should be."""

import numpy as np

from mcusim.datasets.targets import are_whole
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.tasks.figure import Budget, Figure, Row
from mcusim.tasks.task import Answers, Asked, Scores, TaskLabels, far
from mcusim.tasks.worst import Wrong, furthest

NAME = "regression"
DECIDES = False
differs = far
_number = "{:.4g}".format


def claim(asked: Asked) -> str | None:
    targets = asked.targets
    if targets is None or asked.classes or targets.dtype.kind not in "buif" or targets.size != _wanted(asked):
        return None
    kind = "whole numbers" if are_whole(targets) else "real numbers"
    return f"targets are {kind}, as many as outputs ({asked.elements})"


def labels(asked: Asked) -> TaskLabels:
    """(N, elements) float64."""
    targets = asked.targets
    if targets is None:
        what = f"data set {asked.dataset!r} has no targets{asked.of} to compare with"
        raise DataError(what, hint='add y_test, or say [task] kind = "none"')
    if asked.classes:
        raise DataError(
            f"data set {asked.dataset!r} names classes{asked.of}, which are no numbers",
            hint="leave the array 'classes' out, or say [task] kind = \"classification\"",
        )
    if targets.size != _wanted(asked):
        raise DataError(
            f"targets{asked.of} of one sample have shape {targets.shape[1:]}, "
            f"model {asked.model!r} answers {asked.elements} numbers",
            hint=f"store targets of shape (N, {asked.elements})",
        )
    return TaskLabels(targets.reshape(len(targets), -1).astype(np.float64))


def _wanted(asked: Asked) -> int:
    return len(asked.targets if asked.targets is not None else ()) * asked.elements


def score(asked: Asked, answers: Answers) -> Scores:
    if answers.labels is None or not len(answers.labels):
        return Scores(numbers=dict.fromkeys(("mae", "rmse", "r2")))
    outputs, wanted = answers.outputs.astype(np.float64), answers.labels
    with np.errstate(over="ignore", invalid="ignore"):
        error = outputs - wanted
        numbers = {
            "mae": float(np.abs(error).mean()),
            "rmse": float(np.sqrt(np.square(error).mean())),
            "r2": _r2(error, wanted),
        }
        off = np.abs(error)
    return Scores(numbers=numbers, worst=_worst(off, outputs, wanted))


def _worst(off: Array, outputs: Array, wanted: Array) -> tuple[Wrong, ...]:
    """By the largest error of any of its outputs."""

    def told(row: int) -> tuple[str, str]:
        which = int(np.argmax(off[row]))
        of = f" (output {which})" if off.shape[1] > 1 else ""
        return f"{wanted[row, which]:.4g}{of}", f"{outputs[row, which]:.4g}"

    return furthest(off.max(axis=1), told)


def _r2(error: Array, wanted: Array) -> float | None:
    """Mean over the outputs whose targets are not all the same: of others nothing can be explained. None without any.

    Where every output's targets vary this is `sklearn.metrics.r2_score`.
    """
    spread = np.square(wanted - wanted.mean(axis=0)).sum(axis=0)
    varies = (wanted != wanted[:1]).any(axis=0)
    if not varies.any():
        return None
    return float(np.mean(1 - np.square(error).sum(axis=0)[varies] / spread[varies]))


FIGURES: tuple[Row, ...] = (
    Figure(
        "scores.mae",
        "regression: mean absolute error of the firmware's outputs against the targets, over samples and outputs",
        word="mean absolute error",
        heading="MAE",
        show=_number,
        better="lower",
        budget=Budget(
            "mae_max", "positive", lacks="mean absolute error", doc="mean absolute error, in the unit of the targets"
        ),
    ),
    Figure("scores_float.mae", "the same of the model before quantization", heading="float MAE", show=_number),
    Figure(
        "scores.rmse",
        "regression: root of the mean squared error, likewise",
        word="root mean squared error",
        better="lower",
        budget=Budget("rmse_max", "positive", lacks="root mean squared error", doc="root mean squared error, likewise"),
    ),
    Figure(
        "scores.r2",
        "regression: R2, the share of the targets' variance that is explained, mean over outputs whose targets vary; "
        "null when none does",
        word="R2",
        better="higher",
        budget=Budget("r2_min", "share", lacks="R2", doc="R2: 0.9", wanted="a number from 0 to 1, for example 0.9"),
    ),
)
