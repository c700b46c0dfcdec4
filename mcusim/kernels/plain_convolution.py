"""What plain C takes for a convolution, about: by what the compiler makes of its loops, which the layer decides.

Its innermost loop takes 8 cycles in int8, or 9 where it lies at an odd halfword (10 and 11 in float32), which nobody
knows before it is built. So half of all layers are off by more than a twentieth, whatever is said here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.affine import Affine
from mcusim.numbers.integers import ACCUMULATOR_LIMIT

Class = tuple[str, ...]


class Prices(NamedTuple):
    """Cycles of a layer, and of each position of all filters, each output, each row of a window, each tap of channels
    in groups, and each product; `of_bytes`: that a product of bytes takes less; `relu`: of each output of reals.

    Of affine numbers: `factor`, of an output whose channel has one of its own; where 0 in the padding is another
    number, of each tap, `padded`, and each weight `outside` of the plane.
    """

    once: float = 0
    position: float = 0
    output: float = 0
    row: float = 0
    tap: float = 0
    product: float = 0
    of_bytes: float = 0
    factor: float = 0
    padded: float = 0
    outside: float = 0
    relu: float = 0


# Fitted to some 1,400 layers, profiled on the L452 at 48 MHz. What a class is, `_class` tells; where there is none the
# one of fewer words counts.
PRICES: dict[Class, Prices] = {
    # affine numbers
    ("affine", "group", "many", "whole"): Prices(
        once=22, position=41, output=30.4, row=3.8, product=9.6, factor=22.2, padded=15.6, outside=7.7
    ),
    ("affine", "group", "many", "whole", "narrow"): Prices(
        once=18.4, position=37.9, output=33.6, row=2.3, product=9.4, factor=37.7, padded=16.4, outside=7.7
    ),
    ("affine", "group", "many", "hang"): Prices(
        once=22.8, position=31.5, output=50.2, row=26.5, product=8.7, factor=25.9, padded=13.5, outside=7.7
    ),
    ("affine", "group", "one", "whole"): Prices(
        once=5.1, position=2.1, output=21.6, row=1.7, tap=2.5, product=9.7, factor=28.8, padded=9, outside=9.8
    ),
    ("affine", "group", "one", "whole", "narrow"): Prices(
        once=0.1, output=21, row=0.4, product=9.7, factor=36.8, padded=11.2, outside=9.8
    ),
    ("affine", "group", "one", "hang"): Prices(
        once=11.7, position=10.2, output=4.8, tap=2.9, product=10.8, factor=36.7, padded=12.2, outside=11.1
    ),
    ("affine", "group", "one", "hang", "narrow"): Prices(
        once=11.5, position=18, output=19.5, row=11.5, tap=0.4, product=10.8, factor=34.9, outside=10.3
    ),
    ("affine", "side"): Prices(
        once=20, position=5.4, output=28.1, row=12.4, product=8.9, factor=36.8, padded=11.8, outside=7.5
    ),
    ("affine", "side", "whole"): Prices(
        once=22.4, position=0.8, output=28.4, row=10.8, product=8.9, factor=36.9, padded=9.5, outside=6.6
    ),
    ("affine", "side", "hang"): Prices(
        once=14.1, position=26, output=19.7, row=19, product=8.7, factor=41.2, padded=11, outside=7.6
    ),
    ("affine", "side", "hang", "narrow"): Prices(
        once=13.6, position=35.1, output=9.8, row=22.6, product=8.2, factor=50.9, padded=14, outside=6.9
    ),
    ("affine", "side", "hang", "down"): Prices(
        once=10.5, position=22.5, output=25.6, row=15.1, product=9.1, factor=29.4, padded=11.4, outside=7.4
    ),
    # integers
    ("integers", "group", "many", "whole"): Prices(once=54.7, position=9.2, row=11.2, product=9.9, of_bytes=0.2),
    ("integers", "group", "many", "whole", "narrow"): Prices(
        once=51.3, output=13.9, row=9.9, product=9.3, of_bytes=0.1
    ),
    ("integers", "group", "many", "hang"): Prices(once=46.8, output=30.5, row=27.7, tap=3.9, product=9.4, of_bytes=0.6),
    ("integers", "group", "many", "hang", "narrow"): Prices(
        once=48.5, position=12.6, output=31.1, row=17.2, tap=1.5, product=9.5, of_bytes=0.8
    ),
    ("integers", "group", "one", "whole"): Prices(once=31.1, output=11.3, row=5.9, tap=4.7, product=6.3, of_bytes=1.2),
    ("integers", "group", "one", "whole", "narrow"): Prices(once=25.2, output=12.4, row=6.6, product=5.5, of_bytes=2.2),
    ("integers", "group", "one", "hang"): Prices(
        once=60, position=17.7, output=13.7, row=5.3, tap=5.7, product=6.6, of_bytes=1.6
    ),
    ("integers", "group", "one", "hang", "narrow"): Prices(
        once=58.4, position=25.2, output=12.9, row=10.7, product=5.1, of_bytes=1.2
    ),
    ("integers", "side", "few"): Prices(once=76.3, position=1, product=10.8, of_bytes=0.6),
    ("integers", "side", "few", "one"): Prices(position=6.3, output=15.6, of_bytes=2.7),
    ("integers", "side", "pair"): Prices(output=13.7, product=5.5, of_bytes=0.4),
    ("integers", "side", "pair", "down"): Prices(position=23, row=8.8, product=7.9, of_bytes=0.3),
    ("integers", "side", "whole"): Prices(once=13.6, output=14, row=7.7, product=9.1, of_bytes=0.4),
    ("integers", "side", "whole", "down"): Prices(
        once=13.7, position=2.7, output=17.8, row=18.5, product=8.7, of_bytes=0.4
    ),
    ("integers", "side", "hang"): Prices(once=9.5, position=8.6, output=14.3, row=13.4, product=9.3, of_bytes=0.4),
    ("integers", "side", "hang", "narrow"): Prices(
        once=5.4, position=35.9, output=15.6, row=16.5, product=8.7, of_bytes=0.6
    ),
    ("integers", "side", "hang", "down"): Prices(
        once=3.4, position=24.9, output=7.8, row=12.7, product=9.4, of_bytes=0.2
    ),
    ("integers", "unrolled"): Prices(once=56.3, position=3.3, output=2.9, product=3.8, of_bytes=1),
    # float32
    ("float32", "group", "many", "whole"): Prices(once=34.2, position=2.3, output=4.4, row=8.4, product=11.6, relu=5),
    ("float32", "group", "many", "hang"): Prices(once=30.6, output=33.5, row=14, product=10.8, relu=5),
    ("float32", "group", "one", "whole"): Prices(once=36.8, output=9.5, row=0.8, tap=0.2, product=11.9, relu=5),
    ("float32", "group", "one", "hang"): Prices(once=44.2, output=5.8, row=7.4, tap=1.1, product=12.1, relu=5),
    ("float32", "group", "one", "hang", "narrow"): Prices(
        once=47.9, position=3.5, output=11, row=6.2, product=9.8, relu=5
    ),
    ("float32", "side", "few"): Prices(once=153, product=10.9, relu=4.2),
    ("float32", "side", "few", "one"): Prices(once=91.5, position=10.1, output=13.6, relu=5.5),
    ("float32", "side", "pair"): Prices(output=10.9, product=7.4, relu=5),
    ("float32", "side", "pair", "down"): Prices(position=13.3, output=1.4, row=7.4, product=8.4, relu=5.7),
    ("float32", "side", "whole"): Prices(once=1.7, output=9.2, row=2.8, product=10.5, relu=5),
    ("float32", "side", "hang"): Prices(once=17.8, output=13.6, row=11.8, product=10.5, relu=5),
    ("float32", "side", "hang", "narrow"): Prices(once=21.1, position=1.6, output=10.4, row=10.3, product=10.1, relu=5),
    ("float32", "side", "hang", "down"): Prices(once=18, position=9.2, output=19.3, row=10.3, product=10.2, relu=5),
    ("float32", "unrolled"): Prices(once=91.6, position=2.3, output=3.4, product=3.7, relu=5.7),
}
LONG = Prices(output=4, row=23, product=8.8)  # sums of 64 bits
OWN_FACTOR = 42  # of a dense layer: more for an output whose channel has a factor of its own
MOST_FEW, MOST_UNROLLED = 2, 2  # products of a row; filters


def convolution_cycles(layer: Convolution) -> float:
    """For one sample."""
    counts = _counts(layer)
    if layer.numbers is not None and not isinstance(layer.numbers, Affine) and layer.peak_sum > ACCUMULATOR_LIMIT:
        price = LONG
    else:
        price = _price(_class(layer))
    return float(sum(cycles * count for cycles, count in zip(price, counts, strict=True)))


def _inside(layer: Convolution) -> tuple[int, int]:
    """Rows of all windows of a column of outputs that lie in the plane, and columns likewise."""
    (height, width, _), (rows, columns, _) = plane(layer.input_shape), plane(layer.shape)
    down, across = (
        taps_inside(length, outputs, size, stride, before, dilation)
        for length, outputs, size, stride, (before, _), dilation in zip(
            (height, width),
            (rows, columns),
            layer.kernel.shape[1:3],
            layer.strides,
            layer.padding,
            layer.dilation,
            strict=True,
        )
    )
    return down, across


def _counts(layer: Convolution) -> Prices:
    """How often there is what is priced."""
    rows, columns, filters = plane(layer.shape)
    _, height, width, channels = layer.kernel.shape
    (down, across), outputs = _inside(layer), layer.elements
    hangs_down, hangs_across = down < rows * height, across < columns * width
    taps, products = filters * down * across, filters * down * across * channels
    is_affine, every = isinstance(layer.numbers, Affine), outputs * height * width
    padded = is_affine and bool(layer.zero) and (hangs_down or hangs_across)
    return Prices(
        once=1,
        position=rows * columns,
        output=outputs,
        row=filters * down * columns if height > 1 or hangs_down else 0,
        tap=taps if not _is_one_product(layer) and (width > 1 or hangs_across) else 0,
        product=products,
        of_bytes=-products if layer.number_bytes == 1 and layer.numbers is not None and not is_affine else 0,
        factor=outputs if is_affine and has_factors(layer) else 0,
        padded=every if padded else 0,
        outside=(every - taps) * channels if padded else 0,
        relu=outputs if layer.numbers is None and layer.activation.relu else 0,
    )


def _price(found: Class) -> Prices:
    while found not in PRICES:
        found = found[:-1]
    return PRICES[found]


def _class(layer: Convolution) -> Class:
    """Its numbers; `side` where a row of a window is one scalar product, `group` where each tap is one; whether windows
    are `whole` or `hang` over the edges at the side, a `pair` of products inside or one; and what makes loops short.
    """
    rows, columns, _ = plane(layer.shape)
    filters, height, width, channels = layer.kernel.shape
    down, across = _inside(layer)
    hangs_down, hangs = down < rows * height, across < columns * width
    kind = "float32" if layer.numbers is None else "affine" if isinstance(layer.numbers, Affine) else "integers"
    where = "hang" if hangs else "whole"
    if not _is_one_product(layer):
        many = "one" if channels == 1 else "many"
        return (kind, "group", many, where, *(["narrow"] if width <= (MOST_FEW if hangs else 1) else []))
    if not hangs and not hangs_down and width * channels <= MOST_FEW:
        if height == 1 and filters <= MOST_UNROLLED and kind != "affine":
            return kind, "unrolled"
        return (kind, "side", "few", *(["one"] if width * channels == 1 else []))
    if hangs and 0 < across * channels <= MOST_FEW * columns:
        return (kind, "side", "pair", *(["down"] if hangs_down else []))
    if hangs and width <= MOST_FEW:
        return kind, "side", where, "narrow"
    return (kind, "side", where, *(["down"] if hangs_down else []))


def _is_one_product(layer: Convolution) -> bool:
    """Is a row of a window one scalar product, since taps lie side by side?"""
    return layer.groups == 1 and layer.dilation[1] == 1


def has_factors(layer: WeightedSum) -> bool:
    """Has each channel one of its own?"""
    return bool(layer.rescale and layer.rescale.constants)


def taps_inside(length: int, outputs: int, size: int, stride: int, before: int, dilation: int = 1) -> int:
    """Taps along an axis that lie inside, of all outputs."""
    places = np.arange(outputs)[:, None] * stride - before + np.arange(size) * dilation
    return int(np.sum((places >= 0) & (places < length)))
