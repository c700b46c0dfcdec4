"""Real Graph -> Graph: channels that were the same number on all calibration samples are not computed.

Training leaves filters behind whose sums never get above zero. What reads such a channel gets a constant, which goes
into its bias; where a window at an edge sees zeros in place of another number, the channel stays.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from mcusim.approximate.approximation import Reduced, Wanted, in_pairs, listed, refuse, together
from mcusim.approximate.paths import Path, Reader, can_start, only, path_of, places, reader_of, replaced
from mcusim.graph import Graph, Skipped
from mcusim.layers import Convolution
from mcusim.system.arrays import Array

NAME = "dead_channels"
SUMMARY = "channels that calibration samples never activate are left out"
DEFAULT = True
ON_INTEGERS = False


def reduce(made: Reduced, wanted: Wanted) -> Reduced:
    degrees = wanted.degrees[NAME]
    found = made.step((NAME, degrees.default, *sorted(degrees.layers.items())), partial(_reduced, made, wanted))
    assert isinstance(found, Reduced)
    own = tuple(one for one in found.skipped if one.kind == NAME)
    told = f"channels that no calibration sample activates are not computed: {listed(own)}"
    return replace(found, notes=(*made.notes, told)) if own else found


def _reduced(made: Reduced, wanted: Wanted) -> Reduced:
    least, most = _ends(made.graph, made.samples)
    for layer in made.graph:
        if not can_start(layer) or not wanted.degrees[NAME].of(layer.name):
            continue
        path = path_of(made.graph, layer)
        if isinstance(path, str):
            refuse(wanted.degrees[NAME], layer.name, NAME, path)
            continue
        dead = _dead(made.graph, path, least, most)
        dead = dead[len(dead) - in_pairs(len(dead), path.channels) :] if len(dead) else dead
        if len(dead):
            made = _without(made, path, dead, least)
    return made


def _ends(graph: Graph, samples: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """Of each place on the last axis of all tensors the least and the largest number."""
    least: dict[str, Array] = {}
    most: dict[str, Array] = {}
    for values in graph.values(samples):
        for name, value in values.items():
            rows = value.reshape(-1, value.shape[-1])
            low, high = rows.min(axis=0), rows.max(axis=0)
            least[name] = np.minimum(least.get(name, low), low)
            most[name] = np.maximum(most.get(name, high), high)
    return least, most


def _dead(graph: Graph, path: Path, least: dict[str, Array], most: dict[str, Array]) -> Array:
    """Channels that all readers get as a constant."""
    dead = np.full(path.channels, bool(path.readers))
    for name in path.readers:
        reader = graph[name]
        low, high = least[reader.inputs[0]], most[reader.inputs[0]]
        steady = (low == high) & np.isfinite(low)
        if isinstance(reader, Convolution) and any(map(any, reader.padding)):
            steady &= low == 0
        dead &= steady.reshape(-1, path.channels).all(axis=0)
    return np.flatnonzero(dead)


def _without(made: Reduced, path: Path, dead: Array, constants: dict[str, Array]) -> Reduced:
    kept = np.setdiff1d(np.arange(path.channels), dead)
    readers = [reader_of(made.graph, name) for name in path.readers]
    new = {one.name: _folded(one, path, dead, constants[one.inputs[0]]) for one in readers}
    graph = only(replaced(made.graph, new), path, kept)
    skipped = Skipped(NAME, path.start, len(dead), path.channels)
    own = {**made.kept, path.start: made.filters_of(path.start)[kept]}
    return replace(made, graph=graph, kept=own, skipped=together(made.skipped, skipped))


def _folded(reader: Reader, path: Path, dead: Array, constants: Array) -> Reader:
    """What the constants make of its sums goes into the bias."""
    own = places(dead, path.channels, reader.kernel.shape[-1])
    added = (reader.kernel[..., own].astype(np.float64) * constants[own]).reshape(len(reader.kernel), -1).sum(axis=1)
    if not added.any():
        return reader
    return replace(reader, bias=(reader.bias + added).astype(np.float32), has_bias=True)
