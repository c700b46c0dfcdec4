"""Graph -> Graph: affine tensors whose least number stands for 0 are stored without a sign, so that 0 is 0.

Behind a ReLU that is what files have: int8 from a zero of -128 on. Stored 128 higher, in the same byte, nothing has to
be filled in round a plane but zeros, and fast kernels take them as they take those of power-of-two networks. What the
network computes, at its inputs and outputs, stays the same to the bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.add import Add
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.convert import Convert
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.merge import BroadcastAdd, Combined, Merge, Multiply, Subtract
from mcusim.layers.pointwise import Pointwise
from mcusim.layers.pooling import AveragePooling
from mcusim.layers.transposed_convolution import TransposedConvolution
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine
from mcusim.numbers.numbers import Numbers
from mcusim.numbers.tables import Lookup

Zeros = tuple[int, ...]  # how much higher inputs are stored than they were


def store_unsigned(graph: Graph) -> Graph:
    """Whatever reads or writes such a tensor can take it so, or it stays as it is."""
    chosen = _chosen(graph)
    if not chosen:
        return graph
    raised = {name: -graph[name].numbers.minimum for name in chosen}  # type: ignore[union-attr]
    layers = []
    for layer in graph:
        moved = tuple(raised.get(name, 0) for name in layer.inputs)
        own = _unsigned(layer.numbers) if layer.name in chosen else layer.numbers
        layers.append(_stored(layer, moved, own) if any(moved) or own != layer.numbers else layer)
    return replace(graph, layers=tuple(layers))


def _chosen(graph: Graph) -> frozenset[str]:
    """Taken away until all that is left goes together: a layer that keeps numbers reads and writes the same."""
    able = {layer.name for layer in graph if _could_be(layer)} - {end.name for end in graph.ends}
    while True:
        bad = {
            name
            for layer in graph
            for name in (layer.name, *layer.inputs)
            if name in able and not _agrees(layer, name == layer.name, able)
        }
        if not bad:
            return frozenset(able)
        able -= bad


def _could_be(layer: Layer) -> bool:
    numbers = layer.numbers
    if not isinstance(numbers, Affine) or not numbers.signed or numbers.bits != 8:
        return False
    able = layer.WRITES_UNSIGNED or _number_by_number(layer)
    return numbers.zero == numbers.minimum and able and not layer.INPUT


def _agrees(layer: Layer, writes: bool, able: set[str]) -> bool:
    """May it read, or write, what has no sign?"""
    if _keeps(layer):
        return {layer.name, *layer.inputs} <= able
    if isinstance(layer, Pointwise | Merge):
        return _number_by_number(layer)
    return type(layer) in _STORED and (writes or layer.READS_UNSIGNED)


def _number_by_number(layer: Layer) -> bool:
    """Is it a table of 8 bits, or a merge with factors? Their C reads what has no sign; power-of-two ones never do."""
    if isinstance(layer, Pointwise):
        return type(layer.lookup) is Lookup and layer.lookup.entry.bits == 8
    return type(layer) in _STORED and isinstance(layer, Merge) and layer.dtype.itemsize == 1


def _keeps(layer: Layer) -> bool:
    """Are its output's numbers those of its input?"""
    return layer.KEEPS_NUMBERS or (
        isinstance(layer, AveragePooling) and isinstance(layer.averaging, affine.RoundedMean)
    )


def _unsigned(numbers: Numbers | None) -> Numbers:
    assert isinstance(numbers, Affine)
    return replace(numbers, zero=0, signed=False)


def _stored(layer: Layer, moved: Zeros, numbers: Numbers | None) -> Layer:
    if layer.KEEPS_NUMBERS:
        return replace(layer, numbers=numbers)
    return _STORED[type(layer)](layer, moved, numbers)


# -- layer, how much higher its inputs are, and its own numbers -> the layer ------------------------------------------


