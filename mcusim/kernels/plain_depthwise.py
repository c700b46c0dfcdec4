"""What plain C takes for a depthwise convolution: more for a tap than other layers, nothing for one in the padding."""

from __future__ import annotations

import numpy as np

from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane

# Of a handful of layers of all data types, profiled on the L452.
CYCLES_PER_OUTPUT, CYCLES_PER_ROW, CYCLES_PER_TAP = 5.0, 12.0, 10.5
FEW, CYCLES_PER_FEW = 2, 5.0  # taps that the compiler unrolls


def is_depthwise(layer: Convolution) -> bool:
    return layer.groups > 1 and layer.kernel.shape[-1] == 1


def depthwise_cycles(layer: Convolution) -> float:
    """For one sample."""
    (height, width, _), (rows, columns, filters) = plane(layer.input_shape), plane(layer.shape)
    sizes = layer.kernel.shape[1:3]
    down, across = (
        _seen(length, outputs, size, stride, before, dilation)
        for length, outputs, size, stride, (before, _), dilation in zip(
            (height, width), (rows, columns), sizes, layer.strides, layer.padding, layer.dilation, strict=True
        )
    )
    taps, window_rows = down * across, down * columns
    outputs = rows * columns
    tap = CYCLES_PER_FEW if sizes[0] * sizes[1] <= FEW else CYCLES_PER_TAP
    return filters * (CYCLES_PER_OUTPUT * outputs + CYCLES_PER_ROW * window_rows + tap * taps)


def _seen(length: int, outputs: int, size: int, stride: int, before: int, dilation: int) -> int:
    """Taps along an axis that lie inside, of all outputs."""
    places = np.arange(outputs)[:, None] * stride - before + np.arange(size) * dilation
    return int(np.sum((places >= 0) & (places < length)))
