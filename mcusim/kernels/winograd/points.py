"""F(4,3) and F(2,3): outputs of windows of three from six products instead of twelve, or four instead of six. Exact.

A tile of inputs d becomes V = INPUTS d, three weights g become U = WEIGHTS g, and M = U V, point by point, is summed
over channels. `whole` times the outputs is OUTPUTS (SCALES M). V and U have to fit in 16 bits: `why_not` proves it.

F(4,3): 24 times the outputs. Sums may wrap round: what follows is sums and products modulo 2**32. A third is the
product with THIRD, the inverse of 3, and 8 times an output is left: this has to fit in 32 bits. The last shift takes 3
bits more.
F(2,3): twice the outputs. M1 and M2 are both odd or both even, so that half of their sum is exact; both have to fit in
32 bits, and so has an output, but not twice of it.
"""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.system.arrays import Array

WINDOW = 3
THIRD = 0xAAAAAAAB
LARGEST, SMALLEST = 2**15 - 1, -(2**15)


@dataclass(frozen=True, eq=False)
class Scheme:
    """`outputs_of_a_tile` outputs from `points` products. `left_bits`: as which power of two outputs come at last.

    `bias_factor`: of what is added to the point 1, so that every output has the bias once. `offset`: what V of that
    point is stored less; half of it comes back with the bias.
    """

    title: str
    inputs: Array
    weights: Array
    scales: Array
    outputs: Array
    whole: int
    left_bits: int
    bias_factor: int
    offset: int = 0

    @property
    def points(self) -> int:
        return len(self.inputs)

    @property
    def outputs_of_a_tile(self) -> int:
        return len(self.outputs)

    def points_of(self, kernel: Array) -> Array:
        """(filters, rows, 3, channels) -> U: (filters, rows, channels, points)"""
        return np.asarray(np.tensordot(kernel.astype(np.int64), self.weights, axes=(2, 1)))

    def bias(self, bias: Array, kernel: Array) -> Array:
        """At the scale of sums -> what is added to the point 1. Modulo 2**32, as all of the last sums are."""
        shifted = self.offset // 2 * self.points_of(kernel)[..., 1].sum(axis=(1, 2))
        total: Array = bias.astype(np.int64) * self.bias_factor + shifted
        return total.astype(np.uint32).astype(np.int32)


F43 = Scheme(
    "F(4,3)",
    inputs=np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
    weights=np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4], [0, 0, 1]]),
    scales=np.array([6, -4, -4, 1, 1, 24]),
    outputs=np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]),
    whole=24,
    left_bits=3,
    bias_factor=-6,
)
F23 = Scheme(
    "F(2,3)",
    inputs=np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    weights=np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 1]]),
    scales=np.array([2, 1, 1, 2]),
    outputs=np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
    whole=2,
    left_bits=0,
    bias_factor=1,
)
F23_POSITIVE = replace(F23, title="F(2,3) of inputs that are not negative", offset=2**15)
SCHEMES = (F43, F23, F23_POSITIVE)


def reach(matrix: Array, minimum: int, maximum: int, offset: int = 0) -> tuple[int, int]:
    """The least and the largest number that a row of `matrix` makes of numbers in between; of row 1 less `offset`."""
    above, below = np.maximum(matrix, 0).sum(axis=1), np.minimum(matrix, 0).sum(axis=1)
    less = offset * (np.arange(len(matrix)) == 1)
    return int((above * minimum + below * maximum - less).min()), int((above * maximum + below * minimum - less).max())


def largest_sum(minimum: int, maximum: int, kernel: Array, bias: Array) -> int:
    """Of a filter, for inputs in between: less than for all that their format holds where they are not negative."""
    rows = kernel.reshape(len(kernel), -1).astype(np.int64)
    above, below = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    ends = [above * maximum + below * minimum + bias, above * minimum + below * maximum + bias]
    return int(np.abs(ends).max(initial=0))


def why_not(scheme: Scheme, minimum: int, maximum: int, kernel: Array, bias: Array) -> str | None:
    """None when the layer's numbers prove that nothing overflows. `kernel`: (filters, rows, 3, channels)."""
    least, most = reach(scheme.inputs, minimum, maximum, scheme.offset)
    if least < SMALLEST or most > LARGEST:
        return f"inputs from {minimum} to {maximum} leave no room for its transform in 16 bits"
    points = scheme.points_of(kernel)
    if points.size and (points.min() < SMALLEST or points.max() > LARGEST):
        return "its weights leave no room for their transform in 16 bits"
    peak = largest_sum(minimum, maximum, kernel, bias) << scheme.left_bits
    if scheme.whole == 2:  # M1 and M2 are halved
        peak = max(peak, max(-least, most) * int(np.abs(points[..., 1:3]).sum(axis=(1, 2)).max(initial=0)))
    if peak > ACCUMULATOR_LIMIT:
        return f"its sums reach {peak} before the last shift, which needs more than 32 bits"
    return None


def scheme_for(minimum: int, maximum: int, kernel: Array, bias: Array) -> Scheme | str:
    """The one with the fewest products that fits, or why the last one does not."""
    why = "there is none"
    for scheme in SCHEMES:
        found = why_not(scheme, minimum, maximum, kernel, bias)
        if found is None:
            return scheme
        why = found
    return why
