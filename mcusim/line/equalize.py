"""Graph -> Graph: what one layer makes large in a channel, and the next one small again, is made alike.

Between two sums with nothing but a ReLU, a channel can be scaled by any factor if the next layer takes it back (Nagel
et al., Data-Free Quantization Through Weight Equalization, 2019). Where all weights of a layer, and all numbers of a
tensor, share a scale, small channels keep their bits so: depthwise networks need it. Factors are powers of two, so that
real numbers stay the same to the last bit.
"""

from collections import Counter
from dataclasses import replace
from typing import TypeGuard

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers import Convolution, Dense
from mcusim.layers.planes import plane
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import LINEAR, RELU
from mcusim.system.arrays import Array

Sum = Convolution | Dense
MOST_ROUNDS = 20  # along a chain of layers what one does is felt by the next
LARGEST_POWER = 12  # of a factor: dead channels are left alone


def equalize(graph: Graph) -> Graph:
    """Real layers; none that is an output of the model, or that several read, is scaled."""
    readers = Counter(name for layer in graph for name in set(layer.inputs))
    ends = {end.name for end in graph.ends}
    layers: dict[str, Layer] = {layer.name: layer for layer in graph}
    pairs = [
        (layer.inputs[0], layer.name)
        for layer in graph
        if reads_as_sum(layer) and readers[layer.inputs[0]] == 1 and layer.inputs[0] not in ends
    ]
    for _ in range(MOST_ROUNDS):
        changed = [_equalized(layers, *pair) for pair in pairs]
        if not any(changed):
            break
    return replace(graph, layers=tuple(layers.values()))


def reads_as_sum(layer: Layer) -> TypeGuard[Sum]:
    return isinstance(layer, (Convolution, Dense)) and layer.numbers is None


def _equalized(layers: dict[str, Layer], first: str, second: str) -> bool:
    """Was anything left to do?"""
    one, other = layers[first], layers[second]
    if not isinstance(one, (Convolution, Dense)) or one.numbers is not None or one.activation not in (LINEAR, RELU):
        return False
    assert isinstance(other, (Convolution, Dense))
    if channels_of(other) != len(one.kernel):
        return False
    powers = _powers(_peaks(one.kernel.reshape(len(one.kernel), -1)), _peaks(_by_channel(other)))
    if not powers.any():
        return False
    layers[first] = _scaled_outputs(one, -powers)
    layers[second] = scaled_inputs(other, powers)
    return True


def _peaks(rows: Array) -> Array:
    return np.asarray(np.abs(rows).max(axis=1, initial=0.0), np.float64)


def _powers(made: Array, read: Array) -> Array:
    """Of two, by which channels are divided: then the largest weights on both sides are as good as equal."""
    alive = (made > 0) & (read > 0) & np.isfinite(made) & np.isfinite(read)
    ratio = np.where(alive, made, 1) / np.where(alive, read, 1)
    powers = np.rint(np.log2(ratio) / 2)
    middle = np.median(powers[alive]) if alive.any() else 0  # of all alike nothing is won
    return np.where(alive, np.clip(powers - np.rint(middle), -LARGEST_POWER, LARGEST_POWER), 0).astype(np.int64)


def channels_of(layer: Sum) -> int:
    return plane(layer.input_shape)[2] if isinstance(layer, Convolution) else int(layer.kernel.shape[1])


def _by_channel(layer: Sum) -> Array:
    """Weights (channels, ..), a row for each channel of the input."""
    if isinstance(layer, Dense):
        return layer.kernel.T
    groups, own = layer.groups, layer.kernel.shape[3]
    rows = layer.kernel.reshape(groups, len(layer.kernel) // groups, -1, own)
    return np.asarray(rows.transpose(0, 3, 1, 2).reshape(groups * own, -1))


def _scaled_outputs(layer: Sum, powers: Array) -> WeightedSum:
    kernel = np.ldexp(layer.kernel, powers.reshape(-1, *(1,) * (layer.kernel.ndim - 1)))
    return replace(layer, kernel=kernel.astype(np.float32), bias=np.ldexp(layer.bias, powers).astype(np.float32))


def scaled_inputs(layer: Sum, powers: Array) -> WeightedSum:
    if isinstance(layer, Dense):
        return replace(layer, kernel=np.ldexp(layer.kernel, powers).astype(np.float32))
    filters = len(layer.kernel) // layer.groups
    each = np.repeat(powers.reshape(layer.groups, 1, 1, -1), filters, axis=0)
    return replace(layer, kernel=np.ldexp(layer.kernel, each).astype(np.float32))
