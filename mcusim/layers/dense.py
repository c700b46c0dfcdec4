"""Dense on vectors. On anything larger Keras applies it to the last axis, which is a convolution with a 1x1 kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcusim.graph import Layer
from mcusim.layers.convolution import Convolution
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.power_of_two import Array

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.models.keras import KerasLayer


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(WeightedSum):
    """Input (elements,), kernel (units, elements), bias (units,)."""

    KERAS = ("Dense",)

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        shape, kernel = keras.shapes[0], keras.weight(0).T
        bias = keras.weight(1) if keras.config["use_bias"] else np.zeros(len(kernel), np.float32)
        has_bias = bool(keras.config["use_bias"])
        if len(shape) > 1:
            point = kernel.reshape(len(kernel), *(1,) * 2, -1)
            layer: Layer = Convolution(
                name=keras.name,
                inputs=keras.inputs,
                shape=(*shape[:-1], len(kernel)),
                input_shape=shape,
                kernel=point,
                bias=bias,
                has_bias=has_bias,
            )
        else:
            layer = cls(
                name=keras.name, inputs=keras.inputs, shape=(len(kernel),), kernel=kernel, bias=bias, has_bias=has_bias
            )
        return [layer, *keras.activation(layer)]

    @property
    def macs(self) -> int:
        return int(self.kernel.size)

    def run(self, *inputs: Array) -> Array:
        exact = np.float32 if self.format is None else np.float64  # float64 sums of integers are exact below 2**53
        return self.finish(inputs[0].astype(exact) @ self.kernel.T.astype(exact))

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        units, elements = self.kernel.shape
        parameters = {"inputs": elements, "units": units, **self.sum_parameters()}
        return LayerCode((KernelCall("dense", ("input", "output", "kernel", "bias"), parameters),), self.constants())
