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
    """Cycles of what is done once for each output, each row of its window, each product, each position of all filters,
    and each tap of channels in groups.
    """

    output: float
    row: float
    product: float
    position: float = 0
    tap: float = 0


# Of some 500 layers of all kinds, profiled on the L452, where the same C comes out a tenth more or less. Where windows
# hang over the edge, columns inside are told for each output.
INTEGERS, INTEGERS_HANGING = Prices(4.9, 9.9, 9.2), Prices(20.3, 14.4, 9.0, 12.5)
GROUPS, GROUPS_HANGING = Prices(13.5, 25.9, 9.4), Prices(2, 11, 9.2, 2.8, 14.2)  # or gaps between columns
GROUPS_LINE = 17  # of such a row, where it is more than one column
PAIRS, PAIRS_HANGING = Prices(0, 8.6, 9.5), Prices(0, 0, 10.8)  # groups of two channels
OF_INTEGERS = {INTEGERS: 0.4, INTEGERS_HANGING: 0.7, GROUPS_HANGING: 0.7, PAIRS: 1.0, PAIRS_HANGING: 1.5}  # as OF_BYTES
LONG = Prices(4, 23, 8.8)  # sums of 64 bits
REALS, REALS_HANGING = Prices(4, 8, 10.9), Prices(16, 4, 10.8)
ONE_CHANNEL, ONE_CHANNEL_HANGING = Prices(5, 12, 10.5), Prices(12, 12, 10.7)  # of a group
OF_BYTES = 1.0  # that a product of one channel takes less in int8
NARROW_ROW = 3  # where one or two columns need no loop
NARROW = Prices(3, NARROW_ROW, 9.0)
ONE_CHANNEL_UNROLLED, ONE_REAL = Prices(0, 0, 11.5), Prices(14, 0, 14)
UNROLLED, UNROLLED_REALS = Prices(8, 0, 2.4), Prices(12, 0, 3)  # all filters
FEW, FEW_REALS = Prices(6, 0, 8.3), Prices(12, 0, 9)
AFFINE, AFFINE_ONE_CHANNEL = Prices(28, 0, 9.1), Prices(28, 0, 11.8)
AFFINE_HANGING, OWN_FACTOR_HANGING = Prices(2, 24, 9.1, 39.6), 35  # of channels in one group
OWN_FACTOR = 42  # more for an output whose channel has a factor of its own
OUTSIDE_TAP, OUTSIDE_WEIGHT = 12, 6.6  # of windows that may hang over the edge, where 0 is stored as another number
AFFINE_OUTSIDE_TAP, AFFINE_OUTSIDE_WEIGHT = 10.6, 7.3  # likewise, of channels in one group
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
    counts = _Counts(rows * columns, filters, down * columns, down * across)
    if isinstance(layer.numbers, Affine):
        return _affine_cycles(layer, counts)
    return counts.cycles(_prices(layer, down * across == rows * columns * math.prod(sizes)), layer.kernel.shape[3])


class _Counts(NamedTuple):
    """Outputs of a filter, filters; rows of windows and taps that are inside of the plane, of a filter."""

    positions: int
    filters: int
    rows: int
    taps: int

    def cycles(self, price: Prices, channels: int) -> float:
        """`channels`: of a group."""
        a_filter: float = price.output * self.positions + price.row * self.rows + price.tap * self.taps
        return price.position * self.positions + self.filters * (a_filter + price.product * self.taps * channels)


def _affine_cycles(layer: Convolution, counts: _Counts) -> float:
    _, rows, columns, channels = layer.kernel.shape
    price = AFFINE_ONE_CHANNEL if layer.groups > 1 and channels == 1 else AFFINE
    factor, outside_tap, outside_weight = float(OWN_FACTOR), float(OUTSIDE_TAP), OUTSIDE_WEIGHT
    if _is_one_product(layer) and any(map(any, layer.padding)):
        price, factor = AFFINE_HANGING, OWN_FACTOR_HANGING
        outside_tap, outside_weight = AFFINE_OUTSIDE_TAP, AFFINE_OUTSIDE_WEIGHT
    total = counts.cycles(price, channels) + factor * has_factors(layer) * layer.elements
    if layer.zero and any(map(any, layer.padding)):
        every = layer.elements * rows * columns
        total += outside_tap * every + outside_weight * (every - counts.filters * counts.taps) * channels
    return float(total)


def _is_one_product(layer: Convolution) -> bool:
    """Is a row of a window one scalar product, since taps lie side by side?"""
    return layer.groups == 1 and layer.dilation[1] == 1


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
    if layer.numbers is None:
        return REALS._replace(row=NARROW_ROW) if _is_narrow(layer) else REALS if is_whole else REALS_HANGING
    price = _of_integers(layer)
    less = OF_INTEGERS.get(price, 0) if layer.number_bytes == 1 else 0
    return price._replace(product=price.product - less)


def _of_integers(layer: Convolution) -> Prices:
    hanging = any(map(any, layer.padding))
    if _is_one_product(layer):
        return INTEGERS if not hanging else NARROW if _is_narrow(layer) else INTEGERS_HANGING
    if layer.kernel.shape[3] == MOST_FEW:
        return PAIRS_HANGING if hanging else PAIRS
    if hanging:
        return GROUPS_HANGING
    return GROUPS if layer.kernel.shape[2] > 1 else GROUPS._replace(row=GROUPS.row - GROUPS_LINE)


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
