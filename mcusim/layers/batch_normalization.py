"""BatchNormalization and Rescaling that could not fold into a layer before: y = scale x + offset for each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcusim.graph import Layer
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.power_of_two import Array
from mcusim.system.errors import ModelError

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.models.keras import KerasLayer


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchNormalization(WeightedSum):
    """Input (..., channels), kernel (channels,) is the scale, bias (channels,) the offset."""

    KERAS = ("BatchNormalization", "Rescaling")
    IN_PLACE = True

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        channels = keras.shapes[0][-1]
        scale, offset = _rescaling(keras, channels) if keras.kind == "Rescaling" else _statistics(keras)
        return [cls(name=keras.name, inputs=keras.inputs, shape=keras.shapes[0], kernel=scale, bias=offset)]

    @property
    def macs(self) -> int:
        return self.elements

    def run(self, *inputs: Array) -> Array:
        exact = np.float32 if self.format is None else np.float64
        return self.finish(inputs[0].astype(exact) * self.kernel.astype(exact))

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        channels = self.shape[-1]
        parameters = {"rows": self.elements // channels, "channels": channels, **self.sum_parameters()}
        call = KernelCall("batch_normalization", ("input", "output", "kernel", "bias"), parameters)
        return LayerCode((call,), self.constants())


def _rescaling(keras: KerasLayer, channels: int) -> tuple[Array, Array]:
    try:
        scale, offset = (np.asarray(keras.config[key], np.float32) for key in ("scale", "offset"))
        return np.broadcast_to(scale, channels).copy(), np.broadcast_to(offset, channels).copy()
    except (TypeError, ValueError):
        raise ModelError(
            f"layer {keras.name!r} (Rescaling): scale and offset do not fit {channels} channels",
            hint="use one number, or one for each channel",
        ) from None


def _statistics(keras: KerasLayer) -> tuple[Array, Array]:
    """w = gamma / sqrt(variance + epsilon), b = beta - mean w (section 5.7 of the MicroAI paper)."""
    axis = keras.config["axis"]
    axis = axis[0] if isinstance(axis, (list, tuple)) else axis
    if axis not in (-1, len(keras.shapes[0])):
        raise ModelError(
            f"layer {keras.name!r} (BatchNormalization) works on axis {axis}", hint="use the last axis (channels last)"
        )
    arrays = [keras.weight(i).astype(np.float64) for i in range(keras.weight_count)]
    gamma = arrays.pop(0) if keras.config["scale"] else 1.0
    beta = arrays.pop(0) if keras.config["center"] else 0.0
    mean, variance = arrays
    if (variance + keras.config["epsilon"] <= 0).any():
        raise ModelError(f"layer {keras.name!r} (BatchNormalization) has a negative variance", hint="train it again")
    scale = gamma / np.sqrt(variance + keras.config["epsilon"])
    return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)
