"""Source + samples -> Source whose input channels reach about as far: one scale is then as fine for each as it can be.

All of an input shares the steps of 8 bits, and the channel that reaches farthest decides over them, which normalizing
by deviations does not change: accelerations of a person who sits lie within 3 of them, the peaks of one who walks at
10. The deviation that a channel is divided by may as well be another one, if the weights that read the channel take it
back (`equalize.py` between layers). Factors are powers of two, so that real numbers stay the same to the last bit;
nothing is added on the board, and any runtime computes what comes out.
"""

from dataclasses import replace

import numpy as np

from mcusim.datasets.dataset import Normalization
from mcusim.graph import Graph, Layer
from mcusim.line.equalize import LARGEST_POWER, channels_of, reads_as_sum, scaled_inputs
from mcusim.models.source import Source
from mcusim.numbers.cutting import cut
from mcusim.numbers.numbers import Range
from mcusim.numbers.spread import Spread
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of

LEVELS = 256  # of the numbers that would lose least in a channel: what these cut off does not count as its range


def equal_inputs(source: Source, samples: Array) -> Source:
    """`samples`: raw, all that there are of training. Inputs stay as they are where nothing normalizes them, or
    something reads them that is no sum of real weights."""
    graph, normalizations = source.graph, dict(source.normalizations)
    for layer, (name, column) in zip(graph.inputs, fields_of(samples).items(), strict=True):
        if name in normalizations and _can_be_scaled(graph, layer) and len(column):
            powers = _powers(column, normalizations[name])
            graph = replace(graph, layers=tuple(_reading(one, layer.name, powers) for one in graph))
            normalizations[name] = _times(normalizations[name], powers)
    return replace(source, graph=graph, normalizations=normalizations)


def _can_be_scaled(graph: Graph, layer: Layer) -> bool:
    if any(layer.name == end.name for end in graph.ends) or layer.numbers is not None:
        return False
    return all(reads_as_sum(one) and channels_of(one) == layer.shape[-1] for one in graph.consumers(layer.name))


def _reading(layer: Layer, name: str, powers: Array) -> Layer:
    return scaled_inputs(layer, -powers) if name in layer.inputs and reads_as_sum(layer) else layer


def _powers(x: Array, normalization: Normalization) -> Array:
    """(channels,), of two, by which channels are multiplied, so that each reaches as far as the widest, about."""
    each = zip(np.moveaxis(x, -1, 0), normalization.mean, normalization.std, strict=True)
    widths = np.array([_width((channel - np.float32(mean)) / np.float32(std)) for channel, mean, std in each])
    alive = (widths > 0) & np.isfinite(widths)
    ratios = np.where(alive, widths.max(where=alive, initial=0), 1) / np.where(alive, widths, 1)
    return np.clip(np.rint(np.log2(ratios)), 0, LARGEST_POWER).astype(np.int64)


def _width(x: Array) -> float:
    with np.errstate(invalid="ignore"):
        values = Range(min(0.0, float(x.min())), max(0.0, float(x.max())), spread=Spread.of(x))
    kept = cut(values, "mse", LEVELS)
    return kept.high - kept.low


def _times(normalization: Normalization, powers: Array) -> Normalization:
    std = np.ldexp(np.array(normalization.std), -powers)
    return Normalization(normalization.mean, tuple(std.tolist()))
