"""Dense layers, each half as wide as the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcusim.training.architectures.blocks import Body, Layers, Tensor
from mcusim.training.parameters import BottleneckParameters, read_parameters


def bottleneck(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    parameters = read_parameters(BottleneckParameters, given, "bottleneck")
    layers = Layers(1, batch_norm=False)
    units = tuple(parameters.widest >> turn for turn in range(parameters.depth))

    def body(x: Tensor) -> Tensor:
        x = layers.flatten(x, "none") if len(input_shape) > 1 else x
        return layers.dense_stack(x, units, parameters.dropout)

    return body
