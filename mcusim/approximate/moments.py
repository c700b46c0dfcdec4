"""What calibration tells of the sums of a layer: means and covariances of its inputs, and of what the sums should be.

Inputs are those of the graph as it is by now, sums those of the exact one: weights that are fitted to both make up for
what was left out before, as far as what is left tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mcusim.approximate.approximation import Reduced
from mcusim.approximate.paths import Reader
from mcusim.graph import Graph, Layer
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.system.arrays import Array

MOST_POSITIONS = 100_000  # of a window, from all samples
SAMPLES_AT_ONCE = 50
MOST_INPUTS = 4096  # of a sum: time rises with the third power, memory with the second
RIDGE = 1e-3  # share of the mean variance of inputs by which old weights are held
CHANCE = 0.1  # likewise, for as many inputs as positions


@dataclass(frozen=True, eq=False)
class Moments:
    """Of K inputs and F sums, over `count` positions.

    `active`: share of sums that are above zero, where an activation limits the others; else 1.
    """

    count: int
    mean: Array
    covariance: Array
    sums: Array
    cross: Array
    active: Array

    @property
    def ridge(self) -> float:
        size = len(self.mean)
        return float(np.trace(self.covariance)) / size * (RIDGE + CHANCE * size / self.count) + 1e-12


def moments_of(made: Reduced, name: str) -> Moments:
    """Of a layer that both graphs have."""
    own = made.graph[name]
    filters = made.filters_of(name)
    assert isinstance(own, WeightedSum)
    size, count = own.kernel[0].size, 0
    total, products = np.zeros(size), np.zeros((size, size))
    sums, cross, active = np.zeros(len(filters)), np.zeros((size, len(filters))), np.zeros(len(filters))
    for x, y in _pairs(made, name, filters):
        count += len(x)
        total += x.sum(axis=0, dtype=np.float64)
        products += x.T @ x
        sums += y.sum(axis=0, dtype=np.float64)
        cross += x.T @ y
        active += (y > 0).sum(axis=0)
    mean, of_sums = total / count, sums / count
    return Moments(
        count,
        mean,
        products / count - np.outer(mean, mean),
        of_sums,
        cross / count - np.outer(mean, of_sums),
        active / count if own.activation.nonnegative else np.ones(len(filters)),
    )


def _pairs(made: Reduced, name: str, filters: Array) -> Iterator[tuple[Array, Array]]:
    """Inputs (positions, K) and exact sums (positions, F) of a few samples at a time."""
    here, there = made.graph[name], made.exact[name]
    assert isinstance(here, WeightedSum) and isinstance(there, WeightedSum)
    kernel = there.kernel[filters].reshape(len(filters), -1).T
    before, exact = (upstream(graph, graph[name].inputs[0]) for graph in (made.graph, made.exact))
    chunks = -(-len(made.samples) // SAMPLES_AT_ONCE)
    most = MOST_POSITIONS // chunks + 1
    for start in range(0, len(made.samples), SAMPLES_AT_ONCE):
        samples = made.samples[start : start + SAMPLES_AT_ONCE]
        values = made.remembered(("exact", there.inputs[0], start), partial(_value, exact, there.inputs[0], samples))
        real = _inputs(there, values, most)
        x = real if made.graph is made.exact else _inputs(here, _value(before, here.inputs[0], samples), most)
        yield x, real @ kernel + there.bias[filters]


def _value(graph: Graph, name: str, samples: Array) -> Array:
    """Of a tensor."""
    return np.concatenate([values[name] for values in graph.values(samples)])


def _inputs(layer: WeightedSum, value: Array, most: int) -> Array:
    """(positions, K): what its sums multiply with the kernel."""
    taps = layer.taps(value, most)
    assert taps is not None and len(taps) == 1
    return np.asarray(taps[0], np.float32)


def why_no_moments(layer: Layer) -> str | None:
    """None for a layer whose sums have few enough inputs."""
    assert isinstance(layer, WeightedSum)
    inputs = layer.kernel[0].size
    return f"sums of {layer.name!r} have {inputs:,} inputs, more than {MOST_INPUTS:,}" if inputs > MOST_INPUTS else None


def upstream(graph: Graph, name: str) -> Graph:
    """What it takes to compute a tensor, and all inputs of the model."""
    needed = {name}
    for layer in reversed(graph.layers):
        needed |= set(layer.inputs) if layer.name in needed else set()
    return replace(graph, layers=tuple(one for one in graph if one.INPUT or one.name in needed), outputs=())


def refitted(layer: Reader, moments: Moments, chosen: Array) -> Reader:
    """`layer` reads the inputs `chosen` of those of `moments`: with the weights and bias that make its sums best."""
    old = layer.kernel.reshape(len(layer.kernel), -1).astype(np.float64)
    covariance = moments.covariance[np.ix_(chosen, chosen)] + moments.ridge * np.eye(len(chosen))
    weights = np.linalg.solve(covariance, moments.cross[chosen] + moments.ridge * old.T).T
    return with_means(replace(layer, kernel=weights.reshape(layer.kernel.shape).astype(np.float32)), moments, chosen)


def with_means(layer: Reader, moments: Moments, chosen: Array) -> Reader:
    """With the bias for which the means of its sums are right."""
    have = layer.kernel.reshape(len(layer.kernel), -1).astype(np.float64) @ moments.mean[chosen]
    return replace(layer, bias=(moments.sums - have).astype(np.float32), has_bias=True)
