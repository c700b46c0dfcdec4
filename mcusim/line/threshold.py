"""Held-out training samples -> the threshold of a cascade: how sure its first network has to be to have the last word.

No sample of the test set chooses it. It is compared with margins as the graph computes them, so that a threshold of
integers was chosen by integers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mcusim.datasets.sampling import choose
from mcusim.experiment.cascade import Cascaded
from mcusim.experiment.tables import Model, TaskChoice
from mcusim.graph import Graph, Output
from mcusim.layers.cascade import Cascade, margins
from mcusim.line.fit import fit
from mcusim.line.float_model import FloatModel
from mcusim.line.measure import CascadeFigures
from mcusim.line.validation import HeldShare, judged_by_validation, seen
from mcusim.numbers.between import affine_of
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.timing.timing import Timing

WHERE = "[cascade]"
CHOSEN = "threshold "  # how notes of it begin
MOST_HELD = 5000  # samples that choose it
ROUNDING = 1e-6  # of a number of samples
FEWEST_TO_JUDGE, SIGMAS = 30, 4.0  # of guessing: what is worse is no bad luck


@dataclass(frozen=True)
class Held:
    """Training samples that no weight should have seen, as the networks take them, and their classes."""

    x: Array
    labels: Array


def real_threshold(graph: Graph) -> float:
    """What the threshold of a cascade is in the units of its answers."""
    [end] = graph.ends
    assert isinstance(end, Cascade)
    return end.threshold if end.numbers is None else end.threshold * affine_of(end.numbers).scale


def gone_on(graph: Graph, x: Array) -> Array | None:
    """(N,): which of the normalized samples the second network of a cascade is asked; None of any other graph."""
    end = graph.ends[0]
    return end.goes_on(_up_to(graph, end.inputs[0]).run(x)) if isinstance(end, Cascade) else None


def _up_to(graph: Graph, name: str) -> Graph:
    """What computes that layer."""
    needed, waiting = set[str](), [name]
    while waiting:
        layer = graph[waiting.pop()]
        needed.add(layer.name)
        waiting += layer.inputs
    layers = tuple(layer for layer in graph if layer.name in needed)
    return replace(graph, layers=layers, outputs=(Output("output", name),))


def figures_of(
    model: Model, graph: Graph, on: Array | None, timing: Timing | None, clock_hz: int | None
) -> CascadeFigures | None:
    """What a report tells of a cascade beside all else. `on`: as `gone_on` of the test samples."""
    if on is None:
        return None
    names = tuple(network.name for network in model.networks)
    spread = timing.spread if timing else None
    cycles = (spread.p95, spread.worst) if spread else ()
    p95_ms, worst_ms = [round(one / clock_hz * 1e3, 6) for one in cycles] if clock_hz and cycles else (None, None)
    return CascadeFigures(names, real_threshold(graph), round(float(on.mean()), 6), p95_ms, worst_ms)


def thresholded(graph: Graph, model: Cascaded, first: FloatModel, choice: TaskChoice, seed: int) -> Graph:
    """With the threshold that [cascade] asks for, and notes of what it is worth on held-out training samples.

    `first`: whose samples they are, and `choice` how they are scored. DataError where there are none, and max_drop
    needs them; or where a network does no better than guessing.
    """
    held = _held(model, first, choice, seed)
    if held is None:
        return graph
    [end] = graph.ends
    assert isinstance(end, Cascade)
    answers = [_up_to(graph, name).run(held.x) for name in end.inputs]
    right = [one.argmax(axis=1) == held.labels for one in answers]
    for network, one in zip(model.networks, right, strict=True):
        _demand_better(network.name, one, held.labels)
    worth = _Worth(margins(answers[0]), *right)
    if model.chosen.drop is not None:
        chosen = worth.least_within(model.chosen.drop)
        end = replace(end, threshold=chosen if end.numbers is None else int(chosen))
    made = replace(graph, layers=(*graph.layers[:-1], end))
    told = f"{CHOSEN}{real_threshold(made):.4g}: {worth.told(end.threshold)}"
    notes = [told, *worth.nearest(end.threshold), *_learned(model)]
    return replace(made, notes=(*(note for note in graph.notes if not note.startswith(CHOSEN)), *notes))


def _held(model: Cascaded, first: FloatModel, choice: TaskChoice, seed: int) -> Held | None:
    dataset = first.fitted.dataset
    if dataset.x_train is None or dataset.y_train is None:
        if model.chosen.drop is None:
            return None
        hint = "add x_train and y_train, or give a threshold: no sample of the test set chooses it"
        raise DataError("max_drop needs training samples with labels", where=WHERE, hint=hint)
    own = max((network.training.validation for network in model.networks if network.architecture), default=0.0)
    share = HeldShare(own, "[training]") if own else HeldShare(model.chosen.validation, WHERE)
    try:
        judging = judged_by_validation(dataset, share, seed)
    except (ConfigurationError, DataError):
        if model.chosen.drop is None:  # then they choose nothing: there is one note less
            return None
        raise
    [judge] = fit(first.source.graph, judging, choice).judges.values()
    if judge.labels is None:
        return None
    positions = choose(len(judging.x_test), MOST_HELD, judge.labels, seed)
    return Held(first.source.normalized(judging.x_test[positions]), judge.labels[positions])


def _learned(model: Cascaded) -> Iterator[str]:
    names = [repr(network.name) for network in model.networks if seen(network)]
    if names and model.chosen.drop is not None:
        told = "may have learned from the samples that chose the threshold, which flatters it"
        yield f"{' and '.join(names)} {told}: set validation in [training], or hold some out when you train"


def _demand_better(name: str, right: Array, labels: Array) -> None:
    """Raises DataError for a network that cannot have been trained for these classes in this order."""
    guessed, count = 1 / len(np.unique(labels)), len(labels)
    if count >= FEWEST_TO_JUDGE and right.mean() < guessed - SIGMAS * np.sqrt(guessed * (1 - guessed) / count):
        what = f"model {name!r} is right in {right.mean():.1%} of {count:,} training samples: less than guessing"
        hint = "does it have the classes of the data set, in their order?"
        raise DataError(what, where=WHERE, hint=hint)


@dataclass(frozen=True)
class _Worth:
    """Of N held-out samples: how sure the first network is, and which of both are right."""

    margins: Array
    first: Array
    then: Array

    def least_within(self, drop: float) -> float:
        """The least threshold with which no more than `drop` is lost against the second network alone.

        There is one: with the largest all samples go on.
        """
        thresholds, right = self._steps
        allowed = right >= self.then.sum() - drop * len(self.then) - ROUNDING
        return float(thresholds[int(np.argmax(allowed))])

    @cached_property
    def _steps(self) -> tuple[Array, Array]:
        """Thresholds, rising: each margin, and the next one beyond all; and how many samples are right with them."""
        kind = self.margins.dtype
        beyond = self.margins.max() + 1 if kind.kind == "i" else np.nextafter(self.margins.max(), np.float32(np.inf))
        thresholds = np.append(np.unique(self.margins), kind.type(beyond))
        gained = np.concatenate([[0], np.cumsum(self._gains(thresholds))])
        return thresholds, self.first.sum() + gained[: len(thresholds)]

    def _gains(self, thresholds: Array) -> Array:
        """What goes on with the next threshold, and not with this one, is so much better answered."""
        better = self.then.astype(np.int64) - self.first
        return np.bincount(np.searchsorted(thresholds, self.margins), better, len(thresholds)).astype(np.int64)

    def told(self, threshold: float) -> str:
        goes = ~(self.margins >= threshold)
        accuracy = np.where(goes, self.then, self.first).mean()
        alone = f"{self.first.mean():.2%} and {self.then.mean():.2%} alone"
        return f"{accuracy:.2%} of {len(goes):,} held-out training samples, {goes.mean():.1%} went on ({alone})"

    def nearest(self, threshold: float) -> Iterator[str]:
        """Where all samples go on, what would be the best of the others."""
        thresholds, right = self._steps
        if threshold >= thresholds[-1] and len(thresholds) > 1:
            best = thresholds[int(np.argmax(right[:-1]))]
            told = "is so high that every sample goes on, since no other keeps max_drop; nearest"
            yield f"{CHOSEN}{told}: {self.told(best)}"
