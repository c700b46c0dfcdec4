"""Graph -> Graph: scales and offsets of inputs (Normalization, Rescaling) become part of the weights that read them.

    kernel (scale x + offset) + bias  =  (kernel scale) x + (kernel offset + bias)

A convolution with padding takes over a scale alone: its zeros would have to be those before the offset. Where the
scales of the channels are far apart nothing folds: weights of one format would lose those of the small ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.planes import NO_PADDING, plane
from mcusim.layers.recurrent import Recurrent
from mcusim.layers.reshape import Reshape
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array

READERS = (Convolution, Dense, Recurrent)
FARTHEST = 16.0  # largest scale over the smallest: 4 bits of the weights


def fold_scaling(graph: Graph) -> Graph:
    """Fold until nothing changes."""
    for layer in graph:
        chain = _chain(graph, layer)
        folded = _folded(chain[0], layer) if chain else None
        if folded is not None:
            return fold_scaling(_without(graph, chain, layer, folded))
    return graph


def _chain(graph: Graph, layer: Layer) -> list[Layer]:
    """The scaling whose only reader is `layer`, and what only changes its shape between them."""
    if not isinstance(layer, READERS):
        return []
    chain: list[Layer] = []
    source = graph[layer.inputs[0]]
    while len(graph.consumers(source.name)) == 1 and source not in graph.ends:
        chain.insert(0, source)
        if isinstance(source, BatchNormalization):
            return chain
        if not isinstance(source, Reshape):
            return []
        source = graph[source.inputs[0]]
    return []


def _folded(scaling: Layer, layer: Layer) -> Layer | None:
    """`layer` on what `scaling` reads, or None where it is not the same."""
    assert isinstance(scaling, BatchNormalization) and isinstance(layer, READERS)
    channels = plane(layer.input_shape)[2] if isinstance(layer, Convolution) else layer.kernel.shape[1]
    sizes = np.abs(scaling.kernel)
    if scaling.activation != LINEAR or channels % len(sizes) or sizes.max() > FARTHEST * sizes.min():
        return None
    if isinstance(layer, Convolution) and layer.padding != NO_PADDING and scaling.bias.any():
        return None
    scale, offset = (
        np.tile(array, channels // len(sizes)).astype(np.float64) for array in (scaling.kernel, scaling.bias)
    )
    kernel = layer.kernel.astype(np.float64)
    if isinstance(layer, Convolution):
        scale, offset = (_by_filter(array, layer) for array in (scale, offset))
    added = (kernel * offset).reshape(len(kernel), -1).sum(axis=1)
    bias = (layer.bias + added).astype(np.float32)
    kernel = np.asarray(kernel * scale, np.float32)
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        return None
    own: dict[str, Any] = (
        {"has_bias": layer.has_bias or bool(scaling.bias.any())} if isinstance(layer, WeightedSum) else {}
    )
    return replace(layer, kernel=kernel, bias=bias, **own)


def _by_filter(array: Array, layer: Convolution) -> Array:
    """One number for each input channel -> (filters, 1, 1, channels of the filter's group)."""
    filters = len(layer.kernel) // layer.groups
    return np.repeat(array.reshape(layer.groups, 1, 1, -1), filters, axis=0)


def _without(graph: Graph, chain: list[Layer], layer: Layer, folded: Layer) -> Graph:
    """The graph with `folded` for `layer`, and without the first of `chain`, whose reader reads what it read."""
    scaling, *between = chain
    first = between[0] if between else layer
    layers = []
    for one in graph:
        if one is scaling:
            continue
        made = folded if one is layer else one
        layers.append(replace(made, inputs=scaling.inputs) if one is first else made)
    return replace(graph, layers=tuple(layers))
