"""What calibration tells of the sums of a layer: means and covariances of its inputs, and of what the sums should be.

Inputs are those of the graph as it is by now, sums those of the exact one: weights that are fitted to both make up for
what was left out before, as far as what is left tells of it. Of sums that an activation limits from below it is all the
same how far below zero they are, as long as they are.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mcusim.approximate.approximation import Reduced
from mcusim.approximate.paths import Reader, reader_of
from mcusim.graph import Graph, Layer
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.system.arrays import Array

MOST_POSITIONS = 100_000  # of a window, from all samples
MOST_NUMBERS = 2**26  # of inputs that are kept
SAMPLES_AT_ONCE = 50
MOST_INPUTS = 4096  # of a sum: time rises with the third power, memory with the second
RIDGE = 1e-3  # share of the mean variance of inputs by which old weights are held
ROUNDS = 8  # of a fit, in each of which it is known better which sums are below zero
AT_ONCE = 4096  # positions, which stay in the processor's cache
CHANCE = 0.1  # likewise, for as many inputs as positions


@dataclass(frozen=True, eq=False)
class Moments:
    """Of K inputs and F sums, over `count` positions.

    `active`: share of sums that are above zero, where an activation limits the others; else 1. `limited`: in that case
    what all of this is of.
    """

    count: int
    mean: Array
    covariance: Array
    sums: Array
    cross: Array
    active: Array
    limited: "Pairs | None" = None

    @property
    def ridge(self) -> float:
        size = len(self.mean)
        return float(np.trace(self.covariance)) / size * (RIDGE + CHANCE * size / self.count) + 1e-12


def moments_of(made: Reduced, name: str) -> Moments:
    """Of a layer that both graphs have."""
    pairs = Pairs(made, name)
    before = upstream(made.graph, name).layers
    found = made.seen(("moments", before, name, pairs.filters.tobytes()), pairs.moments)
    return replace(found, limited=pairs) if pairs.here.activation.nonnegative else found


class Pairs:
    """Inputs (positions, K) of a layer of a graph on its way, and what its sums should be, (positions, F)."""

    def __init__(self, made: Reduced, name: str) -> None:
        self.here, self._there, self._made = reader_of(made.graph, name), reader_of(made.exact, name), made
        self.filters = made.filters_of(name)

    def moments(self) -> Moments:
        size, limited = self.here.summands, self.here.activation.nonnegative
        products, cross = np.zeros((size, size)), np.zeros((size, len(self.filters)))
        for x, y in self._parts:
            products += x.T @ x
            cross += x.T @ y
        inputs, exact = self.inputs, self.sums
        mean, sums = (both.mean(axis=0, dtype=np.float64) for both in (inputs, exact))
        return Moments(
            len(inputs),
            mean,
            products / len(inputs) - np.outer(mean, mean),
            sums,
            cross / len(inputs) - np.outer(mean, sums),
            (exact > 0).mean(axis=0) if limited else np.ones(len(self.filters)),
        )

    @cached_property
    def inputs(self) -> Array:
        return np.concatenate([x for x, _ in self._parts])

    @cached_property
    def sums(self) -> Array:
        return np.concatenate([y for _, y in self._parts])

    @cached_property
    def _parts(self) -> list[tuple[Array, Array]]:
        """Of a few samples at a time."""
        made, here, there = self._made, self.here, self._there
        kernel = there.kernel[self.filters].reshape(len(self.filters), -1).T
        chunks = -(-len(made.samples) // SAMPLES_AT_ONCE)
        most = min(MOST_POSITIONS, MOST_NUMBERS // here.summands) // chunks + 1
        found = []
        for start in range(0, len(made.samples), SAMPLES_AT_ONCE):
            real = _inputs(there, value_of(made, made.exact, there.inputs[0], start), most)
            x = real
            if made.graph is not made.exact:
                x = _inputs(here, value_of(made, made.graph, here.inputs[0], start), most)
            found.append((x, real @ kernel + there.bias[self.filters]))
        return found


def value_of(made: Reduced, graph: Graph, name: str, start: int) -> Array:
    """Of a tensor of one of both graphs, for a few samples from `start` on."""
    before = upstream(graph, name)

    def make() -> Array:
        samples = made.samples[start : start + SAMPLES_AT_ONCE]
        return np.concatenate([values[name] for values in before.values(samples)])

    return made.seen(("value", before.layers, name, start), make)


def _inputs(layer: WeightedSum, value: Array, most: int) -> Array:
    """(positions, K): what its sums multiply with the kernel."""
    taps = layer.taps(value, most)
    assert taps is not None and len(taps) == 1
    return np.asarray(taps[0], np.float32)


def why_no_moments(layer: Layer) -> str | None:
    """None for a layer whose sums have few enough inputs."""
    assert isinstance(layer, WeightedSum)
    few = layer.summands <= MOST_INPUTS
    return None if few else f"sums of {layer.name!r} have {layer.summands:,} inputs, more than {MOST_INPUTS:,}"


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
    held = moments.ridge * old.T
    weights = np.linalg.solve(covariance, moments.cross[chosen] + held)
    fitted = with_means(_with(layer, weights), moments, chosen)
    return _limited(fitted, moments, chosen, covariance, held) if moments.limited else fitted


def _limited(layer: Reader, moments: Moments, chosen: Array, covariance: Array, held: Array) -> Reader:
    """Fitted again where sums should be below zero and are not: others of these may be what they are.

    Each round comes nearer to the least squares of a convex problem, as what a sum may be is an interval.
    """
    assert moments.limited is not None
    x, exact, mean = moments.limited.inputs, moments.limited.sums, moments.mean[chosen]
    x = x if len(chosen) == x.shape[1] else np.take(x, chosen, axis=1)
    weights, bias = layer.kernel.reshape(len(layer.kernel), -1).T, layer.bias
    least, most = np.where(exact > 0, exact, np.float32(-np.inf)), np.maximum(exact, 0)
    wanted = np.empty_like(exact)
    for _ in range(ROUNDS):
        for start in range(0, len(x), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            np.matmul(x[part], weights, out=wanted[part])
            wanted[part] += bias
            np.clip(wanted[part], least[part], most[part], out=wanted[part])
        means = wanted.mean(axis=0, dtype=np.float64)
        cross = (x.T @ wanted).astype(np.float64) / len(x) - np.outer(mean, means)
        exactly = np.linalg.solve(covariance, cross + held)
        weights, bias = exactly.astype(np.float32), (means - mean @ exactly).astype(np.float32)
    return replace(_with(layer, weights), bias=bias, has_bias=True)


def _with(layer: Reader, weights: Array) -> Reader:
    """With `weights` (K, F)."""
    return replace(layer, kernel=np.ascontiguousarray(weights.T.reshape(layer.kernel.shape), np.float32))


def with_means(layer: Reader, moments: Moments, chosen: Array) -> Reader:
    """With the bias for which the means of its sums are right."""
    have = layer.kernel.reshape(len(layer.kernel), -1).astype(np.float64) @ moments.mean[chosen]
    return replace(layer, bias=(moments.sums - have).astype(np.float32), has_bias=True)
