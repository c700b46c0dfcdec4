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


# Of 250 layers of all kinds, profiled on the L452, where the same C comes out a tenth more or less: nine of ten are
# within a fifth. Where windows hang over the edge, columns inside are told for each output.
INTEGERS, INTEGERS_HANGING = Prices(3, 14, 9.0), Prices(10, 22, 8.8)
LONG = Prices(4, 23, 8.8)  # sums of 64 bits
REALS, REALS_HANGING = Prices(4, 8, 10.9), Prices(16, 4, 10.8)
ONE_CHANNEL, ONE_CHANNEL_HANGING = Prices(5, 12, 10.5), Prices(12, 12, 10.7)  # of a group
OF_BYTES = 1.0  # that a product of one channel takes less in int8
NARROW_ROW = 3  # where one or two columns need no loop
ONE_CHANNEL_UNROLLED, ONE_REAL = Prices(0, 0, 11.5), Prices(14, 0, 14)
UNROLLED, UNROLLED_REALS = Prices(8, 0, 2.4), Prices(12, 0, 3)  # all filters
FEW, FEW_REALS = Prices(6, 0, 8.3), Prices(12, 0, 9)
AFFINE, AFFINE_ONE_CHANNEL = Prices(28, 0, 9.1), Prices(28, 0, 11.8)
OWN_FACTOR = 42  # more for an output whose channel has a factor of its own
OUTSIDE_TAP, OUTSIDE_WEIGHT = 12, 6.6  # of windows that may hang over the edge, where 0 is stored as another number
MOST_FEW, MOST_UNROLLED = 2, 4  # products of an output; products of all filters


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
        return _one_channel(layer, is_whole)
    if is_whole and layer.kernel.size <= MOST_UNROLLED:
        return UNROLLED_REALS if layer.numbers is None else UNROLLED
    if is_whole and products <= MOST_FEW:
        return FEW_REALS if layer.numbers is None else FEW
    if layer.numbers is not None and layer.peak_sum > ACCUMULATOR_LIMIT:
        return LONG
    whole, hanging = (REALS, REALS_HANGING) if layer.numbers is None else (INTEGERS, INTEGERS_HANGING)
    return whole._replace(row=NARROW_ROW) if _is_narrow(layer) else whole if is_whole else hanging


def _one_channel(layer: Convolution, is_whole: bool) -> Prices:
    products = layer.kernel[0].size
    if is_whole and products <= MOST_FEW:
        return ONE_REAL if layer.numbers is None and products == 1 else ONE_CHANNEL_UNROLLED
    price = ONE_CHANNEL if is_whole else ONE_CHANNEL_HANGING
    if layer.number_bytes == 1:
        price = price._replace(product=price.product - OF_BYTES)
    return price._replace(row=NARROW_ROW) if _is_narrow(layer) else price


def _is_narrow(layer: Convolution) -> bool:
    """Are there so few columns that the compiler counts them beforehand?"""
    _, height, width, _ = layer.kernel.shape
    return plane(layer.shape)[1] <= MOST_FEW or bool(height > 1 and width <= MOST_FEW)


def taps_inside(length: int, outputs: int, size: int, stride: int, before: int, dilation: int = 1) -> int:
    """Taps along an axis that lie inside, of all outputs."""
    places = np.arange(outputs)[:, None] * stride - before + np.arange(size) * dilation
    return int(np.sum((places >= 0) & (places < length)))
