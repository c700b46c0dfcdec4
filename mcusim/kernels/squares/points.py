"""F(4 x 4, 3 x 3): 16 outputs of windows of 3 x 3 from 36 products instead of 144. Exact.

F(4,3) along the rows and F(4,3) down the columns: 576 times the outputs are OUTPUTS (SCALES M). In bytes V is at most
100 times an input and U 49 times a weight, so that both fit in 16 bits. All later steps are sums and products modulo
2**32, so sums may wrap round: a ninth is a product with the inverse of 9, and 64 times an output is left, which has to
fit in 32 bits. `winograd/points.py` proves it for the numbers of a layer, as for one dimension.
"""

import numpy as np

from mcusim.kernels.winograd.points import F43, Scheme
from mcusim.system.arrays import Array

SIDE, OUTPUTS = F43.points, F43.outputs_of_a_tile  # of a tile: positions, and outputs
POINTS = SIDE * SIDE
TILES = 4  # at a time
NINTH = pow(9, -1, 2**32)
LEFT_BITS = 2 * F43.left_bits


def _twice(matrix: Array) -> Array:
    """Along the rows and down the columns; point 6 j + i is the i-th down of the j-th along."""
    return np.asarray(np.kron(matrix, matrix))


SQUARE = Scheme(
    "F(4 x 4, 3 x 3)",
    inputs=_twice(F43.inputs),
    weights=_twice(F43.weights),
    scales=_twice(F43.scales),
    outputs=_twice(F43.outputs),
    whole=F43.whole**2,
    left_bits=LEFT_BITS,
    bias_factor=F43.bias_factor**2,
)


def flat(kernel: Array) -> Array:
    """(filters, 3, 3, channels) -> (filters, 1, 9, channels), taps column by column, as Scheme has them."""
    filters, rows, columns, channels = kernel.shape
    return kernel.swapaxes(1, 2).reshape(filters, 1, rows * columns, channels)
