"""What plain C takes for a convolution, about: by what the compiler makes of its loops, which the layer decides.

Its innermost loop takes 8 cycles in int8, or 9 where it lies at an odd halfword (10 and 11 in float32), which nobody
knows before it is built. So half of all layers are off by more than a twentieth, whatever is said here.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, Padding, Pair, plane
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
_TABLE = """
                                 once position output  row tap product of_bytes factor padded outside relu
affine group many whole            22       41   30.4  3.8   0     9.6        0   22.2   15.6     7.7    0
affine group many whole narrow   18.4     37.9   33.6  2.3   0     9.4        0   37.7   16.4     7.7    0
affine group many hang           22.8     31.5   50.2 26.5   0     8.7        0   25.9   13.5     7.7    0
affine group one whole            5.1      2.1   21.6  1.7 2.5     9.7        0   28.8      9     9.8    0
affine group one whole narrow     0.1        0     21  0.4   0     9.7        0   36.8   11.2     9.8    0
affine group one hang            11.7     10.2    4.8    0 2.9    10.8        0   36.7   12.2    11.1    0
affine group one hang narrow     11.5       18   19.5 11.5 0.4    10.8        0   34.9      0    10.3    0
affine side                        20      5.4   28.1 12.4   0     8.9        0   36.8   11.8     7.5    0
affine side whole                22.4      0.8   28.4 10.8   0     8.9        0   36.9    9.5     6.6    0
affine side hang                 14.1       26   19.7   19   0     8.7        0   41.2     11     7.6    0
affine side hang narrow          13.6     35.1    9.8 22.6   0     8.2        0   50.9     14     6.9    0
affine side hang down            10.5     22.5   25.6 15.1   0     9.1        0   29.4   11.4     7.4    0
integers group many whole        54.7      9.2      0 11.2   0     9.9      0.2      0      0       0    0
integers group many whole narrow 51.3        0   13.9  9.9   0     9.3      0.1      0      0       0    0
integers group many hang         46.8        0   30.5 27.7 3.9     9.4      0.6      0      0       0    0
integers group many hang narrow  48.5     12.6   31.1 17.2 1.5     9.5      0.8      0      0       0    0
integers group one whole         31.1        0   11.3  5.9 4.7     6.3      1.2      0      0       0    0
integers group one whole narrow  25.2        0   12.4  6.6   0     5.5      2.2      0      0       0    0
integers group one hang            60     17.7   13.7  5.3 5.7     6.6      1.6      0      0       0    0
integers group one hang narrow   58.4     25.2   12.9 10.7   0     5.1      1.2      0      0       0    0
integers side few                76.3        1      0    0   0    10.8      0.6      0      0       0    0
integers side few one               0      6.3   15.6    0   0       0      2.7      0      0       0    0
integers side pair                  0        0   13.7    0   0     5.5      0.4      0      0       0    0
integers side pair down             0       23      0  8.8   0     7.9      0.3      0      0       0    0
integers side whole              13.6        0     14  7.7   0     9.1      0.4      0      0       0    0
integers side whole down         13.7      2.7   17.8 18.5   0     8.7      0.4      0      0       0    0
integers side hang                9.5      8.6   14.3 13.4   0     9.3      0.4      0      0       0    0
integers side hang narrow         5.4     35.9   15.6 16.5   0     8.7      0.6      0      0       0    0
integers side hang down           3.4     24.9    7.8 12.7   0     9.4      0.2      0      0       0    0
integers unrolled                56.3      3.3    2.9    0   0     3.8        1      0      0       0    0
float32 group many whole         34.2      2.3    4.4  8.4   0    11.6        0      0      0       0    5
float32 group many hang          30.6        0   33.5   14   0    10.8        0      0      0       0    5
float32 group one whole          36.8        0    9.5  0.8 0.2    11.9        0      0      0       0    5
float32 group one hang           44.2        0    5.8  7.4 1.1    12.1        0      0      0       0    5
float32 group one hang narrow    47.9      3.5     11  6.2   0     9.8        0      0      0       0    5
float32 side few                  153        0      0    0   0    10.9        0      0      0       0  4.2
float32 side few one             91.5     10.1   13.6    0   0       0        0      0      0       0  5.5
float32 side pair                   0        0   10.9    0   0     7.4        0      0      0       0    5
float32 side pair down              0     13.3    1.4  7.4   0     8.4        0      0      0       0  5.7
float32 side whole                1.7        0    9.2  2.8   0    10.5        0      0      0       0    5
float32 side hang                17.8        0   13.6 11.8   0    10.5        0      0      0       0    5
float32 side hang narrow         21.1      1.6   10.4 10.3   0    10.1        0      0      0       0    5
float32 side hang down             18      9.2   19.3 10.3   0    10.2        0      0      0       0    5
float32 unrolled                 91.6      2.3    3.4    0   0     3.7        0      0      0       0  5.7
"""


def _read(line: str) -> tuple[Class, Prices]:
    words = line.split()
    count = len(Prices._fields)
    return tuple(words[:-count]), Prices(*map(float, words[-count:]))


PRICES: Mapping[Class, Prices] = dict(map(_read, _TABLE.strip().splitlines()[1:]))
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
    size, planes = layer.kernel.shape[1:3], (plane(layer.input_shape)[:2], plane(layer.shape)[:2])
    return taps_inside(*planes, size, layer.strides, layer.padding, layer.dilation)


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


def taps_inside(
    entry: Pair, output: Pair, size: Pair, strides: Pair, padding: Padding, dilation: Pair = NO_DILATION
) -> tuple[int, int]:
    """Taps along each axis that lie inside, of all outputs."""
    found = []
    for axis in range(2):
        starts = np.arange(output[axis])[:, None] * strides[axis] - padding[axis][0]
        places = starts + np.arange(size[axis]) * dilation[axis]
        found.append(int(np.sum((places >= 0) & (places < entry[axis]))))
    return found[0], found[1]
