"""PReLU: a trained slope for negative numbers, one for each channel or each element."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.affine_wide import ScaledSlopes
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class PReLU(WeightedSum):
    """Input (..., channels). `kernel` (slopes,): of the channels or, in order, of all elements; `bias` is zero.

    On integers both have one more: 1, for what is not negative, at the scale of the slopes. Those of a file that has
    its own integers are multiplied as `slopes_of_file` says, and have no more.
    """

    slopes_of_file: ScaledSlopes | None = None

    IN_PLACE = True

    @property
    def slopes(self) -> int:
        return len(self.kernel) - (self.rescale is not None)

    def run(self, *inputs: Array) -> Array:
        x = inputs[0].reshape(len(inputs[0]), -1, self.slopes)
        if self.slopes_of_file is not None:
            return self.slopes_of_file.apply(x, self.kernel).reshape(inputs[0].shape)
        if self.rescale is None:
            return self.activation.apply(np.where(x < 0, self.kernel * x, x)).reshape(inputs[0].shape)
        x, below = x.astype(np.int64), x < self.zero
        slope = np.where(below, self.kernel[:-1].astype(np.int64), int(self.kernel[-1]))
        total = slope * x + np.where(below, self.bias[:-1], self.bias[-1])
        return self.rescale.apply(total, self.activation).reshape(inputs[0].shape)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> "PReLU":
        kernel = np.append(self.kernel, np.float32(1))
        rows, bias = kernel.reshape(-1, 1), np.zeros(len(kernel), np.float32)
        made = scheme.weighted_sum(rows, bias, inputs[0], values, one_scale=True)
        return replace(self, **{**vars(made), "kernel": made.kernel.reshape(-1)})