def _sum(layer: WeightedSum, moved: Zeros, numbers: Affine) -> WeightedSum:
    """Its bias takes off what higher inputs add."""
    weights = layer.kernel.reshape(len(layer.kernel), -1).astype(np.int64)
    bias = layer.bias - moved[0] * weights.sum(axis=1)
    span = (0, 255) if moved[0] else (-128, 127)
    peak = affine.peak_of(weights, bias, *span) if moved[0] else layer.peak_sum
    return _ended(replace(layer, bias=bias, zero=layer.zero + moved[0], peak_sum=peak), numbers)


def _transposed(layer: TransposedConvolution, moved: Zeros, numbers: Affine) -> WeightedSum:
    """Its inputs are taken from their zero one by one."""
    return _ended(replace(layer, zero=layer.zero + moved[0]), numbers)


def _ended(layer: WeightedSum, numbers: Affine) -> WeightedSum:
    assert isinstance(layer.rescale, affine.Multiplied)
    return replace(layer, numbers=numbers, rescale=replace(layer.rescale, numbers=numbers))


def _add(layer: Add | Combined, moved: Zeros, numbers: Affine) -> Add | Combined:
    addition = layer.addition
    assert isinstance(addition, affine.ScaledAddition)
    zeros = tuple(zero + more for zero, more in zip(addition.zeros, moved, strict=True))
    rescale = replace(addition.rescale, numbers=numbers)
    return replace(layer, addition=replace(addition, zeros=zeros, rescale=rescale), numbers=numbers)


def _multiply(layer: Multiply, moved: Zeros, numbers: Affine) -> Multiply:
    product = layer.product
    assert isinstance(product, affine.ScaledProduct)
    zeros = (product.zeros[0] + moved[0], product.zeros[1] + moved[1])
    product = replace(product, zeros=zeros, rescale=replace(product.rescale, numbers=numbers))
    return replace(layer, product=product, numbers=numbers)


def _look_up(layer: Pointwise, moved: Zeros, numbers: Affine) -> Pointwise:
    """Tables begin with the least number, whatever it is stored as."""
    own = layer.lookup
    assert own is not None and layer.numbers is not None
    table = (own.table.astype(np.int64) + numbers.minimum - layer.numbers.minimum).astype(numbers.dtype)
    raised = replace(own, entry=_unsigned(own.entry), table=table) if moved[0] else replace(own, table=table)
    return replace(layer, lookup=replace(raised, numbers=numbers), numbers=numbers)


def _average(layer: AveragePooling, moved: Zeros, numbers: Affine) -> AveragePooling:
    own = layer.averaging
    if isinstance(own, affine.RoundedMean):
        return replace(layer, averaging=replace(own, numbers=numbers), numbers=numbers)
    assert isinstance(own, affine.ScaledMean)
    averaging = replace(own, from_zero=own.from_zero + moved[0], numbers=numbers)
    return replace(layer, averaging=averaging, numbers=numbers)


def _concatenate(layer: Concatenate, moved: Zeros, numbers: Affine) -> Concatenate:
    assert isinstance(layer.numbers, Affine)
    own = layer.conversions or [affine.conversion(layer.numbers, layer.numbers)] * len(moved)
    made = [_converted(one, more, numbers) for one, more in zip(own, moved, strict=True)]
    return replace(layer, conversions=tuple(made), numbers=numbers)


def _convert(layer: Convert, moved: Zeros, numbers: Affine) -> Convert:
    return replace(layer, conversion=_converted(layer.conversion, moved[0], numbers), numbers=numbers)


def _converted(conversion: Any, moved: int, numbers: Affine) -> affine.ScaledConversion:
    assert isinstance(conversion, affine.ScaledConversion)
    return replace(conversion, from_zero=conversion.from_zero + moved, numbers=numbers)


_STORED: Mapping[type[Layer], Callable[[Any, Zeros, Any], Layer]] = {
    Add: _add,
    AveragePooling: _average,
    BroadcastAdd: _add,
    Concatenate: _concatenate,
    Convolution: _sum,
    Dense: _sum,
    Multiply: _multiply,
    Pointwise: _look_up,
    Subtract: _add,
    TransposedConvolution: _transposed,
}
