"""A place in one arena for every tensor, by lifetime and size.

A tensor lives from the step that writes it to the last step that reads it. Tensors that share their memory (a view, or
the output of a layer that may work in place on a dying input) are one buffer. Buffers that live at the same time may
not overlap; the largest set of them is the lower bound of any arena.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from mcusim.graph import Graph, Layer

ALIGNMENT_BYTES = 4
SHUFFLES = 500  # tried, in a fixed order, when no rule reaches the lower bound


@dataclass
class Buffer:
    """Memory of one or more tensors. Sizes in numbers; steps are indices into the graph."""

    names: list[str]
    size: int
    first: int
    last: int
    offset: int = 0

    def meets(self, other: Buffer) -> bool:
        """Do both live during some step?"""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Plan:
    """`places`: region and offset of each layer's output. Sizes in numbers."""

    places: dict[str, tuple[str, int]]
    elements: int
    lower_bound_elements: int
    buffers_elements: int


def plan(graph: Graph, number_bytes: int) -> Plan:
    """Place the outputs of all layers of a graph whose numbers take `number_bytes` each."""
    align = max(1, ALIGNMENT_BYTES // number_bytes)
    regions = _caller_regions(graph)
    buffers = _buffers(graph, regions, align)
    best = _place(buffers, align)
    places = {name: (region, 0) for name, region in regions.items()}
    places |= {name: ("arena", buffer.offset) for buffer in buffers for name in buffer.names}
    steps = range(len(graph.layers))
    alive = [sum(buffer.size for buffer in buffers if buffer.first <= step <= buffer.last) for step in steps]
    separate = sum(_aligned(layer.elements, align) for layer in graph.layers if layer.name not in regions)
    return Plan(places, best, max(alive, default=0), separate)


def _caller_regions(graph: Graph) -> dict[str, str]:
    """Tensors that lie in the caller's arrays: the input and views of it, the output and what it is a view of."""
    regions = {graph.input.name: "input"}
    for layer in graph.layers:
        if layer.VIEW and regions.get(layer.inputs[0]) == "input":
            regions[layer.name] = "input"
    layer = graph.output
    while regions.get(layer.name) is None:
        regions[layer.name] = "output"
        layer = graph[layer.inputs[0]] if layer.VIEW else layer
    regions[graph.output.name] = "output"
    # Views of a tensor in the output lie there too.
    for layer in graph.layers:
        if layer.VIEW and regions.get(layer.inputs[0]) == "output":
            regions[layer.name] = "output"
    return regions


def _buffers(graph: Graph, regions: dict[str, str], align: int) -> list[Buffer]:
    """Buffers of the arena, tensors that share memory merged."""
    last_read = {name: index for index, layer in enumerate(graph.layers) for name in layer.inputs}
    home: dict[str, Buffer] = {}
    buffers: list[Buffer] = []
    for index, layer in enumerate(graph.layers):
        if layer.name in regions:
            continue
        end = last_read.get(layer.name, index)
        shared = _shared(graph, layer, index, home)
        if shared is None:
            shared = Buffer([], _aligned(layer.elements, align), index, end)
            buffers.append(shared)
        shared.names.append(layer.name)
        shared.last = max(shared.last, end)
        home[layer.name] = shared
    return buffers


def _shared(graph: Graph, layer: Layer, index: int, home: dict[str, Buffer]) -> Buffer | None:
    """The buffer of an input that the layer's output can be written over, if any."""
    if layer.VIEW:
        return home.get(layer.inputs[0])
    for name in layer.inputs if layer.IN_PLACE else ():
        buffer = home.get(name)
        if buffer and graph[name].elements == layer.elements and _dies(graph, buffer, index):
            return buffer
    return None


def _dies(graph: Graph, buffer: Buffer, index: int) -> bool:
    """Does nobody read any tensor of the buffer after step `index`?"""
    return not any(name in buffer.names for layer in graph.layers[index + 1 :] for name in layer.inputs)


def _aligned(elements: int, align: int) -> int:
    return -(-elements // align) * align


def _place(buffers: list[Buffer], align: int) -> int:
    """Offsets for all buffers; -> size of the arena. The best of a few rules, then of shuffles with a fixed seed."""
    bound = max((sum(b.size for b in buffers if b.meets(a) and b.first <= a.first) for a in buffers), default=0)
    orders = [
        sorted(buffers, key=lambda b: (-b.size, b.first)),
        sorted(buffers, key=lambda b: (-b.size * (b.last - b.first + 1), b.first)),
        sorted(buffers, key=lambda b: (b.first - b.last, -b.size)),
        list(buffers),
    ]
    generator = random.Random(0)
    best_size, best_offsets = None, [0] * len(buffers)
    for attempt in range(len(orders) + SHUFFLES):
        order = orders[attempt] if attempt < len(orders) else generator.sample(buffers, len(buffers))
        size = _first_fit(order)
        if best_size is None or size < best_size:
            best_size, best_offsets = size, [buffer.offset for buffer in buffers]
        if best_size <= bound:
            break
    for buffer, offset in zip(buffers, best_offsets, strict=True):
        buffer.offset = offset
    return best_size or 0


def _first_fit(order: list[Buffer]) -> int:
    """Give each buffer in turn the lowest offset that is free during its life; -> size of the arena."""
    placed: list[Buffer] = []
    for buffer in order:
        offset = 0
        for other in sorted((b for b in placed if b.meets(buffer)), key=lambda b: b.offset):
            if offset + buffer.size <= other.offset:
                break
            offset = max(offset, other.offset + other.size)
        buffer.offset = offset
        placed.append(buffer)
    return max((buffer.offset + buffer.size for buffer in order), default=0)
