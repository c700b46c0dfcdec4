"""Graph + what the framework computed -> the first layer that computes something else, or None.

Each layer is given the framework's own values of what it reads. So rounding does not add up through a deep network, a
layer that is right is not blamed for one before it, and the bound can be tight: it is found from the layer itself, by
asking how far its output moves when its inputs move by as little as rounding moves them. Integers have no such bound:
they are those of the framework, or wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of, records_of

# Sums of some ten thousand products, in whatever order, stay below both; see tests/line/test_layer_by_layer.py.
OF_LARGEST = 100  # rounding units of the layer's largest number
OF_MOVED = 64  # times the distance that rounded inputs move it


@dataclass(frozen=True)
class Difference:
    """Of all samples and numbers of a layer's output, the one that is furthest off."""

    layer: str
    kind: str
    ours: float
    theirs: float
    sample: int


def first_difference(graph: Graph, x: Array, theirs: Mapping[str, Array], unit: float) -> Difference | None:
    """`x`: samples of the graph, `theirs`: outputs (N, ..) of its layers by name, as far as they are known.

    `unit`: relative rounding error of the type that they were computed in.
    """
    values: dict[str, Array] = {}
    moved: dict[str, Array] = {}

    def take(layer: Layer, value: Array) -> None:
        values[layer.name] = value.astype(layer.dtype)
        moved[layer.name] = values[layer.name] if layer.numbers else shaken(value, unit)

    for layer, column in zip(graph.inputs, fields_of(graph.encode(x)).values(), strict=True):
        take(layer, column)
    with np.errstate(all="ignore"):
        for layer in graph:
            if layer.INPUT:
                continue
            values[layer.name] = layer.run(*(values[name] for name in layer.inputs))
            ran = layer.run(*(moved[name] for name in layer.inputs))
            moved[layer.name] = ran if layer.numbers else shaken(ran, unit)
            if layer.name in theirs:
                found = _difference(layer, values[layer.name], moved[layer.name], theirs[layer.name], unit)
                if found:
                    return found
                take(layer, theirs[layer.name].reshape(values[layer.name].shape))
    return None


def _difference(layer: Layer, ours: Array, moved: Array, theirs: Array, unit: float) -> Difference | None:
    if theirs.size != ours.size:
        return Difference(layer.name, layer.kind, float(ours.size), float(theirs.size), 0)
    ours, moved, theirs = (array.reshape(len(array), -1).astype(np.float64) for array in (ours, moved, theirs))
    off = distance(ours, theirs)
    if off.max(initial=0.0) <= (0.0 if layer.numbers else bound(theirs, distance(ours, moved), unit)):
        return None
    sample, element = np.unravel_index(int(np.argmax(off)), off.shape)
    return Difference(layer.name, layer.kind, float(ours[sample, element]), float(theirs[sample, element]), int(sample))


def shaken(values: Array, unit: float) -> Array:
    """Numbers (or records of them), each moved by up to a `unit` of itself."""
    random = np.random.RandomState(0)
    return records_of(
        {
            name: (field * (1 + unit * random.uniform(-1, 1, field.shape))).astype(np.float32)
            for name, field in fields_of(values).items()
        }
    )


def distance(one: Array, other: Array) -> Array:
    """Of each number; 0 where both are NaN or the same infinity, infinite where only one is."""
    with np.errstate(invalid="ignore"):
        off = np.abs(one.astype(np.float64) - other)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(same, 0.0, np.where(np.isnan(off), np.inf, off))


def bound(theirs: Array, moves: Array, unit: float) -> float:
    """What rounding may come to. `moves`: distances (N, ..) that rounded inputs move the output."""
    largest = np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)
    far = moves[np.isfinite(moves)].max(initial=0.0)
    return float(OF_LARGEST * unit * largest + OF_MOVED * far)
