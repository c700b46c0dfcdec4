"""Cycles that plain C takes for layers without weights, about: what other kernels are measured against."""

from __future__ import annotations

from mcusim.graph import Layer
from mcusim.kernels.kernel import Inputs
from mcusim.layers.add import Add
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.pooling import Pooling
from mcusim.layers.relu import ReLU


def cycles(layer: Layer, inputs: Inputs) -> float | None:
    """Profiled on the L452 at 48 MHz, where GCC's code varies by a third; None for layers of other types."""
    real = layer.numbers is None
    if isinstance(layer, Pooling):
        taps = layer.size[0] * layer.size[1]
        return layer.elements * (taps * (12.5 if real else 8.8) + 10 * any(map(any, layer.padding)))
    if isinstance(layer, Add):
        many = 16 * len(inputs) if len(inputs) > 2 else 0  # their pointers are in memory
        return layer.elements * (many + (10 if real else 15) + 5 * (real and layer.activation.relu))
    if isinstance(layer, ReLU):
        return layer.elements * (11.0 if real else 7.5)
    if isinstance(layer, Concatenate):
        return layer.elements * (8.4 if real else 4.5)
    return None
