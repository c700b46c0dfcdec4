"""Requests for memory -> a place in one arena for each, by lifetime and size.

A tensor lives from the step that writes it to the last step that reads it, a scratch buffer during its step, and what
has to outlast an inference (the state of a recurrent layer) from the first step to the last. Tensors that share their
memory (a view, or the output of a layer that may work in place on a dying input) are one request. What lives at the
same time may not overlap; the largest sum of it is the lower bound of any arena. A constant tensor lies in flash and
asks for nothing.
"""

import random
from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mcusim.graph import Graph, Layer
from mcusim.program import Buffer, Place

ALIGNMENT_BYTES = 4
SHUFFLES = 500  # tried, in a fixed order, when no rule reaches the lower bound


@dataclass
class Request:
    """Memory of one or more tensors, alive from step `first` to step `last`: indices into the graph."""

    names: list[str]
    size_bytes: int
    first: int
    last: int
    offset_bytes: int = 0
    loads: float = 0.0  # from it, about


@dataclass(frozen=True)
class Plan:
    """`places` of each layer's output, `scratch` of the layers that need any; `buffers`: the same over time."""

    places: Mapping[str, Place]
    scratch: Mapping[str, Place]
    buffers: tuple[Buffer, ...]
    arena_bytes: int
    lower_bound_bytes: int
    buffers_bytes: int


def plan(graph: Graph, scratch_bytes: Mapping[str, int] | None = None, fast_bytes: int | None = None) -> Plan:
    """Place the outputs of all layers, and the scratch that some of them (by name) need while they run.

    `fast_bytes`: of the arena that loads do not wait for, None for all: what is read most lies there.
    """
    places = _callers_places(graph)
    tensors = _tensors(graph, places)
    steps = {layer.name: index for index, layer in enumerate(graph.layers)}
    scratch = {
        name: Request([], _aligned(size), steps[name], steps[name])
        for name, size in (scratch_bytes or {}).items()
        if size
    }
    requests = [*tensors, *scratch.values()]
    if fast_bytes is not None:
        _count_loads(graph, tensors, scratch)
    size = place(requests, fast_bytes)
    in_arena = {name: Place("arena", request.offset_bytes) for request in tensors for name in request.names}
    separate = sum(_aligned(layer.output_bytes) for layer in graph if layer.name not in places)
    return Plan(
        places | in_arena,
        {name: Place("arena", request.offset_bytes) for name, request in scratch.items()},
        tuple(sorted(_buffers(graph, tensors, scratch), key=lambda one: (one.first, one.offset_bytes))),
        size,
        lower_bound_bytes(requests),
        separate + sum(request.size_bytes for request in scratch.values()),
    )


def _buffers(graph: Graph, tensors: list[Request], scratch: Mapping[str, Request]) -> Iterator[Buffer]:
    """With the numbers of steps of the program, which has none for what is not to do."""
    still = views(graph)
    running = [at for at, layer in enumerate(graph.layers) if not layer.INPUT and layer.name not in still]
    step = {graph.layers[at].name: number for number, at in enumerate(running)}
    for name, request in scratch.items():
        yield Buffer(name, True, request.offset_bytes, request.size_bytes, step[name], step[name])
    for request in tensors:
        names = [name for name in request.names if name in step]  # one written over the other
        ends = [step[name] - 1 for name in names[1:]] + [bisect_right(running, request.last) - 1]
        for name, last in zip(names, ends, strict=True):
            yield Buffer(name, False, request.offset_bytes, request.size_bytes, step[name], last)


def _count_loads(graph: Graph, tensors: list[Request], scratch: Mapping[str, Request]) -> None:
    """A layer with scratch memory reads its inputs once, to work there; others work where their inputs lie."""
    homes = {name: request for request in tensors for name in request.names}
    for layer in graph:
        work = max(layer.macs, layer.elements)
        if layer.name in scratch:
            scratch[layer.name].loads += work
        for name in layer.inputs:
            if name in homes:
                homes[name].loads += graph[name].elements if layer.name in scratch else work


def live_bytes(graph: Graph) -> dict[str, int]:
    """Of the arena, by layer: what its step reads, writes or leaves for later, its scratch memory not counted."""
    requests = _tensors(graph, _callers_places(graph))
    return {
        layer.name: sum(request.size_bytes for request in requests if request.first <= step <= request.last)
        for step, layer in enumerate(graph.layers)
    }


def views(graph: Graph) -> frozenset[str]:
    """Layers whose output lies where their input does, so that nothing is left to do: both in the arena or neither."""
    places = _callers_places(graph)
    return frozenset(one.name for one in graph if one.VIEW and places.get(one.name) == places.get(one.inputs[0]))


def lower_bound_bytes(requests: list[Request]) -> int:
    """The largest sum of what lives at the same time."""
    steps = range(max((request.last for request in requests), default=-1) + 1)
    return max((sum(r.size_bytes for r in requests if r.first <= step <= r.last) for step in steps), default=0)


