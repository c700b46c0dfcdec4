"""Conv1DTranspose and Conv2DTranspose: each input is spread over a window of the output."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Shape
from mcusim.layers.planes import NO_DILATION, Pair, plane, reach
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class TransposedConvolution(WeightedSum):
    """Input (samples, channels) or (height, width, channels); kernel (filters, rows, columns, channels).

    `cut`: rows and columns that are left out before the output begins. Where the output is longer than what the windows
    reach it is the bias.
    """

    input_shape: Shape
    strides: Pair
    cut: Pair
    dilation: Pair = NO_DILATION

    READS_UNSIGNED = WRITES_UNSIGNED = True

    @property
    def kind(self) -> str:
        return f"Conv{len(self.shape) - 1}DTranspose"

    @property
    def macs(self) -> int:
        return int(np.prod(self.input_shape[:-1])) * int(self.kernel.size)

    @property
    def run_bytes(self) -> int:
        return 32 * self.elements

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> "TransposedConvolution":
        """What the inputs' zero adds is taken from them, and not from the bias: a sum has as many taps as reach it."""
        made = super().quantize(scheme, inputs, values)
        rows = made.kernel.reshape(len(made.kernel), -1).astype(np.int64)
        most = int(np.abs(rows).sum(axis=1).max(initial=0)) * abs(made.zero)
        return replace(made, bias=made.bias + made.zero * rows.sum(axis=1), peak_sum=made.peak_sum + 2 * most)

    def run(self, *inputs: Array) -> Array:
        x = self.exact(inputs[0].reshape(-1, *plane(self.input_shape))) - self.zero
        _, rows, columns, _ = self.kernel.shape
        (height, width), far = x.shape[1:3], reach((rows, columns), self.dilation)
        shape, last = plane(self.shape), [(n - 1) * step for n, step in zip((height, width), self.strides, strict=True)]
        reached = [max(end + own, cut + n) for end, own, cut, n in zip(last, far, self.cut, shape[:2], strict=True)]
        sums = np.zeros((len(x), *reached, shape[2]), x.dtype)
        kernel = self.exact(self.kernel)
        for row in range(rows):
            for column in range(columns):
                top, left = row * self.dilation[0], column * self.dilation[1]
                down = slice(top, top + last[0] + 1, self.strides[0])
                across = slice(left, left + last[1] + 1, self.strides[1])
                sums[:, down, across] += x @ kernel[:, row, column].T
        top, left = self.cut
        return self.finish(sums[:, top : top + shape[0], left : left + shape[1]].reshape(-1, *self.shape))
