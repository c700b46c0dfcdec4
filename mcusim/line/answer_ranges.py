"""Real Graph + calibration samples -> how far the numbers of its tensors reach, by what the answers lose.

A range that is cut off costs where answers depend on what lies beyond; one that is wide has coarse steps for all the
rest. What is least on the whole in the tensor itself need not be in the answers: a few large samples of an input may
decide over it, and most of the noise of an int8 network come from there. Both costs are measured in the answers of the
real graph, each alone, since they add up: so few samples tell enough, and no rounding of one of them decides.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from mcusim.graph import Graph
from mcusim.line.trace import changed_by, samples_within_memory, values_of
from mcusim.numbers.numbers import Range
from mcusim.system.arrays import Array

MACS = 2**36  # of all runs together: seconds
RUNS = 16  # of what follows a tensor, about: four to sixteen are not needed
FEWEST_SAMPLES, MOST_SAMPLES = 32, 256  # fewer tell nothing of what lies far out
SHARES = np.geomspace(1.0, 0.125, 13)  # of an end, from all of it down
STEPS = np.geomspace(1.0, 0.25, 4)  # of those that all of the range has, whose rounding is measured

Change = Callable[[Array], Array]


def answer_ranges(
    graph: Graph, samples: Array, seen: Mapping[str, Range], levels: Mapping[str, int]
) -> dict[str, Range]:
    """Of the tensors of `levels`, which has how many numbers each has. Of large graphs only of inputs, or of none.

    `seen`: what calibration knows of all tensors.
    """
    some = samples_within_memory(graph, samples)
    inputs = {layer.name for layer in graph.inputs}
    for names in (set(levels), set(levels) & inputs):
        macs = RUNS * sum(_macs_behind(graph, name) for name in names)
        count = min(len(some), MOST_SAMPLES, MACS // max(macs, 1))
        if names and count >= FEWEST_SAMPLES:
            answers = _Answers(graph, some[np.arange(count) * len(some) // count])
            return {name: _least(answers, name, seen[name], levels[name]) for name in levels if name in names}
    return {}


def _macs_behind(graph: Graph, name: str) -> int:
    """Of the layers that a tensor has anything to do with."""
    there, macs = {name}, 0
    for layer in graph:
        if there.intersection(layer.inputs):
            there.add(layer.name)
            macs += layer.macs
    return macs


class _Answers:
    """Of the real graph to some samples, and what a change of one tensor does to them."""

    def __init__(self, graph: Graph, samples: Array) -> None:
        self._graph, self._values = graph, values_of(graph, samples)

    def lost(self, name: str, change: Change) -> float:
        """Mean square of what the answers change by, as a share of each output's variance."""
        own = changed_by(self._graph, self._values, name, change(self._values[name]).astype(np.float32))
        total = sum(self._share(end.name, own[end.name]) for end in self._graph.ends if end.name in own)
        return total if np.isfinite(total) else float("inf")

    def _share(self, name: str, changed: Array) -> float:
        usual = self._values[name].astype(np.float64)
        variance = float(usual.var())
        return float(np.square(changed - usual).mean()) / variance if variance > 0 else 0.0


def _least(answers: _Answers, name: str, values: Range, levels: int) -> Range:
    """Where steps and both ends cost least together."""
    span = values.high - values.low
    if not (np.isfinite(span) and span > 0):
        return values
    steps = STEPS * span / (levels - 1)
    rounding = sum(answers.lost(name, _rounded(float(step))) for step in steps) / float((steps**2).sum())
    most = rounding * float(steps[0]) ** 2
    low, high = (_ends(answers, name, end, most) for end in (values.low, values.high))

    def cost(ends: tuple[tuple[float, float], tuple[float, float]]) -> float:
        (bottom, below), (top, above) = ends
        return below + above + rounding * ((top - bottom) / (levels - 1)) ** 2

    (bottom, _), (top, _) = min(product(low, high), key=cost)
    return replace(values, low=bottom, high=top, spread=None)


def _ends(answers: _Answers, name: str, end: float, most: float) -> list[tuple[float, float]]:
    """Where an end may lie, and what it costs that all beyond is cut off: not more than `most`, all that can be won."""
    found = [(end, 0.0)]
    for share in SHARES[1:] if end else ():
        cost = answers.lost(name, _cut(float(share) * end))
        if cost > most:
            break
        found.append((float(share) * end, cost))
    return found


def _cut(end: float) -> Change:
    return (lambda x: np.minimum(x, end)) if end > 0 else lambda x: np.maximum(x, end)


def _rounded(step: float) -> Change:
    return lambda x: np.rint(x / step) * step
