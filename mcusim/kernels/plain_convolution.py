"""What plain C takes for a convolution: nothing for taps in the padding, little for windows that are unrolled."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.affine import Affine
from mcusim.numbers.integers import ACCUMULATOR_LIMIT


class Prices(NamedTuple):
    """Cycles of what is done once for each output, each row of its window, each product."""

    output: float
    row: float
    product: float


# Of some hundred layers of all kinds, profiled on the L452, where the same C comes out a tenth more or less.
INTEGERS = Prices(6, 8, 8.6)
LONG = Prices(4, 23, 8.8)  # sums of 64 bits
REALS = Prices(10, 8, 9.5)
ONE_CHANNEL = Prices(5, 12, 10.5)  # of a group
ONE_CHANNEL_UNROLLED = Prices(0, 0, 7.5)
UNROLLED = Prices(8, 0, 2.4)  # all filters
FEW = Prices(9, 0, 8.3)
AFFINE, AFFINE_ONE_CHANNEL = Prices(28, 0, 9.1), Prices(28, 0, 11.8)
OWN_FACTOR = 42  # more for an output whose channel has a factor of its own
OUTSIDE_TAP, OUTSIDE_WEIGHT = 12, 6.6  # of windows that may hang over the edge, where 0 is stored as another number
MOST_FEW, MOST_UNROLLED = 2, 4  # products of an output; products of all filters, or of one in a depthwise convolution


def convolution_cycles(layer: Convolution) -> float:
    """For one sample."""
    (height, width, _), (rows, columns, filters) = plane(layer.input_shape), plane(layer.shape)
    sizes = layer.kernel.shape[1:3]
    down, across = (
        taps_inside(length, outputs, size, stride, before, dilation)
        for length, outputs, size, stride, (before, _), dilation in zip(
            (height, width), (rows, columns), sizes, layer.strides, layer.padding, layer.dilation, strict=True
        )
    )
    if isinstance(layer.numbers, Affine):
        return _affine_cycles(layer, down * across)
    is_whole = down * across == rows * columns * math.prod(sizes)
    price = _prices(layer, is_whole)
    products = down * across * layer.kernel.shape[3]
    a_filter: float = price.output * rows * columns + price.row * down * columns + price.product * products
    return filters * a_filter


def _affine_cycles(layer: Convolution, taps: int) -> float:
    """`taps`: inside of the plane, of all windows of a filter."""
    filters, rows, columns, channels = layer.kernel.shape
    price = AFFINE_ONE_CHANNEL if layer.groups > 1 and channels == 1 else AFFINE
    output = price.output + OWN_FACTOR * has_factors(layer)
    total = output * layer.elements + price.product * filters * taps * channels
    if layer.zero and any(map(any, layer.padding)):
        every = layer.elements * rows * columns
        total += OUTSIDE_TAP * every + OUTSIDE_WEIGHT * (every - filters * taps) * channels
    return float(total)


def has_factors(layer: WeightedSum) -> bool:
    """Has each channel one of its own?"""
    return bool(layer.rescale and layer.rescale.constants)


def _prices(layer: Convolution, is_whole: bool) -> Prices:
    """`is_whole`: does no window hang over the plane?"""
    products = layer.kernel[0].size
    if layer.groups > 1 and layer.kernel.shape[3] == 1:
        return ONE_CHANNEL_UNROLLED if is_whole and products <= MOST_UNROLLED else ONE_CHANNEL
    if is_whole and layer.kernel.size <= MOST_UNROLLED:
        return UNROLLED
    if is_whole and products <= MOST_FEW:
        return FEW
    if layer.numbers is None:
        return REALS
    return LONG if layer.peak_sum > ACCUMULATOR_LIMIT else INTEGERS


def taps_inside(length: int, outputs: int, size: int, stride: int, before: int, dilation: int = 1) -> int:
    """Taps along an axis that lie inside, of all outputs."""
    places = np.arange(outputs)[:, None] * stride - before + np.arange(size) * dilation
    return int(np.sum((places >= 0) & (places < length)))