def _callers_places(graph: Graph) -> dict[str, Place]:
    """Tensors that lie in the caller's arrays: inputs and views of them, outputs and what they are views of."""
    places = {layer.name: Place("input", name=layer.name) for layer in graph.inputs}
    for layer in graph.layers:
        if layer.VIEW and layer.inputs[0] in places:
            places[layer.name] = places[layer.inputs[0]]
    for output, end in zip(graph.outputs, graph.ends, strict=True):
        waiting, place = [end], Place("output", name=output.name)
        while waiting:
            layer = waiting.pop()
            if layer.name not in places and (layer is end or layer not in graph.ends):
                places[layer.name] = place
                waiting += graph.inputs_of(layer) if layer.VIEW else ()
        if places[end.name].region == "input":
            places[end.name] = place
    # Views of a tensor in an output lie there too.
    for layer in graph.layers:
        if layer.VIEW and layer.name not in places and layer.inputs[0] in places:
            places[layer.name] = places[layer.inputs[0]]
    return places


def _tensors(graph: Graph, places: Mapping[str, Place]) -> list[Request]:
    """Requests of the arena, tensors that share memory merged."""
    last_read = {name: index for index, layer in enumerate(graph.layers) for name in layer.inputs}
    home: dict[str, Request] = {}
    requests: list[Request] = []
    for index, layer in enumerate(graph.layers):
        if layer.name in places:
            continue
        end = last_read.get(layer.name, index)
        shared = _shared(graph, layer, index, home)
        if shared is None:
            shared = Request([], _aligned(layer.output_bytes), index, end)
            requests.append(shared)
        shared.names.append(layer.name)
        shared.last = max(shared.last, end)
        home[layer.name] = shared
    return requests


def _shared(graph: Graph, layer: Layer, index: int, home: Mapping[str, Request]) -> Request | None:
    """The request of an input that the layer's output can be written over, if any."""
    if layer.VIEW:
        return home.get(layer.inputs[0])
    needed = [home.get(name) for name in layer.inputs if name not in layer.overwritable]
    for name in layer.overwritable:
        request = home.get(name)
        fits = graph[name].output_bytes == layer.output_bytes and request not in needed
        if request and fits and request.last <= index:  # nobody reads it later
            return request
    return None


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def place(requests: list[Request], fast_bytes: int | None = None) -> int:
    """Offsets for all requests; -> bytes of the arena. The best of a few rules, then of shuffles with a fixed seed.

    Of arenas of one size that with the fewest loads from beyond `fast_bytes`; then that whose scratch memory, which is
    used most, lies lowest.
    """
    bound = lower_bound_bytes(requests)
    rules = [
        sorted(requests, key=lambda b: (-b.size_bytes, b.first)),
        sorted(requests, key=lambda b: (-b.size_bytes * (b.last - b.first + 1), b.first)),
        sorted(requests, key=lambda b: (b.first - b.last, -b.size_bytes)),
        list(requests),
    ]
    orders = [sorted(order, key=lambda b: bool(b.names)) for order in rules] + rules
    if fast_bytes is not None:
        orders.append(sorted(requests, key=lambda b: -b.loads / max(1, b.size_bytes)))
    generator = random.Random(0)
    best, best_offsets = (-1, 0.0, 0), [0] * len(requests)
    for attempt in range(len(orders) + SHUFFLES):
        if attempt >= len(orders) and best[0] <= bound and not best[1]:
            break
        order = orders[attempt] if attempt < len(orders) else generator.sample(requests, len(requests))
        size, scratch = _first_fit(order), sum(request.offset_bytes for request in requests if not request.names)
        found = size, slow_loads(requests, fast_bytes), scratch
        if best[0] < 0 or found < best:
            best, best_offsets = found, [request.offset_bytes for request in requests]
    for request, offset in zip(requests, best_offsets, strict=True):
        request.offset_bytes = offset
    return max(best[0], 0)


def slow_loads(requests: list[Request], fast_bytes: int | None) -> float:
    """From beyond `fast_bytes`, as requests lie now."""
    if fast_bytes is None:
        return 0.0
    return sum(one.loads * beyond(one.offset_bytes, one.size_bytes, fast_bytes) for one in requests)


def beyond(offset_bytes: int, size_bytes: int, fast_bytes: int) -> float:
    """What part of a buffer lies beyond `fast_bytes`."""
    over = offset_bytes + size_bytes - fast_bytes
    return min(1.0, max(0.0, over / size_bytes)) if size_bytes else 0.0


def _first_fit(order: list[Request]) -> int:
    """Give each request in turn the lowest offset that is free during its life; -> bytes of the arena."""
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first and last step, the lowest before all others
    for request in order:
        offset, size, first, last = 0, request.size_bytes, request.first, request.last
        for start, end, born, died in placed:
            if offset + size <= start:
                break
            if end > offset and born <= last and first <= died:
                offset = end
        request.offset_bytes = offset
        insort(placed, (offset, offset + size, first, last))
    return max((end for _, end, _, _ in placed), default=0)
