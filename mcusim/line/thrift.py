"""Graph + options of its layers -> the graph with pairs of layers that save much RAM for few cycles, and what runs it.

Nothing is short of memory here: pairs are made, as kernels are exchanged in `select.py`, within the cycles that less
memory may cost. A room for every step is tried that is a little smaller than the largest step was. Some layers do not
fit in it, or only with slower kernels; pairs that are alive beside them are made as long as that brings the network
nearer to what it may take. Pairs take time to look at, so those that bounds tell to be hopeless are left out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcusim.graph import Graph, Layer
from mcusim.kernels.bands import band_options
from mcusim.kernels.bands.cuts import computed_twice, why_not
from mcusim.kernels.choice import Destination, KernelChoice, Option
from mcusim.layers.fused import Fused
from mcusim.line import arena
from mcusim.line.knapsack import Options, cycles, flash_bytes
from mcusim.line.select import Choice, fastest_cycles, frugal, most_cycles_of, ram_bytes

WORTH_IT = 0.95  # of the largest step: what leaves more is no reason to make pairs
LEAST_BYTES = 1024  # likewise, of what they save
SLACK = 1.0175  # of the cycles: bands are priced less surely than layers, and in all it shall be no more than 2 %
Cost = tuple[int, float]  # layers that do not fit in a room, cycles of the fastest options that do


def thrifty(graph: Graph, options: Options, destination: Destination, kernels: KernelChoice | None = None) -> Choice:
    """What is chosen where no limit is in the way; that of `destination` is not looked at.

    No pairs are made where there is no board, since what portable C takes is only guessed, nor of layers for which
    kernels are named.
    """
    selected = frugal(options, arena.live_bytes(graph), most_cycles_of(options))
    now = Choice(graph, selected, options, destination, cycles(selected))
    if destination.core is not None:
        search = _Search(destination, kernels, SLACK * fastest_cycles(options))
        while (smaller := search.smaller(now)) is not None and _is_worth_it(smaller, now):
            now = smaller
    return now


def _is_worth_it(smaller: Choice, now: Choice) -> bool:
    """Code for the first and the last band is flash that pairs take: no more than they save of RAM."""
    saved = ram_bytes(now.graph, now.selected) - ram_bytes(smaller.graph, smaller.selected)
    return saved >= LEAST_BYTES and flash_bytes(smaller.selected) - flash_bytes(now.selected) <= saved


@dataclass(frozen=True)
class _Hope:
    """A pair, the graph with it, and bounds. `others`: of all other layers, `together`: cycles of its own, `again`:
    those of them that two bands both take, at least.
    """

    pair: Fused
    graph: Graph
    alive: Mapping[str, int]
    others: Cost
    together: float
    again: float

    @property
    def bound(self) -> Cost:
        stuck, others = self.others
        return stuck, others + self.together + self.again

    @property
    def key(self) -> tuple[Cost, str]:
        return self.bound, self.pair.name


@dataclass(frozen=True)
class _Search:
    destination: Destination
    kernels: KernelChoice | None
    most_cycles: float
    known: dict[tuple[str, ...], tuple[float, int, list[Option]]] = field(default_factory=dict)

    def smaller(self, now: Choice) -> Choice | None:
        """With as many pairs as make the largest step smaller; None where none can, or only for too many cycles."""
        alive = arena.live_bytes(now.graph)
        room = int(WORTH_IT * max(alive[name] + option.ram_bytes for name, option in now.selected.items()))
        graph, options, cost = now.graph, now.options, _cost(alive, now.options, room)
        while cost > (0, self.most_cycles):
            further = self._one_pair_more(graph, options, room, cost)
            if further is None:
                return None
            graph, options, cost = further
        selected = frugal(options, arena.live_bytes(graph), self.most_cycles)
        return Choice(graph, selected, options, self.destination, cycles(selected))

    def _one_pair_more(
        self, graph: Graph, options: Options, room: int, cost: Cost
    ) -> tuple[Graph, Options, Cost] | None:
        """The one that costs least; None where none costs less than `cost`."""
        best, least = None, cost
        for hope in sorted(self._hopeful(graph, options, room), key=lambda one: one.key):
            if hope.bound >= least:
                break
            several = self._options(hope, options, room, least if best else None)
            own = with_options(options, hope.graph, hope.pair, several)
            found = _cost(hope.alive, own, room)
            if several and found < least:
                best, least = hope, found
        if best is None:
            return None
        own = with_options(options, best.graph, best.pair, self._options(best, options, room))
        return best.graph, own, _cost(best.alive, own, room)

    def _hopeful(self, graph: Graph, options: Options, room: int) -> Iterator[_Hope]:
        """Pairs beside whose first layer a step is too large."""
        alive, places = arena.live_bytes(graph), {layer.name: index for index, layer in enumerate(graph)}
        large = [places[name] for name, several in options.items() if alive[name] + several[0].ram_bytes > room]
        for pair in pairs_of(graph):
            parts = pair.first.name, pair.second.name
            named = self.kernels and any(map(self.kernels.for_layer, parts))
            if not named and any(places[parts[0]] <= place <= places[parts[1]] for place in large):
                made = with_pair(graph, pair)
                live = arena.live_bytes(made)
                share = computed_twice(pair, room - live[pair.name])
                if share is not None:
                    rest = {name: several for name, several in options.items() if name not in parts}
                    first, second = (options[name][0].cycles for name in parts)
                    yield _Hope(pair, made, live, _cost(live, rest, room), first + second, share * first)

    def _options(self, hope: _Hope, options: Options, room: int, least: Cost | None = None) -> list[Option]:
        """Of the pair. `least`: only those with which the network costs less."""
        pair, spare = hope.pair, self.most_cycles - fastest_cycles(options)
        near = _Near(tuple(_near(options[one.name], spare) for one in (pair.first, pair.second)))
        if least and hope.others[0] == least[0]:
            spare = min(spare, least[1] - hope.others[1] - hope.together)
        key, most_cycles, most_bytes = (pair.name, *pair.inputs), hope.together + spare, room - hope.alive[pair.name]
        known_cycles, known_bytes, several = self.known.get(key, (-math.inf, 0, []))
        if most_cycles > known_cycles or most_bytes > known_bytes:
            inputs = hope.graph.inputs_of(pair)
            several = band_options(pair, inputs, self.destination, near, most_cycles, most_bytes)
            self.known[key] = most_cycles, most_bytes, several
        return several


@dataclass(frozen=True)
class _Near:
    """Kernels of both layers of a pair that are worth a look: those that could run them alone."""

    layers: tuple[tuple[str, tuple[str, ...]], ...]

    def for_layer(self, layer: str) -> tuple[str, ...]:
        return dict(self.layers)[layer]


def _near(several: Sequence[Option], spare: float) -> tuple[str, tuple[str, ...]]:
    names = (option.kernel.NAME for option in several if option.cycles <= several[0].cycles + spare)
    return several[0].layer.name, tuple(dict.fromkeys(names))


def _cost(alive: Mapping[str, int], options: Options, room: int) -> Cost:
    stuck, fastest = 0, 0.0
    for name, several in options.items():
        fitting = next((one for one in several if alive[name] + one.ram_bytes <= room), None)
        stuck += fitting is None
        fastest += fitting.cycles if fitting else several[0].cycles if several else 0.0
    return stuck, fastest


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
