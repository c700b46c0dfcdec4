"""Conv1D, Conv2D and their depthwise and separable kin: one layer with groups."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Shape
from mcusim.layers.planes import NO_DILATION, NO_PADDING, Padding, Pair, plane, windows
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution(WeightedSum):
    """Input (samples, channels) or (height, width, channels); kernel (filters, rows, columns, channels / groups)."""

    input_shape: Shape
    strides: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = NO_DILATION
    groups: int = 1

    READS_UNSIGNED = WRITES_UNSIGNED = WRITES_WIDE = True

    @property
    def is_depthwise(self) -> bool:
        """Does each filter read a channel of its own, which nobody else reads?"""
        return 1 < self.groups == plane(self.input_shape)[2] == len(self.kernel)

    @property
    def kind(self) -> str:
        rank = f"{len(self.shape) - 1}D"
        return f"DepthwiseConv{rank}" if 1 < self.groups == plane(self.input_shape)[2] else f"Conv{rank}"

    @property
    def macs(self) -> int:
        return int(np.prod(self.shape[:-1])) * int(self.kernel.size)

    @property
    def run_bytes(self) -> int:
        taps = int(np.prod(self.kernel.shape[1:])) * self.groups
        return 8 * int(np.prod(self.shape[:-1])) * (taps + 3 * self.shape[-1])

    def run(self, *inputs: Array) -> Array:
        filters = len(self.kernel)
        view = self._windows(self.exact(inputs[0]), self.zero)
        # (group, positions, taps) @ (group, taps, filters of the group)
        taps = view.reshape(-1, *view.shape[3:])
        kernel = self.exact(self.kernel).reshape(self.groups, filters // self.groups, -1).transpose(0, 2, 1)
        sums = (self._by_group(taps) @ kernel).transpose(1, 0, 2).reshape(len(view), *self.shape[:-1], filters)
        return self.finish(sums)

    def taps(self, x: Array, most: int) -> Array | None:
        view = self._windows(x, 0)
        positions = int(np.prod(view.shape[:3]))
        if positions <= most:
            return self._by_group(view.reshape(-1, *view.shape[3:]))
        chosen = np.sort(np.random.RandomState(0).permutation(positions)[:most])
        return self._by_group(view[np.unravel_index(chosen, view.shape[:3])])

    def _windows(self, x: Array, fill: int) -> Array:
        """(batch, height, width, rows, columns, groups, channels of a group); `fill`: what lies round the plane."""
        view = windows(
            x.reshape(-1, *plane(self.input_shape)),
            self.kernel.shape[1:3],
            self.strides,
            self.padding,
            fill,
            self.dilation,
        )
        rows, columns, _ = plane(self.shape)
        view = view[:, :rows, :columns]  # there may be room for more
        return view.reshape(*view.shape[:5], self.groups, -1)

    def _by_group(self, taps: Array) -> Array:
        """(positions, rows, columns, groups, channels) -> (groups, positions, taps)"""
        return taps.transpose(3, 0, 1, 2, 4).reshape(self.groups, len(taps), -1)

    def with_padding(self, extra: Padding, input_shape: Shape, inputs: tuple[str, ...]) -> "Convolution":
        """The layer with a ZeroPadding before it folded in."""
        (top, bottom), (left, right) = self.padding
        padding = ((top + extra[0][0], bottom + extra[0][1]), (left + extra[1][0], right + extra[1][1]))
        return replace(self, padding=padding, input_shape=input_shape, inputs=inputs)
