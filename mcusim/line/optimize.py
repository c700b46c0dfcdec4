"""Graph -> Graph: fold padding and batch normalization, fuse ReLU, drop what inference does not need.

None of the passes changes what the model computes, but for rounding in float32. They run in this order:
a batch normalization must reach its convolution before a ReLU is fused between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.activation import LINEAR, ReLU
from mcusim.layers.add import Add
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.pooling import Pooling
from mcusim.layers.softmax import Softmax
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.layers.zero_padding import ZeroPadding

Merge = Callable[[Layer, Layer], "Layer | None"]


def optimize(graph: Graph) -> Graph:
    """The same model with fewer layers."""
    graph = drop_softmax(graph)
    for merge in (merge_padding, merge_normalization, merge_relu):
        graph = merge_pairs(graph, merge)
    return graph


def drop_softmax(graph: Graph) -> Graph:
    """Without the Softmax at the output, which changes no decision; softmax elsewhere stays."""
    layers = graph.layers
    if isinstance(graph.output, Softmax) and len(layers) > 2 and graph.output.inputs == (layers[-2].name,):
        return replace(graph, layers=layers[:-1], notes=(*graph.notes, f"dropped the softmax {graph.output.name!r}"))
    return graph


def merge_pairs(graph: Graph, merge: Merge) -> Graph:
    """Replace (first, second) by `merge(first, second)` wherever only second reads first, until nothing changes."""
    for second in graph.layers:
        if len(second.inputs) != 1:
            continue
        first = graph[second.inputs[0]]
        merged = merge(first, second) if len(graph.consumers(first.name)) == 1 and first is not graph.input else None
        if merged is not None:
            return merge_pairs(_replaced(graph, first, second, merged), merge)
    return graph


def _replaced(graph: Graph, first: Layer, second: Layer, merged: Layer) -> Graph:
    """The graph with `merged` where `second` was and `first` gone; readers of `second` read `merged`."""
    layers = [merged if layer is second else layer for layer in graph.layers if layer is not first]
    renamed = [
        replace(layer, inputs=tuple(merged.name if name == second.name else name for name in layer.inputs))
        for layer in layers
    ]
    return replace(graph, layers=tuple(renamed))


def merge_padding(first: Layer, second: Layer) -> Layer | None:
    """ZeroPadding + convolution -> convolution with that padding."""
    if isinstance(first, ZeroPadding) and isinstance(second, Convolution):
        return second.with_padding(first.padding, first.input_shape, first.inputs)
    return None


def merge_normalization(first: Layer, second: Layer) -> Layer | None:
    """Convolution or dense + batch normalization -> the same sum with scaled weights."""
    if not isinstance(second, BatchNormalization) or not isinstance(first, (Convolution, Dense)):
        return None
    if first.activation != LINEAR or second.activation != LINEAR:
        return None
    scale = second.kernel.reshape(-1, *(1,) * (first.kernel.ndim - 1))
    kernel = (first.kernel * scale).astype(np.float32)
    bias = (first.bias * second.kernel + second.bias).astype(np.float32)
    return replace(first, kernel=kernel, bias=bias, has_bias=True)


def merge_relu(first: Layer, second: Layer) -> Layer | None:
    """A layer that ends in a sum or a largest value + ReLU -> the layer with that activation."""
    if isinstance(second, ReLU) and isinstance(first, (WeightedSum, Pooling, Add)) and first.activation == LINEAR:
        return replace(first, activation=second.activation)
    return None
