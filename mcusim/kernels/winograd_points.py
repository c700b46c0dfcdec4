"""F(4,3): four outputs of a window of three from six products instead of twelve, in whole numbers and exact.

A tile of six inputs d becomes V = INPUTS d, three weights g become U = WEIGHTS g, and M = U V, point by point, is
summed over channels. 24 times the outputs is OUTPUTS (SCALES M). V and U have to fit in 16 bits: `why_not` proves it.
Sums may wrap round: all that follows is sums and products modulo 2**32. A third is the product with THIRD, the inverse
of 3; what is left is 8 times an output, so that this has to fit in 32 bits, and the last shift takes 3 bits more.
"""

from __future__ import annotations

import numpy as np

from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.system.arrays import Array

POINTS, OUTPUTS_OF_A_TILE, WINDOW = 6, 4, 3  # 0, 1, -1, 2, -2 and infinity
INPUTS = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
WEIGHTS = np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4], [0, 0, 1]])
SCALES = np.array([6, -4, -4, 1, 1, 24])
OUTPUTS = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
WHOLE = 24  # what OUTPUTS (SCALES M) is more than the outputs
THIRD = 0xAAAAAAAB
EIGHT_BITS = 3  # 8 times an output: so many bits to shift besides
BIAS_FACTOR = WHOLE // int(SCALES[1])  # of what is added to M at the point 1: every output has that once
LARGEST, SMALLEST = 2**15 - 1, -(2**15)


def reach(matrix: Array, minimum: int, maximum: int) -> tuple[int, int]:
    """The least and the largest number that a row of `matrix` makes of numbers in between."""
    above, below = np.maximum(matrix, 0).sum(axis=1), np.minimum(matrix, 0).sum(axis=1)
    return int((above * minimum + below * maximum).min()), int((above * maximum + below * minimum).max())


def why_not(minimum: int, maximum: int, kernel: Array, peak_sum: int) -> str | None:
    """None when the layer's numbers prove that nothing overflows. `kernel`: (filters, rows, 3, channels)."""
    least, most = reach(INPUTS, minimum, maximum)
    if least < SMALLEST or most > LARGEST:
        return f"inputs from {minimum} to {maximum} leave no room for its transform in 16 bits"
    points = np.tensordot(kernel.astype(np.int64), WEIGHTS, axes=(2, 1))
    if points.size and (points.min() < SMALLEST or points.max() > LARGEST):
        return "its weights leave no room for their transform in 16 bits"
    if peak_sum << EIGHT_BITS > ACCUMULATOR_LIMIT:
        return f"its sums reach {peak_sum}, and 8 times that needs more than 32 bits"
    return None
