"""Where the channels of a layer go: through layers that keep them apart, to those that mix them; and without some.

A channel can be left out where all that read it are sums: their weights for it are left out, too. Along the way the
last axis of each tensor holds all channels, once or, behind a Flatten, once for each position.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mcusim import layers
from mcusim.approximate.approximation import Degrees, Reduced, refuse
from mcusim.graph import Graph, Layer
from mcusim.layers.pooling import Pooling
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.system.arrays import Array

APART = (layers.ReLU, layers.Pointwise, layers.ZeroPadding, layers.Reshape, Pooling)
BY_CHANNEL = (layers.BatchNormalization, layers.PReLU)
Reader = layers.Convolution | layers.Dense
TOO_FEW = "fewer than a pair can go"


@dataclass(frozen=True)
class Path:
    """From the layer `start`, whose `channels` are meant, through `passing` to `readers`: names.

    `added`: other layers, whose channels are added to these, so that they go with them.
    """

    start: str
    channels: int
    passing: tuple[str, ...]
    readers: tuple[str, ...]
    added: tuple[str, ...] = ()

    @property
    def starts(self) -> tuple[str, ...]:
        return (self.start, *self.added)


def path_of(graph: Graph, start: Layer, *, through_sums: bool = False) -> Path | str:
    """Or why there is none."""
    channels, tensors, before = start.shape[-1], {start.name}, set[str]()
    while tensors != before:
        before = set(tensors)
        for layer in graph:
            reads = not tensors.isdisjoint(layer.inputs)
            passes = _keeps_apart(layer, channels) or (through_sums and isinstance(layer, layers.Add))
            if passes and (reads or layer.name in tensors):
                tensors |= {layer.name, *layer.inputs}
            elif reads and not _mixes(layer):
                return f"{layer.name!r} ({layer.kind}) reads its channels"
    return _path_of(graph, start, tensors)


def _path_of(graph: Graph, start: Layer, tensors: set[str]) -> Path | str:
    """`tensors`: all that hold the channels of `start`."""
    holding = [layer for layer in graph if layer.name in tensors]
    added = [layer.name for layer in holding if can_start(layer) and layer.name != start.name]
    passing = [one for one in holding if one.name not in (start.name, *added)]
    readers = [layer.name for layer in graph if _mixes(layer) and not tensors.isdisjoint(layer.inputs)]
    outputs = tensors & {end.name for end in graph.ends}
    if outputs:
        return f"{min(outputs)!r} is an output"
    other = next((one for one in passing if one.INPUT), None)
    if other:
        return f"{other.name!r} ({other.kind}) is added to its channels"
    both = {start.name, *added} & set(readers)
    if both:
        return f"{min(both)!r} reads channels that its own are added to"
    return Path(start.name, start.shape[-1], tuple(one.name for one in passing), tuple(readers), tuple(added))


def reader_of(graph: Graph, name: str) -> Reader:
    layer = graph[name]
    assert isinstance(layer, (layers.Convolution, layers.Dense))
    return layer


def can_start(layer: Layer) -> bool:
    """Does it have filters of its own, real ones, that can be left out?"""
    return _mixes(layer) and layer.numbers is None


def _mixes(layer: Layer) -> bool:
    return isinstance(layer, layers.Dense) or (isinstance(layer, layers.Convolution) and layer.groups == 1)


def _keeps_apart(layer: Layer, channels: int) -> bool:
    if not layer.shape or layer.shape[-1] % channels:
        return False
    by_channel = isinstance(layer, BY_CHANNEL) and len(layer.kernel) % channels == 0
    return isinstance(layer, APART) or by_channel or (isinstance(layer, layers.Convolution) and layer.is_depthwise)


def places(chosen: Array, channels: int, size: int) -> Array:
    """Of `chosen` channels on an axis of `size`, which holds all of them once or several times."""
    return np.asarray((np.arange(0, size, channels)[:, None] + chosen).reshape(-1))


def only(graph: Graph, path: Path, chosen: Array) -> Graph:
    """With these channels alone, in this order."""

    def part(layer: Layer) -> Layer:
        if layer.name in path.starts:
            assert isinstance(layer, WeightedSum)
            return _filters(layer, chosen)
        if layer.name in path.readers:
            return _inputs(layer, path, chosen)
        return _passing(layer, path, chosen) if layer.name in path.passing else layer

    return replace(graph, layers=tuple(map(part, graph.layers)))


def _filters(layer: WeightedSum, chosen: Array) -> WeightedSum:
    shape = (*layer.shape[:-1], len(chosen))
    return replace(layer, kernel=np.ascontiguousarray(layer.kernel[chosen]), bias=layer.bias[chosen], shape=shape)


def _inputs(layer: Layer, path: Path, chosen: Array) -> Layer:
    assert isinstance(layer, (layers.Convolution, layers.Dense))
    own = places(chosen, path.channels, layer.kernel.shape[-1])
    cut = replace(layer, kernel=np.ascontiguousarray(layer.kernel[..., own]))
    return replace(cut, input_shape=(*cut.input_shape[:-1], len(own))) if isinstance(cut, layers.Convolution) else cut


def _passing(layer: Layer, path: Path, chosen: Array) -> Layer:
    own = places(chosen, path.channels, layer.shape[-1])
    changes: dict[str, object] = {"shape": (*layer.shape[:-1], len(own))}
    if isinstance(layer, (Pooling, layers.ZeroPadding, layers.Convolution)):
        changes["input_shape"] = (*layer.input_shape[:-1], len(own))
    if isinstance(layer, layers.Convolution):
        changes["groups"] = len(own)
    if isinstance(layer, WeightedSum):
        weights = own if isinstance(layer, layers.Convolution) else places(chosen, path.channels, len(layer.kernel))
        changes |= {"kernel": np.ascontiguousarray(layer.kernel[weights]), "bias": layer.bias[weights]}
    return replace(layer, **changes)  # type: ignore[arg-type]


def replaced(graph: Graph, new: Mapping[str, Layer]) -> Graph:
    """With other layers of these names."""
    return replace(graph, layers=tuple(new.get(layer.name, layer) for layer in graph))


def each_wanted(
    made: Reduced, kind: str, degrees: Degrees, approximated: Callable[[Reduced, Layer, int], Reduced | str]
) -> tuple[Reduced, dict[str, str]]:
    """`approximated` (made, layer, channels) of one layer after the other, and by name why it was not of others.

    Raises ConfigurationError where one of those was named by the user, and cannot be whatever is wanted of it.
    """
    refused: dict[str, str] = {}
    for name in [layer.name for layer in made.graph]:
        layer = made.graph[name]
        count = degrees.count(name, layer.shape[-1], made.gone(kind, name)) if layer.shape else 0
        if not count or not (can_start(layer) or name in degrees.layers):
            continue
        found = made.step((kind, name, count), partial(approximated, made, layer, count))
        if isinstance(found, str):
            refuse(degrees, name, kind, found)
            refused[name] = found
        elif found.skipped == made.skipped:
            refused[name] = TOO_FEW
        else:
            made = found
    return made, refused
