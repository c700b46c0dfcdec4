"""Windows that slide over channels-last planes: what convolutions and pooling share.

One-dimensional data (samples, channels) is a plane of height 1, so that each layer exists once for 1D and 2D.
"""

import numpy as np

from mcusim.graph import Shape
from mcusim.system.arrays import Array

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]  # ((top, bottom), (left, right))
NO_PADDING: Padding = ((0, 0), (0, 0))
NO_DILATION: Pair = (1, 1)


def plane(shape: Shape) -> tuple[int, int, int]:
    """(samples, channels) or (height, width, channels) -> height, width, channels."""
    return (1, *shape) if len(shape) == 2 else shape  # type: ignore[return-value]


def shape_like(rank: int, rows: int, columns: int, channels: int) -> Shape:
    return (columns, channels) if rank == 1 else (rows, columns, channels)


def same_padding(shape: Shape, size: Pair, strides: Pair) -> Padding:
    """Zeros so that every stride finds a window; the odd one lies at the end, as TensorFlow has it."""
    total = [
        max((-(-length // stride) - 1) * stride + window - length, 0)
        for length, window, stride in zip(plane(shape)[:2], size, strides, strict=True)
    ]
    return ((total[0] // 2, total[0] - total[0] // 2), (total[1] // 2, total[1] - total[1] // 2))


def output_plane(shape: Shape, size: Pair, strides: Pair, padding: Padding) -> Pair | None:
    """Height and width after a sliding window; None when it does not fit."""
    height, width, _ = plane(shape)
    if min(size) < 1 or min(strides) < 1:
        return None
    rows = (height + sum(padding[0]) - size[0]) // strides[0] + 1
    columns = (width + sum(padding[1]) - size[1]) // strides[1] + 1
    return (rows, columns) if min(rows, columns) >= 1 else None


def reach(size: Pair, dilation: Pair) -> Pair:
    """How far a window stretches whose taps lie `dilation` apart."""
    return ((size[0] - 1) * dilation[0] + 1, (size[1] - 1) * dilation[1] + 1)


def windows(x: Array, size: Pair, strides: Pair, padding: Padding, fill: float, dilation: Pair = NO_DILATION) -> Array:
    """(batch, height, width, channels) -> view (batch, rows, columns, *size, channels) of the padded planes."""
    if any(map(any, padding)):
        x = _padded(x, padding, fill)
    view = np.lib.stride_tricks.sliding_window_view(x, reach(size, dilation), axis=(1, 2))
    view = view[:, :: strides[0], :: strides[1], :, :: dilation[0], :: dilation[1]]
    return np.asarray(view.transpose(0, 1, 2, 4, 5, 3))


def _padded(x: Array, padding: Padding, fill: float) -> Array:
    """As np.pad, which takes longer than many a layer of a small network."""
    (top, bottom), (left, right) = padding
    samples, height, width, channels = x.shape
    wide = np.full((samples, top + height + bottom, left + width + right, channels), fill, x.dtype)
    wide[:, top : top + height, left : left + width] = x
    return wide
