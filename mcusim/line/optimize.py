"""Graph -> Graph: fold padding, batch normalization and scales, fuse ReLU, drop what inference does not need.

None of the passes changes what the model computes, but for rounding in float32. They run in this order:
a batch normalization must reach its convolution before a ReLU is fused between them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcusim import layers
from mcusim.graph import Graph, Layer
from mcusim.layers.merge import Merge
from mcusim.layers.planes import NO_PADDING, plane
from mcusim.layers.pooling import Pooling
from mcusim.layers.recurrent import Recurrent
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.drop_unread import drop_unread
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array

Pass = Callable[[Layer, Layer], "Layer | None"]
READERS = (layers.Convolution, layers.Dense, Recurrent)
FARTHEST = 16.0  # largest scale over the smallest: 4 bits of the weights


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
        is_last = isinstance(end, layers.Softmax) and not graph.consumers(end.name)
        if is_last and end.numbers is None and not graph[end.inputs[0]].INPUT:
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
    if isinstance(first, layers.ZeroPadding) and isinstance(second, layers.Convolution) and fill == second.zero:
        return second.with_padding(first.padding, first.input_shape, first.inputs)
    return None


def merge_normalization(first: Layer, second: Layer) -> Layer | None:
    """Convolution or dense + batch normalization -> the same sum with scaled weights. Integers have none to spare."""
    if not isinstance(second, layers.BatchNormalization) or not isinstance(
        first, (layers.Convolution, layers.Dense, layers.TransposedConvolution)
    ):
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
        isinstance(second, layers.ReLU)
        and isinstance(first, (WeightedSum, Pooling, layers.Add, Merge))
        and first.activation == LINEAR
        and first.numbers == second.numbers
    ):
        return replace(first, activation=second.activation)
    return None


def relu_first(graph: Graph) -> Graph:
    """An activation behind a max-pool moves before it, where only the pool reads that layer, which ends in a sum.

    The largest of limited numbers is the limited largest one: no real number changes. Of integers what the layer before
    the pool stores covers half of the range then, in steps as much finer, and its sums end in fewer instructions.
    """
    new: dict[str, Layer] = {}
    for pool in graph:
        if isinstance(pool, layers.MaxPooling) and pool.activation != LINEAR and _reads_a_sum(graph, pool):
            first = graph[pool.inputs[0]]
            limited = replace(first, activation=pool.activation)  # type: ignore[call-arg]
            above_zero = limited.nonnegative((False,) * len(first.inputs))  # which kernels behind the pool want to know
            new[first.name], new[pool.name] = limited, replace(pool, activation=LINEAR, above_zero=above_zero)
    return replace(graph, layers=tuple(new.get(layer.name, layer) for layer in graph)) if new else graph


def _reads_a_sum(graph: Graph, pool: layers.MaxPooling) -> bool:
    first = graph[pool.inputs[0]]
    if not isinstance(first, WeightedSum | layers.Add | Merge) or first.activation != LINEAR:
        return False
    return len(graph.consumers(first.name)) == 1 and all(end.name != first.name for end in graph.ends)


def fold_scaling(graph: Graph) -> Graph:
    """Scales and offsets of inputs (Normalization, Rescaling) become part of the weights that read them.

        kernel (scale x + offset) + bias  =  (kernel scale) x + (kernel offset + bias)

    A convolution with padding takes over a scale alone: its zeros would have to be those before the offset. Where the
    scales of the channels are far apart nothing folds: weights of one format would lose those of the small ones.
    Once through the layers, each takes over all scalings that it is the reader of.
    """
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
        if isinstance(layer, layers.BatchNormalization):
            return chain
        if not isinstance(layer, layers.Reshape):
            break
    return []


def _folded(scaling: Layer, layer: Layer) -> Layer | None:
    """`layer` on what `scaling` reads, or None where it is not the same."""
    assert isinstance(scaling, layers.BatchNormalization) and isinstance(layer, READERS)
    channels = plane(layer.input_shape)[2] if isinstance(layer, layers.Convolution) else layer.kernel.shape[1]
    sizes = np.abs(scaling.kernel)
    if scaling.numbers or layer.numbers:  # integers have no place for them
        return None
    if scaling.activation != LINEAR or channels % len(sizes) or sizes.max() > FARTHEST * sizes.min():
        return None
    if isinstance(layer, layers.Convolution) and layer.padding != NO_PADDING and scaling.bias.any():
        return None
    scale, offset = (
        np.tile(array, channels // len(sizes)).astype(np.float64) for array in (scaling.kernel, scaling.bias)
    )
    kernel = layer.kernel.astype(np.float64)
    if isinstance(layer, layers.Convolution):
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


def _by_filter(array: Array, layer: layers.Convolution) -> Array:
    """One number for each input channel -> (filters, 1, 1, channels of the filter's group)."""
    filters = len(layer.kernel) // layer.groups
    return np.repeat(array.reshape(layer.groups, 1, 1, -1), filters, axis=0)
