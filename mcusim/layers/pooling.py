"""Max and average pooling, in windows and global, 1D and 2D."""

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.planes import NO_PADDING, Padding, Pair, plane, windows
from mcusim.numbers.numbers import LINEAR, Activation, Averaging, Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Pooling(Layer):
    """Input (samples, channels) or (height, width, channels). Padding never counts: it is outside of every window."""

    input_shape: Shape
    size: Pair
    strides: Pair
    padding: Padding
    activation: Activation = LINEAR

    READS_UNSIGNED = WRITES_UNSIGNED = True

    def nonnegative(self, inputs: tuple[bool, ...]) -> bool:
        return self.activation.nonnegative or all(inputs)

    @property
    def kind(self) -> str:
        whole = self.size == plane(self.input_shape)[:2]
        return f"{'Global' if whole else ''}{type(self).__name__}{len(self.input_shape) - 1}D"

    @property
    def run_bytes(self) -> int:
        return 24 * self.elements * self.size[0] * self.size[1]

    @property
    def output_plane(self) -> Pair:
        return (1, 1) if len(self.shape) == 1 else plane(self.shape)[:2]

    def window_view(self, x: Array, fill: float) -> Array:
        """(batch, rows, columns, taps, channels)"""
        view = self._windows(x, fill)
        return view.reshape(*view.shape[:3], -1, view.shape[-1])

    def taps(self, x: Array, fill: float) -> list[Array]:
        """(batch, rows, columns, channels) each: views, of the numbers in one place of all windows."""
        view = self._windows(x, fill)
        return [view[:, :, :, row, column] for row in range(self.size[0]) for column in range(self.size[1])]

    def _windows(self, x: Array, fill: float) -> Array:
        """(batch, rows, columns, height of a window, width, channels)"""
        view = windows(x.reshape(-1, *plane(self.input_shape)), self.size, self.strides, self.padding, fill)
        return view[:, : self.output_plane[0], : self.output_plane[1]]  # there may be room for more


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPooling(Pooling):
    """Largest number of each window; the output has the input's numbers.

    `above_zero`: is no input below 0, since an activation was moved before it?
    """

    above_zero: bool = False

    KEEPS_NUMBERS = True

    def nonnegative(self, inputs: tuple[bool, ...]) -> bool:
        return self.above_zero or super().nonnegative(inputs)

    def run(self, *inputs: Array) -> Array:
        lowest = -np.inf if self.numbers is None else self.numbers.minimum
        best = reduce(np.maximum, self.taps(inputs[0], lowest)).reshape(-1, *self.shape)
        if self.numbers is None:
            return self.activation.apply(best)
        return self.activation.limit(best, self.numbers)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return replace(self, numbers=inputs[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragePooling(Pooling):
    """Mean of each window, rounded as the scheme says."""

    averaging: Averaging | None = None

    @property
    def accumulator_peak(self) -> int:
        return 0 if self.averaging is None else self.averaging.accumulator_peak

    def run(self, *inputs: Array) -> Array:
        ones = np.ones((1, *plane(self.input_shape)), np.float32)
        count = self.window_view(ones, 0).sum(axis=3)
        if self.averaging is None or self.numbers is None:
            total = self.window_view(inputs[0], 0).sum(axis=3, dtype=np.float32)
            return self.activation.apply((total / count).reshape(-1, *self.shape))
        total = self.window_view(inputs[0].astype(np.int64), 0).sum(axis=3)
        mean = self.averaging.apply(total, count.astype(np.int64)).reshape(-1, *self.shape)
        return self.activation.limit(mean, self.numbers)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        is_whole = self.size == plane(self.input_shape)[:2] and self.padding == NO_PADDING
        averaging = scheme.averaging(inputs[0], values, self.size[0] * self.size[1], whole=is_whole)
        return replace(self, numbers=averaging.numbers, averaging=averaging)
