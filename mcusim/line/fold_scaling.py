"""Graph -> Graph: scales and offsets of inputs (Normalization, Rescaling) become part of the weights that read them.

    kernel (scale x + offset) + bias  =  (kernel scale) x + (kernel offset + bias)

A convolution with padding takes over a scale alone: its zeros would have to be those before the offset. Where the
scales of the channels are far apart nothing folds: weights of one format would lose those of the small ones.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers import BatchNormalization, Convolution, Dense, Reshape
from mcusim.layers.planes import NO_PADDING, plane
from mcusim.layers.recurrent import Recurrent
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array

READERS = (Convolution, Dense, Recurrent)
FARTHEST = 16.0  # largest scale over the smallest: 4 bits of the weights


def fold_scaling(graph: Graph) -> Graph:
    """Fold until nothing changes: once through the layers, each takes over all scalings that it is the reader of."""
    readers = Counter(name for layer in graph for name in set(layer.inputs))
    passed = {name for name, count in readers.items() if count == 1} - {end.name for end in graph.ends}
    kept: dict[str, Layer] = {}
    for layer in graph:
        kept[layer.name] = layer
        while _takes_over(kept, passed, layer.name):
            pass
    return replace(graph, layers=tuple(kept.values()))


def _takes_over(kept: dict[str, Layer], passed: Collection[str], name: str) -> bool:
    """Fold the next scaling into a layer, if there is one. `passed`: tensors that one layer reads, and nobody else."""
    chain = _chain(kept, passed, kept[name])
    folded = _folded(chain[-1], kept[name]) if chain else None
    if folded is None:
        return False
    kept[name] = folded
    *between, scaling = chain
    first = kept[between[-1].name if between else name]
    kept[first.name] = replace(first, inputs=scaling.inputs)
    del kept[scaling.name]
    return True


def _chain(kept: Mapping[str, Layer], passed: Collection[str], layer: Layer) -> list[Layer]:
    """From a reader back to the scaling: what only changes its shape between them, and the scaling itself."""
    if not isinstance(layer, READERS):
        return []
    chain: list[Layer] = []
    while layer.inputs and layer.inputs[0] in passed:
        layer = kept[layer.inputs[0]]
        chain.append(layer)
        if isinstance(layer, BatchNormalization):
            return chain
        if not isinstance(layer, Reshape):
            break
    return []


def _folded(scaling: Layer, layer: Layer) -> Layer | None:
    """`layer` on what `scaling` reads, or None where it is not the same."""
    assert isinstance(scaling, BatchNormalization) and isinstance(layer, READERS)
    channels = plane(layer.input_shape)[2] if isinstance(layer, Convolution) else layer.kernel.shape[1]
    sizes = np.abs(scaling.kernel)
    if scaling.numbers or layer.numbers:  # integers have no place for them
        return None
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
