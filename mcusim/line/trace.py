"""What a few calibration samples make of a graph while it is quantized: real values, and stored numbers beside them.

A layer that is quantized sees the errors of those before it, so that its weights and bias can make up for them.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mcusim.graph import Graph, Layer, samples_at_once
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.products import Products
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of

MEMORY_BYTES = 2**27
FEWEST_SAMPLES, MOST_SAMPLES = 16, 1000
MUCH_NOISE = 0.01  # of the signal: 20 dB
MOST_POSITIONS = 20_000  # of a window, from all samples
TOGETHER = 2**16  # numbers


class Trace:
    """Of `graph` and real `samples`, of which as many are taken as memory allows."""

    def __init__(self, graph: Graph, samples: Array) -> None:
        columns = fields_of(graph.encode(samples_within_memory(graph, samples))).values()
        self._graph = graph
        self._columns = dict(zip((layer.name for layer in graph.inputs), columns, strict=True))
        self._noise: dict[str, float] = {}
        self._added: dict[str, float] = {}
        self._real: dict[str, Array] = {}
        self._stored: dict[str, Array] = {}

    def products(self, layer: Layer, inputs: Sequence[Layer]) -> Products | None:
        """What its sums are made of; None for a layer without. `inputs`: quantized, those that it will read."""
        if not isinstance(layer, WeightedSum) or inputs[0].numbers is None:
            return None
        decoded = inputs[0].numbers.decode(self._stored[inputs[0].name])
        real, stored = (layer.taps(x, MOST_POSITIONS) for x in (self._real[layer.inputs[0]], decoded))
        return None if real is None or stored is None else Products.of(real, stored)

    def convert(self, inputs: Sequence[Layer]) -> None:
        """Quantized layers that will be read: those are new that convert another."""
        for layer in inputs:
            if layer.name not in self._stored:
                self._stored[layer.name] = run_layer(layer, [self._stored[name] for name in layer.inputs])

    def follow(self, layer: Layer, made: Layer) -> None:
        """`layer` has become `made`: run both."""
        if layer.INPUT:
            self._real[layer.name] = np.asarray(self._columns[layer.name], np.float32)
            real = self._real[layer.name]
            self._stored[made.name] = real if made.numbers is None else made.numbers.encode(real)
        else:
            self._real[layer.name] = run_layer(layer, [self._real[name] for name in layer.inputs])
            self._stored[made.name] = run_layer(made, [self._stored[name] for name in made.inputs])
        self._noise[layer.name] = self._noise_of(layer, made)
        self._forget(layer)

    def notes(self) -> list[str]:
        """Of a layer that makes most of the noise, where that is much."""
        total = sum(self._added.values())
        worst = max(self._added, key=lambda name: self._added[name])
        if max(self._noise[end.name] for end in self._graph.ends) < MUCH_NOISE or not self._added[worst] > total / 2:
            return []
        share = self._added[worst] / total
        return [f"{worst!r} makes {share:.0%} of the noise of quantization: see `mcusim evaluate --explain`"]

    def _noise_of(self, layer: Layer, made: Layer) -> float:
        """Behind a layer; what it adds to that of its inputs is kept."""
        signal, noise = 0.0, 0.0
        for real, stored in zip(_parts(self._real[layer.name]), _parts(self._stored[made.name]), strict=True):
            decoded = stored if made.numbers is None else made.numbers.decode(stored)
            with np.errstate(over="ignore", invalid="ignore"):  # of sums that float32 cannot hold
                wide = real.astype(np.float64)
                signal, noise = signal + float(np.square(wide).sum()), noise + float(np.square(decoded - wide).sum())
        found = noise / signal if signal else 0.0
        if not math.isfinite(found):
            found = 0.0
        before = max((self._noise[name] for name in layer.inputs), default=0.0)
        self._added[layer.name] = max(found - before, 0.0)
        return found

    def _forget(self, layer: Layer) -> None:
        """What nobody reads any more."""
        later = self._graph.layers[self._graph.layers.index(layer) + 1 :]
        wanted = {name for other in later for name in other.inputs}
        for name in [name for name in self._real if name not in wanted]:
            del self._real[name], self._stored[name]


def _parts(x: Array) -> list[Array]:
    """As many numbers each as stay in the processor's cache."""
    flat = x.reshape(-1)
    return [flat[start : start + TOGETHER] for start in range(0, len(flat), TOGETHER)]


def samples_within_memory(graph: Graph, samples: Array) -> Array:
    """From all over them, as many as the values of all layers have room for."""
    elements = sum(layer.elements for layer in graph)
    count = min(max(MEMORY_BYTES // (8 * elements), FEWEST_SAMPLES), MOST_SAMPLES, len(samples))
    return np.asarray(samples[np.arange(count) * len(samples) // max(count, 1)])


def values_of(graph: Graph, samples: Array) -> dict[str, Array]:
    """Of all layers."""
    columns = fields_of(graph.encode(samples)).values()
    values = dict(zip((layer.name for layer in graph.inputs), columns, strict=True))
    for layer in graph:
        if not layer.INPUT:
            values[layer.name] = run_layer(layer, [values[name] for name in layer.inputs])
    return values


def changed_by(graph: Graph, values: Mapping[str, Array], name: str, value: Array) -> dict[str, Array]:
    """Of a tensor that has this `value` in place of its own, and of all that is computed from it."""
    changed = {name: value}
    for layer in graph:
        if any(one in changed for one in layer.inputs):
            changed[layer.name] = run_layer(layer, [changed.get(one, values[one]) for one in layer.inputs])
    return changed


def run_layer(layer: Layer, inputs: list[Array]) -> Array:
    """Its output for many samples, few at a time."""
    size = samples_at_once([layer])
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [layer.run(*(x[start : start + size] for x in inputs)) for start in range(0, len(inputs[0]), size)]
    return np.concatenate(parts)
