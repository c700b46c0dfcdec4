"""Graph -> pairs of its layers that could run as one, band by band; and the graph, and options, with such a pair."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mcusim.graph import Graph, Layer
from mcusim.kernels.bands.cuts import why_not
from mcusim.kernels.choice import Option
from mcusim.layers.fused import Fused
from mcusim.line.knapsack import Options


def fusions(graph: Graph) -> Iterator[tuple[Fused, Graph]]:
    """Each pair, and the graph with it alone."""
    return ((pair, with_pair(graph, pair)) for pair in pairs_of(graph))


def pairs_of(graph: Graph) -> Iterator[Fused]:
    ends = {layer.name for layer in graph.ends}
    for second in graph:
        for first in graph.inputs_of(second):
            if first.name not in ends and graph.consumers(first.name) == (second,) and why_not(first, second) is None:
                yield Fused.of(first, second)


def with_pair(graph: Graph, pair: Fused) -> Graph:
    """At the place of its first layer, if all that it reads is there by then, else at that of its second."""
    names = [layer.name for layer in graph]
    early = all(names.index(name) < names.index(pair.first.name) for name in pair.inputs)
    place, gone = (pair.first, pair.second) if early else (pair.second, pair.first)
    layers = (pair if layer is place else _reading(layer, pair) for layer in graph if layer is not gone)
    outputs = (replace(one, layer=pair.name) if one.layer == pair.second.name else one for one in graph.outputs)
    return replace(graph, layers=tuple(layers), outputs=tuple(outputs))


def with_options(options: Options, graph: Graph, pair: Fused, several: Sequence[Option]) -> Options:
    """Of the layers of `graph`, which has the pair: `several` are its own."""
    own = {**options, pair.name: several}
    return {layer.name: own[layer.name] for layer in graph if layer.name in own}


def _reading(layer: Layer, pair: Fused) -> Layer:
    """Of the pair, which has another name than its second layer. Its parts keep the names that they read."""
    if pair.second.name not in layer.inputs:
        return layer
    return _renamed(layer, pair.second.name, pair.name)


def _renamed(layer: Layer, name: str, to: str) -> Layer:
    inputs = tuple(to if one == name else one for one in layer.inputs)
    if not isinstance(layer, Fused):
        return replace(layer, inputs=inputs)
    first, second = (_renamed(part, name, to) if name in part.inputs else part for part in (layer.first, layer.second))
    return replace(layer, inputs=inputs, first=first, second=second)
