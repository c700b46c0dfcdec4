"""Samples + what the model makes of them + labels -> AUC: what an autoencoder cannot repeat is taken for anomalous.

The score of a sample is the mean squared difference between the model's input (normalized) and its output, as in the
benchmark "anomaly detection" of MLPerf Tiny (reference code: github.com/mlcommons/tiny).
"""

from collections.abc import Sequence

import numpy as np

from mcusim.datasets.targets import class_numbers
from mcusim.system.arrays import Array, Labels
from mcusim.system.errors import DataError
from mcusim.tasks.figure import Budget, Figure, Row
from mcusim.tasks.task import SAMPLES, Answers, Asked, Scores, TaskLabels, far
from mcusim.tasks.worst import Wrong, furthest

NAME = "anomaly"
DECIDES = False
differs = far
MAX_FPR = 0.1
NORMAL = ("0", "normal", "ok", "okay", "good", "healthy", "nominal", "regular", "pass")
_rate = "{:.4f}".format


def claim(asked: Asked) -> str | None:
    if not asked.tells_anomalies:
        return None
    told = "there are no labels" if asked.targets is None else "labels are 0 and 1"
    return f"the output has the shape of the input, and {told}"


def labels(asked: Asked) -> TaskLabels:
    """(N,) int64: 0 normal, 1 anomalous."""
    if not asked.repeats_its_input:
        raise DataError(
            f"model {asked.model!r} takes {' and '.join(map(str, asked.inputs))} and answers {asked.shape}{asked.of}",
            hint="anomalies are found by a model that repeats its only input; say another [task] kind",
        )
    if asked.targets is None:
        return TaskLabels(None, uses=(SAMPLES,))
    values = anomalous(asked.targets, asked.classes, f"labels{asked.of} of data set {asked.dataset!r}", asked.of)
    return TaskLabels(values, uses=(SAMPLES,))


def anomalous(targets: Array, classes: Sequence[str], name: str, of: str = "") -> Labels:
    """(N,) int64: 0 normal, 1 anomalous. DataError where `targets`, called `name`, may mean another thing."""
    if classes and classes[0].lower() not in NORMAL:
        told = ", ".join(map(repr, classes[:3]))
        hint = "store 0 for normal and 1 for anomalous, without names"
        raise DataError(f"classes{of} are {told}: it is not known which one is normal", hint=hint)
    return class_numbers(targets, name, 2)


def score(asked: Asked, answers: Answers) -> Scores:
    if answers.samples is None:
        return Scores()
    scores = reconstruction_errors(answers.samples, answers.outputs)
    numbers: dict[str, float | None] = {"anomaly_score_mean": float(scores.mean()) if len(scores) else None}
    if answers.of_float is not None:
        of_float = reconstruction_errors(answers.samples, answers.of_float)
        numbers["score_correlation"] = correlation(scores, of_float)
    if answers.labels is not None:
        numbers |= {"auc": auc(scores, answers.labels), "pauc": auc(scores, answers.labels, MAX_FPR)}
    return Scores(numbers=numbers, worst=() if answers.labels is None else _worst(scores, answers.labels.astype(bool)))


def _worst(scores: Array, positive: Array) -> tuple[Wrong, ...]:
    """By the share of the samples of the other kind that it is ranked on the wrong side of."""
    if positive.all() or not positive.any() or np.isnan(scores).any():
        return ()
    normal, anomalous = np.sort(scores[~positive]), np.sort(scores[positive])
    beaten = np.searchsorted(anomalous, scores, "left") / len(anomalous)
    beating = (len(normal) - np.searchsorted(normal, scores, "right")) / len(normal)
    kinds = ("normal", "anomalous")
    return furthest(
        np.where(positive, beating, beaten), lambda row: (kinds[int(positive[row])], f"score {scores[row]:.4g}")
    )


def reconstruction_errors(samples: Array, outputs: Array) -> Array:
    """Samples (N, *shape) and outputs (N, elements) -> mean squared differences (N,) float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        off = samples.reshape(outputs.shape).astype(np.float64) - outputs
        errors: Array = np.square(off).mean(axis=1)
    return errors


def correlation(one: Array, other: Array) -> float | None:
    """Pearson's. None where one of them does not vary, or is no number."""
    if len(one) < 2 or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return None
    if (one == one[0]).all() or (other == other[0]).all():
        return None
    return float(np.corrcoef(one, other)[0, 1])


FIGURES: tuple[Row, ...] = (
    Figure(
        "scores.auc",
        "anomaly: area under the ROC curve of the samples' scores, the mean squared differences of input and output; "
        "null without labels of both kinds",
        word="AUC",
        heading="AUC",
        show=_rate,
        better="higher",
        budget=Budget("auc_min", "share", lacks="AUC", doc="area under the ROC curve: 0.85"),
    ),
    Figure("scores_float.auc", "the same of the model before quantization"),
    Figure(
        "scores.pauc",
        f"anomaly: the area up to a rate of false alarms of {MAX_FPR}, standardized (McClish): 0.5 is chance",
        word="partial AUC",
        better="higher",
        budget=Budget("pauc_min", "share", lacks="partial AUC", doc=f"the part of it up to {MAX_FPR} false alarms"),
    ),
    Figure("scores.anomaly_score_mean", "anomaly: mean of the samples' scores", word="mean anomaly score"),
    Figure(
        "scores.score_correlation",
        "anomaly: correlation (Pearson) of the samples' scores with those of the model before quantization",
        word="correlation of scores",
        heading="score corr",
        show=_rate,
        better="higher",
        budget=Budget(
            "score_correlation_min",
            "share",
            lacks="scores to correlate",
            doc="correlation of anomaly scores with the float model's: 0.97",
        ),
    ),
)


def auc(scores: Array, positive: Array, max_fpr: float = 1.0) -> float | None:
    """Area under the ROC curve; equal scores make a slope. As `sklearn.metrics.roc_auc_score`.

    `max_fpr` below 1: the part up to there, standardized so that 0.5 is chance and 1 perfect (McClish, "Analyzing a
    portion of the ROC curve", 1989). None without both kinds of samples, or when a score is NaN.
    """
    positive = positive.astype(bool)
    if positive.all() or not positive.any() or np.isnan(scores).any():
        return None
    false_alarms, hits = _curve(scores, positive)
    if max_fpr == 1.0:
        return _area(false_alarms, hits)
    inside = int(np.searchsorted(false_alarms, max_fpr, "right"))
    cut = np.interp(max_fpr, false_alarms[inside - 1 : inside + 1], hits[inside - 1 : inside + 1])
    part = _area(np.append(false_alarms[:inside], max_fpr), np.append(hits[:inside], cut))
    chance, perfect = 0.5 * max_fpr**2, max_fpr
    return float(0.5 * (1 + (part - chance) / (perfect - chance)))


def _curve(scores: Array, positive: Array) -> tuple[Array, Array]:
    """Rates of false alarms and of hits at each threshold, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    ranked, is_hit = scores[order], positive[order]
    last_of_equals = np.append(ranked[1:] != ranked[:-1], True)
    hits, false_alarms = np.cumsum(is_hit)[last_of_equals], np.cumsum(~is_hit)[last_of_equals]
    return np.append(0.0, false_alarms / false_alarms[-1]), np.append(0.0, hits / hits[-1])


def _area(x: Array, y: Array) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)
