"""UpSampling2D between the pixels. Where values are repeated it is a StridedCopy."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.planes import Pair
from mcusim.numbers.numbers import LINEAR, Averaging, Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class BilinearUpSampling(Layer):
    """Input (height, width, channels), output (height size[0], width size[1], channels). Pixel centers lie at halves.

    A value is the mean of 2 x 2 neighbors with whole weights, 4 size[0] size[1] in all: exact in integers until it is
    rounded as other means are.
    """

    input_shape: Shape
    size: Pair
    averaging: Averaging | None = None

    @property
    def kind(self) -> str:
        return "UpSampling2D"

    @property
    def weight_sum(self) -> int:
        return 4 * self.size[0] * self.size[1]

    @property
    def accumulator_peak(self) -> int:
        return 0 if self.numbers is None else (-self.numbers.minimum + 1) * self.weight_sum

    @property
    def run_bytes(self) -> int:
        return 64 * self.elements

    def run(self, *inputs: Array) -> Array:
        x = inputs[0].astype(np.float32 if self.averaging is None else np.int64)
        (above, below, down), (left, right, across) = map(self._neighbors, (0, 1))
        down, across = down.astype(x.dtype)[:, None, None], across.astype(x.dtype)[:, None]
        rows, columns = (x.dtype.type(2 * size) for size in self.size)
        upper = x[:, above][:, :, left] * (columns - across) + x[:, above][:, :, right] * across
        lower = x[:, below][:, :, left] * (columns - across) + x[:, below][:, :, right] * across
        total = upper * (rows - down) + lower * down
        if self.averaging is None or self.numbers is None:
            return np.asarray(total / x.dtype.type(self.weight_sum))
        return LINEAR.limit(self.averaging.apply(total, np.array(self.weight_sum)), self.numbers)

    def _neighbors(self, axis: int) -> tuple[Array, Array, Array]:
        """Of each output position: the inputs before and behind it, and the weight of the latter in 1 / (2 size)."""
        size, length = self.size[axis], self.input_shape[axis]
        before, weight = np.divmod(2 * np.arange(size * length) + 1 - size, 2 * size)
        return np.maximum(before, 0), np.minimum(before + 1, length - 1), weight

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        averaging = scheme.averaging(inputs[0])
        return replace(self, numbers=averaging.numbers, averaging=averaging)
