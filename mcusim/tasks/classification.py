"""Outputs + labels -> accuracy: each sample is of one class. The largest output decides, an only one by a threshold."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcusim.datasets.targets import MOST_CLASSES, are_whole, class_numbers, column, is_one_hot
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.tasks.class_scores import confusion_of, overall, scores_of_classes
from mcusim.tasks.figure import Budget, Figure, Row, Value, percent
from mcusim.tasks.task import Answers, Asked, Scores, TaskLabels
from mcusim.tasks.worst import Wrong, furthest

NAME = "classification"
DECIDES = True
LARGEST_CONFUSION = 256  # classes; a larger matrix would be most of the report
PROBABILITIES = ("Sigmoid", "HardSigmoid", "Softmax", "ReLU", "ReLU6")  # and what is meant for one: 0.5 is undecided


def claim(asked: Asked) -> str | None:
    """Class names, or whole numbers that are no targets for each output."""
    y = asked.targets
    if y is None or asked.tells_anomalies:
        return None
    if asked.classes:
        return ""
    if not are_whole(y) or _decides_often(asked):
        return None
    if is_one_hot(y):
        return f"each target has one 1 among {y.shape[1]} numbers"
    if column(y).ndim > 1:
        return None
    if asked.elements > 1:
        return "" if y.dtype.kind in "bui" else f"targets are whole numbers, and there are {asked.elements} outputs"
    if asked.end in PROBABILITIES or np.isin(y, (0, 1)).all() or np.isin(y, (-1, 1)).all():
        return "there is one output, and targets are " + " and ".join(f"{value:g}" for value in np.unique(y)[:3])
    return None


def labels(asked: Asked) -> TaskLabels:
    """(N,) int64, class numbers from 0."""
    if asked.targets is None:
        what = f"data set {asked.dataset!r} has no labels{asked.of} to classify by"
        raise DataError(what, hint='add y_test, or say [task] kind = "none"')
    if _decides_often(asked):
        what = f"model {asked.model!r} answers {asked.shape}{asked.of}, more than one decision for a sample"
        raise DataError(what, hint='say [task] kind = "none", or give a model with an output for each class')
    parts = [y for y in (asked.targets, asked.train_targets) if y is not None]
    if asked.classes:
        _check_classes(asked, len(asked.classes))
    numbered, notes = _numbered(asked, parts)
    _check_classes(asked, max(int(y.max(initial=0)) for y in numbered) + 1)
    notes += _few(asked, numbered) + _rule(asked)
    return TaskLabels(numbered[0], tuple(notes), ("top_k",) if asked.elements > 1 else ("threshold",))


def _decides_often(asked: Asked) -> bool:
    """At each place of a map or a sequence; unless the data set names as many classes."""
    return sum(size > 1 for size in asked.shape) > 1 and len(asked.classes) != asked.elements


def _numbered(asked: Asked, parts: list[Array]) -> tuple[list[Array], list[str]]:
    """Class numbers from 0 of test and training targets. -1 and 1, and 1 to the number of outputs, mean one thing."""
    seen = np.unique(np.concatenate([np.unique(column(y)) for y in parts if column(y).ndim == 1] or [np.zeros(0)]))
    name = f"labels{asked.of} of data set {asked.dataset!r}"
    if asked.elements <= 2 and seen.tolist() == [-1, 1]:
        return [(column(y) > 0).astype(np.int64) for y in parts], [f"{name} -1 and 1 are taken for classes 0 and 1"]
    count = len(asked.classes) or MOST_CLASSES
    numbered = [class_numbers(y, name, count) for y in parts]
    if not asked.classes and asked.elements > 1 and seen.tolist() == list(range(1, asked.elements + 1)):
        told = f"{name} 1 to {asked.elements} are taken for classes 0 to {asked.elements - 1}, the model's outputs"
        return [y - 1 for y in numbered], [told]
    return numbered, []


def _check_classes(asked: Asked, found: int) -> None:
    """An element for each class, or one for two."""
    apart, named = max(2, asked.elements), len(asked.classes)
    if named == apart or (found <= apart and not named):
        return
    have = f"data set {asked.dataset!r} has {found} classes{asked.of}"
    hint = "check the data set, or choose the model that was trained on it"
    if asked.elements == 1 and not named:
        hint = 'number two classes 0 and 1; targets that are numbers are [task] kind = "regression"'
    elif named and named < apart:
        hint = f"name all {apart} classes in an array 'classes', in the order of the model's outputs; or {hint}"
    elif not named:
        hint = f"labels count from 0: the largest may be {apart - 1}, and is {found - 1}; {hint}"
    raise DataError(f"{have}, model {asked.model!r} tells {apart} apart", hint=hint)


def _few(asked: Asked, numbered: list[Array]) -> list[str]:
    """Classes that no sample is of; many, and the data is another's."""
    seen = len(np.unique(np.concatenate(numbered)))
    if asked.classes or seen == max(2, asked.elements):
        return []
    are = f"{seen} of {max(2, asked.elements)} classes that model {asked.model!r} tells apart"
    return [f"labels{asked.of} are of only {are}"]


