"""Graph -> Graph: channels that are the same number for every input are not computed, nor are those that nobody reads.

Training leaves filters dead, and files keep them: 971 of 1,344 in the last nine convolutions of one tap in MLPerf's
person detector. Behind a dead filter a depthwise one is dead, too, and what a convolution makes of it goes into its
bias, where no edge sees zeros in its place. Only models that are quantized in their files come here; what they compute
stays the same to the bit.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, TypeGuard

import numpy as np

from mcusim.graph import Graph, Layer, Shape
from mcusim.layers import Convolution, Dense, Reshape
from mcusim.layers.pooling import Pooling
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.affine import Multiplied, Scaled
from mcusim.system.arrays import Array

TOGETHER = 4  # channels that fast kernels take at a time: so many are left, or a multiple


class Constants(NamedTuple):
    """Of the channels of a tensor: which are the same number everywhere and always, and which number."""

    there: Array
    values: Array


def drop_constant(graph: Graph) -> Graph:
    """The same graph where there is nothing to leave out."""
    if not graph.is_quantized:
        return graph
    passing = frozenset(layer.name for layer in graph if _passes_channels(layer, graph))
    known: dict[str, Constants] = {}
    for layer in graph:
        known[layer.name] = _constants(layer, known, layer.name in passing)
    gone = {name: _in_fours(mask) for name, mask in _left_out(graph, known, passing).items()}
    filters = sum(int(gone[layer.name].sum()) for layer in graph if isinstance(layer, Convolution))
    if not filters:
        return graph
    layers = tuple(_without(layer, gone, known) for layer in graph)
    note = f"{filters} filters give the same number for all inputs, or one that nobody reads: they are not computed"
    return replace(graph, layers=layers, notes=(*graph.notes, note))


# -- what is constant --------------------------------------------------------------------------------------------------


def _constants(layer: Layer, known: Mapping[str, Constants], passes: bool) -> Constants:
    count = layer.shape[-1] if layer.shape else 1
    if not (passes or _can_be_cut(layer)):
        return Constants(np.zeros(count, bool), np.zeros(count, np.int64))
    entry = known[layer.inputs[0]]
    if isinstance(layer, Convolution):
        return _of_convolution(layer, _steady(layer, entry))
    if isinstance(layer, Pooling):
        shape = (1, *layer.input_shape)
        found = layer.run(np.broadcast_to(entry.values, shape)).reshape(-1, count)
        return Constants(entry.there & (found == found[0]).all(axis=0), found[0].astype(np.int64))
    return entry


def _steady(layer: Convolution, entry: Constants) -> Constants:
    """Those that windows see as constants, at the edges too."""
    whole = entry.values == layer.zero if any(map(any, layer.padding)) else True
    return Constants(entry.there & whole, entry.values)


def _of_convolution(layer: Convolution, steady: Constants) -> Constants:
    taps, used = _taps(layer), (layer.kernel != 0).any(axis=(1, 2))
    values = np.where(steady.there, steady.values, 0)
    if layer.is_depthwise:
        return Constants(~used[:, 0] | steady.there, layer.finish((taps[:, 0] * values)[None])[0].astype(np.int64))
    same = ~(used & ~steady.there).any(axis=1)
    return Constants(same, layer.finish((taps @ values)[None])[0].astype(np.int64))


def _taps(layer: Convolution) -> Array:
    """(filters, channels of a group): sums of weights."""
    return np.asarray(layer.kernel.sum(axis=(1, 2), dtype=np.int64))


# -- what is left out --------------------------------------------------------------------------------------------------


def _left_out(graph: Graph, known: Mapping[str, Constants], passing: frozenset[str]) -> dict[str, Array]:
    """Of each tensor what its layer can leave out, and all that read it can do without. Taken back until both agree."""
    ends = {end.name for end in graph.ends}
    able = {layer.name for layer in graph if _can_be_cut(layer)} | passing
    gone = {name: np.full(one.there.shape, name in able - ends) for name, one in known.items()}
    while True:
        before = sum(int(mask.sum()) for mask in gone.values())
        for layer in graph:
            for name in layer.inputs:
                gone[name] &= gone[layer.name] if layer.name in passing else _spared(layer, known[name])
            if layer.name in passing:
                gone[layer.name] &= gone[layer.inputs[0]]
        if sum(int(mask.sum()) for mask in gone.values()) == before:
            return gone


def _spared(layer: Layer, entry: Constants) -> Array:
    """Channels of its input that a layer does not need which mixes them."""
    if _can_be_cut(layer):
        return _steady(layer, entry).there | ~layer.kernel.any(axis=(0, 1, 2))
    if isinstance(layer, Dense):
        return entry.there | ~layer.kernel.any(axis=0)
    return np.zeros_like(entry.there)


def _in_fours(gone: Array) -> Array:
    """Some of them are kept, so that fast kernels fit."""
    kept = len(gone) - int(gone.sum())
    wanted = min(len(gone), max(TOGETHER, -(-kept // TOGETHER) * TOGETHER))
    back = np.flatnonzero(gone)[: wanted - kept]
    left = gone.copy()
    left[back] = False
    return left


def _can_be_cut(layer: Layer) -> TypeGuard[Convolution]:
    """Is it a convolution in one group, or a depthwise one, on affine numbers?"""
    return (
        isinstance(layer, Convolution)
        and isinstance(layer.rescale, Multiplied)
        and isinstance(layer.kernel_numbers, Scaled)
        and (layer.groups == 1 or layer.is_depthwise)
    )


def _passes_channels(layer: Layer, graph: Graph) -> bool:
    """Is each channel of its output made of the same one of its input alone?"""
    if isinstance(layer, Reshape):  # of one position
        return layer.elements == layer.shape[-1] == graph[layer.inputs[0]].shape[-1]
    return isinstance(layer, Pooling) or (_can_be_cut(layer) and layer.is_depthwise)


# -- without it --------------------------------------------------------------------------------------------------------


def _without(layer: Layer, gone: Mapping[str, Array], known: Mapping[str, Constants]) -> Layer:
    kept = ~gone[layer.name]
    if len(layer.inputs) != 1:
        return layer
    less, entry = gone[layer.inputs[0]], known[layer.inputs[0]]
    if kept.all() and not less.any():
        return layer
    if isinstance(layer, Pooling):
        return replace(layer, shape=_cut(layer.shape, kept), input_shape=_cut(layer.input_shape, ~less))
    if isinstance(layer, Reshape):
        return replace(layer, shape=_cut(layer.shape, kept))
    assert isinstance(layer, WeightedSum)
    if not (isinstance(layer, Convolution) and layer.is_depthwise):
        layer = _folded(layer, less, entry)
    if isinstance(layer, Convolution):
        groups = int(kept.sum()) if layer.is_depthwise else 1
        layer = replace(layer, input_shape=_cut(layer.input_shape, ~less), groups=groups)
    return _filters(layer, kept)


def _folded(layer: WeightedSum, less: Array, entry: Constants) -> WeightedSum:
    """Without some channels of its input, whose products go into the bias; weights of those that vary are 0."""
    taps = _taps(layer) if isinstance(layer, Convolution) else layer.kernel.astype(np.int64)
    added = taps[:, less] @ np.where(entry.there, entry.values, 0)[less]
    kernel = np.ascontiguousarray(layer.kernel[..., ~less])
    return replace(layer, kernel=kernel, bias=layer.bias + added, has_bias=layer.has_bias or bool(added.any()))


def _filters(layer: WeightedSum, kept: Array) -> WeightedSum:
    """Those alone."""
    if kept.all():
        return layer
    rescale, numbers = layer.rescale, layer.kernel_numbers
    assert isinstance(rescale, Multiplied) and isinstance(numbers, Scaled)
    if rescale.factors.multipliers.size > 1:
        factors = rescale.factors
        fewer = replace(factors, multipliers=factors.multipliers[kept], shifts=factors.shifts[kept])
        rescale = replace(rescale, factors=fewer)
    if len(numbers.scales) > 1:
        numbers = replace(numbers, scales=tuple(np.array(numbers.scales)[kept].tolist()))
    kernel, bias = np.ascontiguousarray(layer.kernel[kept]), layer.bias[kept]
    shape = _cut(layer.shape, kept)
    return replace(layer, kernel=kernel, bias=bias, rescale=rescale, kernel_numbers=numbers, shape=shape)


def _cut(shape: Shape, kept: Array) -> Shape:
    return (*shape[:-1], int(kept.sum()))
