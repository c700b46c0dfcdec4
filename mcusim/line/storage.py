"""Which tensors are stored without a sign, which outputs in 16 bits: where whoever reads them can take it."""

from collections.abc import Mapping

from mcusim.graph import Graph, Layer
from mcusim.numbers.numbers import Range, Scheme


def unsigned(graph: Graph, seen: Mapping[str, Range], schemes: Mapping[str, Scheme | None]) -> frozenset[str]:
    """Layers whose output is never negative, and stored without a sign: one more bit.

    `schemes`: of each layer, None of one that stays real.
    """
    positive: dict[str, bool] = {}
    for layer in graph:
        own = seen[layer.name]
        told = layer.nonnegative(tuple(positive[name] for name in layer.inputs))
        positive[layer.name] = own.low >= 0 < own.high if layer.INPUT else told
    able: dict[str, bool] = {}
    for layer in reversed(graph.layers):
        readers, scheme = graph.consumers(layer.name), schemes[layer.name]
        able[layer.name] = (
            positive[layer.name]
            and layer.WRITES_UNSIGNED
            and scheme is not None
            and scheme.stores_unsigned
            and layer not in graph.ends
            and all(_takes(reader, _alike(schemes[reader.name], scheme), able) for reader in readers)
        )
    return frozenset(name for name, is_able in able.items() if is_able)


def _alike(one: Scheme | None, other: Scheme) -> bool:
    return one is not None and (one.bits, one.header) == (other.bits, other.header)


def _takes(reader: Layer, alike: bool, able: Mapping[str, bool]) -> bool:
    """Between widths, or number systems, numbers are converted, and then have a sign."""
    return not alike or (reader.READS_UNSIGNED and (not reader.KEEPS_NUMBERS or able[reader.name]))


def wide(graph: Graph) -> frozenset[str]:
    """Weighted sums at the end of the model. Nobody computes with them, so their ties can be decided in 16 bits."""
    found = set()
    for end in graph.ends:
        layer = end
        while layer.VIEW and not graph.consumers(layer.name) and graph.consumers(layer.inputs[0]) == (layer,):
            layer = graph[layer.inputs[0]]
        alone = layer is end or layer not in graph.ends
        if layer.WRITES_WIDE and alone and len(graph.consumers(layer.name)) == (layer is not end):
            found.add(layer.name)
    return frozenset(found)