def _rule(asked: Asked) -> list[str]:
    """How an only output decides."""
    if asked.elements > 1:
        return []
    limit = threshold(asked)
    what = f"the output of {asked.end}" if asked.end in PROBABILITIES else "the output, taken for a logit,"
    more = f", a probability of {_sigmoid(limit):.3g}" if limit and asked.end not in PROBABILITIES else ""
    return [f"class 1 is decided where {what} is above {limit:g}{more} ([task] threshold)"]


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-max(min(x, 500.0), -500.0))))


def threshold(asked: Asked) -> float:
    """Of an only output: above it is class 1."""
    if asked.threshold is not None:
        return asked.threshold
    return 0.5 if asked.end in PROBABILITIES else 0.0


def score(asked: Asked, answers: Answers) -> Scores:
    outputs, wanted = answers.outputs, answers.labels
    if wanted is None:
        return Scores()
    names = asked.classes or tuple(map(str, range(max(2, asked.elements))))
    chosen, shown = decided(asked, outputs), len(names) <= LARGEST_CONFUSION
    right = chosen == wanted
    classes = scores_of_classes(chosen, wanted, names)
    numbers = overall(classes)
    if asked.top_k is not None and asked.elements > 1:
        numbers["top_k_accuracy"] = _top_k(outputs, wanted, asked.top_k) if len(wanted) else None
    return Scores(
        accuracy=float(np.mean(right)) if len(wanted) else None,
        confusion=tuple(map(tuple, confusion_of(chosen, wanted, len(names)).tolist())) if shown else None,
        classes=classes if shown else (),
        numbers=numbers,
        right=right,
        worst=_worst(asked, outputs, wanted, chosen, names),
    )


def _worst(asked: Asked, outputs: Array, wanted: Array, chosen: Array, names: Sequence[str]) -> tuple[Wrong, ...]:
    """By how much the output of the decided class is above that of the label; an only one is beyond its threshold."""
    reals, rows = outputs.astype(np.float64), np.arange(len(wanted))
    with np.errstate(invalid="ignore"):
        if asked.elements == 1:
            by = np.abs(reals[:, 0] - threshold(asked))
        else:
            by = reals[rows, chosen] - reals[rows, wanted]
    return furthest(np.where(chosen == wanted, 0.0, by), lambda row: (names[wanted[row]], names[chosen[row]]))


def differs(asked: Asked, outputs: Array, expected: Array) -> Array:
    """Another class is decided."""
    wrong: Array = decided(asked, outputs) != decided(asked, expected)
    return wrong


def decided(asked: Asked, outputs: Array) -> Array:
    """Class of each sample (N, elements) -> (N,)."""
    return decide(outputs) if asked.elements > 1 else above(outputs, threshold(asked))


def decide(outputs: Array) -> Array:
    """Class of each sample (N, outputs) -> (N,); of equal outputs the first counts. NaN never wins."""
    chosen: Array = np.argmax(np.where(np.isnan(outputs), -np.inf, outputs), axis=1)
    return chosen


