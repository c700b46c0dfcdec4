"""Graph -> Graph: fold padding and batch normalization, fuse ReLU, drop what inference does not need.

None of the passes changes what the model computes, but for rounding in float32. They run in this order:
a batch normalization must reach its convolution before a ReLU is fused between them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers import Add, BatchNormalization, Convolution, Dense, ReLU, Softmax, TransposedConvolution, ZeroPadding
from mcusim.layers.merge import Merge
from mcusim.layers.pooling import Pooling
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.drop_unread import drop_unread
from mcusim.line.fold_scaling import fold_scaling
from mcusim.numbers.numbers import LINEAR

Pass = Callable[[Layer, Layer], "Layer | None"]


def optimize(graph: Graph) -> Graph:
    """The same model with fewer layers; of integers no bit changes.

    A softmax at its end stays: whether it is needed is the task's business.
    """
    return drop_unread(merged(graph))


def merged(graph: Graph) -> Graph:
    """All of that but what leaves out numbers that nobody reads."""
    for merge in (merge_padding, merge_normalization):
        graph = merge_pairs(graph, merge)
    return merge_pairs(fold_scaling(graph), merge_relu)


def drop_softmax(graph: Graph, keep: Collection[str] = ()) -> Graph:
    """Without the Softmax at an output, which changes no decision; elsewhere it stays, and at outputs to `keep`.

    One of integers stays, too: where two of its numbers are equal, those before it may not be.
    """
    for number, (output, end) in enumerate(zip(graph.outputs, graph.ends, strict=True)):
        if output.name in keep or (len(graph.outputs) == 1 and "" in keep):
            continue
        if (
            isinstance(end, Softmax)
            and end.numbers is None
            and not graph.consumers(end.name)
            and not graph[end.inputs[0]].INPUT
        ):
            outputs = list(graph.outputs)
            outputs[number] = replace(output, layer=end.inputs[0])
            graph = replace(
                graph,
                layers=tuple(layer for layer in graph if layer is not end),
                outputs=tuple(outputs),
                notes=(*graph.notes, f"dropped the softmax {end.name!r}"),
            )
    return graph


def merge_pairs(graph: Graph, merge: Pass) -> Graph:
    """Replace (first, second) by `merge(first, second)` wherever only second reads first, until nothing changes.

    Once through the layers: what was merged is looked at again, with the layer before it.
    """
    readers = Counter(name for layer in graph for name in set(layer.inputs))
    ends = {layer.name for layer in graph.ends}
    kept: dict[str, Layer] = {}
    renamed: dict[str, str] = {}
    for original in graph:
        inputs = tuple(renamed.get(name, name) for name in original.inputs)
        layer = original if inputs == original.inputs else replace(original, inputs=inputs)
        while (first := _only_input(layer, kept)) and readers[first.name] == 1 and first.name not in ends:
            merged = merge(first, layer)
            if merged is None:
                break
            del kept[first.name]
            layer = merged
        renamed[original.name] = layer.name
        readers[layer.name] = readers[original.name]
        if original.name in ends:
            ends.add(layer.name)
        kept[layer.name] = layer
    outputs = tuple(replace(output, layer=renamed[output.layer]) for output in graph.outputs)
    return replace(graph, layers=tuple(kept.values()), outputs=outputs)


def _only_input(layer: Layer, kept: Mapping[str, Layer]) -> Layer | None:
    """The layer that it reads, unless it reads several, or an input of the model."""
    first = kept.get(layer.inputs[0]) if len(layer.inputs) == 1 else None
    return None if first is None or first.INPUT else first


def merge_padding(first: Layer, second: Layer) -> Layer | None:
    """ZeroPadding + convolution -> convolution with that padding, where both fill it with the same number."""
    fill = 0 if first.numbers is None else first.numbers.zero
    if isinstance(first, ZeroPadding) and isinstance(second, Convolution) and fill == second.zero:
        return second.with_padding(first.padding, first.input_shape, first.inputs)
    return None


def merge_normalization(first: Layer, second: Layer) -> Layer | None:
    """Convolution or dense + batch normalization -> the same sum with scaled weights. Integers have none to spare."""
    if not isinstance(second, BatchNormalization) or not isinstance(first, (Convolution, Dense, TransposedConvolution)):
        return None
    if first.activation != LINEAR or second.activation != LINEAR or first.rescale or second.rescale:
        return None
    scale = second.kernel.reshape(-1, *(1,) * (first.kernel.ndim - 1))
    kernel = (first.kernel * scale).astype(np.float32)
    bias = (first.bias * second.kernel + second.bias).astype(np.float32)
    return replace(first, kernel=kernel, bias=bias, has_bias=True)


def merge_relu(first: Layer, second: Layer) -> Layer | None:
    """A layer that ends in a sum or a largest value + ReLU -> the layer with that activation.

    Integers, too, while the numbers stay: saturated first or last, they are the same.
    """
    if (
        isinstance(second, ReLU)
        and isinstance(first, (WeightedSum, Pooling, Add, Merge))
        and first.activation == LINEAR
        and first.numbers == second.numbers
    ):
        return replace(first, activation=second.activation)
    return None
