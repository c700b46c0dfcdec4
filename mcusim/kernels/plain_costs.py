"""Cycles that plain C takes for layers without weights, about: what other kernels are measured against."""

from __future__ import annotations

from mcusim.graph import Layer
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.plain_convolution import taps_inside
from mcusim.layers.add import Add
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.planes import plane
from mcusim.layers.pooling import MaxPooling, Pooling
from mcusim.layers.relu import ReLU


def cycles(layer: Layer, inputs: Inputs) -> float | None:
    """Profiled on the L452 at 48 MHz, where GCC's code varies by a third; None for layers of other types."""
    real = layer.numbers is None
    if isinstance(layer, Pooling):
        return _pooling(layer)
    if isinstance(layer, Add):
        many = 16 * len(inputs) if len(inputs) > 2 else 0  # their pointers are in memory
        return layer.elements * (many + (10 if real else 15) + 5 * (real and layer.activation.relu))
    if isinstance(layer, ReLU):
        return layer.elements * (11.0 if real else 7.5)
    if isinstance(layer, Concatenate):
        return layer.elements * (8.4 if real else 4.5)
    return None


def _pooling(layer: Pooling) -> float:
    (height, width, channels), (rows, columns) = plane(layer.input_shape), layer.output_plane
    real = layer.numbers is None
    if layer.size == (1, 1):
        return layer.elements * (7.0 if real or isinstance(layer, MaxPooling) else 3.0)
    down, across = (
        taps_inside(length, outputs, size, stride, before)
        for length, outputs, size, stride, (before, _) in zip(
            (height, width), (rows, columns), layer.size, layer.strides, layer.padding, strict=True
        )
    )
    tap = 12.0 if real and isinstance(layer, MaxPooling) and channels > 1 else 9.2 if real else 8.8
    return channels * (tap * down * across + 10 * rows * columns * any(map(any, layer.padding)))