def above(outputs: Array, limit: float) -> Array:
    """1 where the only output (N, 1) is above the limit, in float32 as it is computed. NaN is not."""
    chosen: Array = (outputs[:, 0] > np.float32(limit)).astype(np.int64)
    return chosen


def _top_k(outputs: Array, labels: Array, k: int) -> float:
    """Share of samples whose label is among the k largest outputs; of equal ones the first count, as in `decide`."""
    ranked = np.argsort(-np.where(np.isnan(outputs), -np.inf, outputs), axis=1, kind="stable")[:, :k]
    return float(np.mean((ranked == labels[:, None]).any(axis=1)))


def _drop(run: Any) -> Value:
    if run.accuracy is None or run.accuracy_float is None:
        return None
    return round(float(run.accuracy_float - run.accuracy), 12)  # 0.95 - 0.948 is not quite 0.002


def _share(key: str, doc: str, word: str, budget: str, limit: str) -> Figure:
    """A score that is a share, with a budget."""
    wanted = "a share from 0 to 1, for example 0.9"
    told = Budget(budget, "share", lacks=word, doc=limit, wanted=wanted)
    return Figure(key, doc, unit="share", word=word, show=percent, better="higher", budget=told)


FIGURES: tuple[Row, ...] = (
    Figure(
        "accuracy",
        "of these samples, those that the firmware's outputs decide to be of the class of the label: the largest "
        "output counts, an only one against a threshold",
        unit="share",
        word="accuracy",
        heading="accuracy %",
        show=percent,
        better="higher",
        budget=Budget(
            "accuracy_min",
            "share",
            lacks="accuracy",
            doc="share of test samples: 0.93",
            wanted="a share from 0 to 1, for example 0.915",
        ),
    ),
    Figure(
        "accuracy_float",
        "the same of the model before quantization, computed in NumPy",
        unit="share",
        heading="float %",
        show=percent,
        better="higher",
    ),
    Figure(
        "accuracy_drop",
        "`accuracy_float - accuracy`",
        unit="share",
        word="accuracy drop",
        better="lower",
        junit=False,
        of=_drop,
        budget=Budget(
            "accuracy_drop_max",
            "share",
            lacks="accuracy to compare with the float model's",
            doc="share lost against the model before quantization: 0.002 is 0.2 points",
            wanted="a share from 0 to 1, for example 0.002",
        ),
    ),
    _share(
        "scores.balanced_accuracy",
        "classification: mean of the recalls of the classes that there are samples of",
        "balanced accuracy",
        "balanced_accuracy_min",
        "mean of the classes' recalls",
    ),
    _share(
        "scores.f1_macro",
        "classification: mean F1 of the classes that are in labels or decisions",
        "F1",
        "f1_min",
        "mean of the classes' F1",
    ),
    _share(
        "scores.recall_worst",
        "classification: smallest recall of a class that there are samples of",
        "recall of the worst class",
        "recall_min",
        "recall of each class: 0.8 means that no class is found less often",
    ),
    _share(
        "scores.top_k_accuracy",
        "classification: share of samples whose label is among the `[task] top_k` largest outputs",
        "top-k accuracy",
        "top_k_min",
        "share of samples whose label is among the `[task] top_k` largest outputs",
    ),
    Row(
        "right",
        "samples that `accuracy` counts, in the order in which they ran: packed bits, the first sample is the highest "
        "bit of the first byte, in base64; null without labels, and above 100,000 samples",
    ),
    Row("confusion", "rows: label, columns: decided class; null above 256 classes", unit="samples"),
    Row("classes", "each class; empty for more than 256 or several outputs, and of other tasks"),
    Row("classes[].name", "as the data set names it, or its number"),
    Row("classes[].samples", "that are of it", unit="samples"),
    Row("classes[].recall", "of its samples, those decided to be of it; null without samples", unit="share"),
    Row("classes[].precision", "of samples decided to be of it, those that are; null without any", unit="share"),
    Row("classes[].f1", "harmonic mean of both; null without either", unit="share"),
)
