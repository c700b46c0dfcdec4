"""Source + labelled samples -> a note, when the model knows samples far better that are normalized in another way.

A model that is fed other numbers than it was trained on answers nonsense, and nothing else says so.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mcusim.datasets.dataset import Dataset, fit_each
from mcusim.datasets.sampling import choose
from mcusim.graph import Graph
from mcusim.line.fit import Fitted
from mcusim.models.source import Source
from mcusim.numbers.affine import Affine
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.system.records import fields_of, records_of
from mcusim.tasks.figure import Figure
from mcusim.tasks.task import Answers, Judge

MOST_SAMPLES, FEWEST_SAMPLES = 256, 32
MACS = 2_000_000_000  # that are worth it: some seconds in NumPy
LEAST_SHARE, SIGMAS = 0.1, 3.0  # of samples that are known better, and of their chance
LEAST_FACTOR = 0.5  # of an error
BYTE = 255.0


@dataclass(frozen=True)
class _Fed:
    """A way to feed raw samples, and what to do when it is the right one."""

    words: str
    apply: Callable[[Array], Array]
    advice: str = ""


@dataclass(frozen=True)
class _Worth:
    """A figure of the float model. `chance`: what always the same answer would reach."""

    figure: Figure
    value: float
    chance: float = 0.0

    def __str__(self) -> str:
        return f"{100 * self.value:.0f} %" if self.figure.unit == "share" else self.figure.show(self.value)

    @property
    def rank(self) -> float:
        return -self.value if self.figure.better == "lower" else self.value

    def is_far_below(self, other: "_Worth", samples: int) -> bool:
        """By more than luck, and where the other is better than chance."""
        if self.figure.better == "lower":
            return other.value < LEAST_FACTOR * self.value
        return other.value - max(self.value, other.chance) > max(LEAST_SHARE, SIGMAS * 0.5 / math.sqrt(samples))


def misfed(source: Source, fitted: Fitted, seed: int) -> str | None:
    """None where samples are fed as well as in any way that is known, or nobody can tell: without labels, for one."""
    name = "training" if fitted.dataset.y_train is not None else "test"
    x, judges = _labelled(fitted, int(np.clip(MACS // max(1, source.graph.macs), FEWEST_SAMPLES, MOST_SAMPLES)), seed)
    if not len(x):
        return None
    raw = "raw samples" if not source.normalizations else "z-scored ones"
    worth = _worth(source.graph, source.normalized(x), judges)
    if worth is None:
        return None
    others = [(_worth(source.graph, way.apply(x), judges), way) for way in _ways(source, fitted.dataset, x)]
    known = [(other, way) for other, way in others if other and worth.is_far_below(other, len(x))]
    if not known:
        return None
    other, way = max(known, key=lambda pair: pair[0].rank)
    model = "model" if source.graph.is_quantized else "float model"
    word = other.figure.word or other.figure.key.removeprefix("scores.")
    return (
        f"{raw} give {worth}, {way.words} {other} ({word} of the {model} on {len(x)} {name} samples): "
        f"was it trained on those? {way.advice}"
    )


def _labelled(fitted: Fitted, count: int, seed: int) -> tuple[Array, dict[str, Judge]]:
    """Some raw samples, training samples where they have targets, and who judges answers to them; none without."""
    dataset = fitted.dataset
    x, y = (dataset.x_train, dataset.y_train) if dataset.y_train is not None else (dataset.x_test, dataset.y_test)
    if x is None or y is None:
        return dataset.x_test[:0], {}
    positions = choose(len(x), count, y, seed)
    try:
        judges = {name: _judging(judge, dataset, positions) for name, judge in fitted.judges.items()}
    except DataError:
        return x[:0], {}
    return x[positions], judges


def _judging(judge: Judge, dataset: Dataset, positions: Array) -> Judge:
    """The judge of answers to the samples at `positions`."""
    asked = judge.asked
    if dataset.y_train is not None:
        targets = None if asked.train_targets is None else asked.train_targets[positions]
        asked = replace(asked, targets=targets, train_targets=asked.targets)
        return Judge(judge.task, asked, judge.task.labels(asked).values)
    return Judge(judge.task, asked, None if judge.labels is None else judge.labels[positions])


def _ways(source: Source, dataset: Dataset, x: Array) -> Iterator[_Fed]:
    """Those that are not what is done; of equally good ones the first is likely."""
    if _are_numbers(source.graph, x):
        told = "those read as its integers"
        yield _Fed(
            told, lambda x: _read(source.graph, x), "store scale * (q - zero point) of its input in the data file"
        )
    if all(values.min() >= 0 and values.max() <= 1 for values in fields_of(x).values()):
        yield _Fed("those times 255", lambda x: _scaled(x, BYTE, 0.0), "store x * 255 in the data file")
    if all(values.min() >= 0 and 2 < values.max() <= BYTE for values in fields_of(x).values()):
        yield _Fed("those over 255", lambda x: _scaled(x, 1 / BYTE, 0.0), "store x / 255 in the data file")
        yield _Fed("those from -1 to 1", lambda x: _scaled(x, 2 / BYTE, -1.0), "store x / 127.5 - 1 in the data file")
    if source.normalizations:
        yield _Fed("raw ones", lambda x: x, 'add normalize = "none" to [dataset]')
    elif dataset.x_train is not None:
        z_score = replace(source, normalizations=fit_each(x)).normalized
        yield _Fed("z-scored ones", z_score, 'add normalize = "z-score" to [dataset]')


def _are_numbers(graph: Graph, x: Array) -> bool:
    """Might samples be what a quantized model reads, and not what that stands for?"""
    numbers = [layer.numbers for layer in graph.inputs]
    return all(
        isinstance(one, Affine) and np.all(part % 1 == 0) and one.minimum <= part.min() and part.max() <= one.maximum
        for one, part in zip(numbers, fields_of(x).values(), strict=True)
    )


def _read(graph: Graph, x: Array) -> Array:
    every = zip(graph.inputs, fields_of(x).items(), strict=True)
    return records_of(
        {name: layer.numbers.decode(part).astype(np.float32) for layer, (name, part) in every if layer.numbers}
    )


def _scaled(x: Array, factor: float, offset: float) -> Array:
    return records_of({name: (part * factor + offset).astype(np.float32) for name, part in fields_of(x).items()})


def _worth(graph: Graph, x: Array, judges: dict[str, Judge]) -> _Worth | None:
    """The first figure that tells how good the answers are, of the first output that has one."""
    samples = None if x.dtype.names else x
    for judge, real in zip(judges.values(), fields_of(graph.decode(graph.run(x))).values(), strict=True):
        scores = judge.score(Answers(real, judge.labels, samples))
        told = {"accuracy": scores.accuracy, **{f"scores.{key}": value for key, value in scores.numbers.items()}}
        for row in judge.task.FIGURES:
            value = told.get(row.key)
            if isinstance(row, Figure) and row.better and value is not None and np.isfinite(value):
                return _Worth(row, value, chance(judge.labels) if row.key == "accuracy" else 0.0)
    return None


def chance(labels: Array | None) -> float:
    """Share of the class that most samples are of."""
    return 0.0 if labels is None else float(np.unique(labels, return_counts=True)[1].max() / len(labels))
