"""Flatten and Reshape: channels last in, channels last out, so nothing moves in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mcusim.graph import Layer
from mcusim.layers.planes import check_channels_last
from mcusim.numbers.power_of_two import Array, Format
from mcusim.system.errors import ModelError

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.line.quantize import Scheme
    from mcusim.models.keras import KerasLayer


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(Layer):
    """Any shape to any shape of as many elements."""

    KERAS = ("Flatten", "Reshape")
    VIEW = True

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        check_channels_last(keras)
        elements = int(np.prod(keras.shapes[0]))
        shape = [elements] if keras.kind == "Flatten" else [int(size) for size in keras.config["target_shape"]]
        if shape.count(-1) == 1:
            shape[shape.index(-1)] = elements // max(1, -int(np.prod(shape)))
        if int(np.prod(shape)) != elements or not 1 <= len(shape) <= 3:
            raise ModelError(
                f"layer {keras.name!r} (Reshape) turns {keras.shapes[0]} into {tuple(shape)}",
                hint="use one to three axes and the same number of elements",
            )
        return [cls(name=keras.name, inputs=keras.inputs, shape=tuple(shape))]

    def run(self, *inputs: Array) -> Array:
        return inputs[0].reshape(-1, *self.shape)

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        return replace(self, format=inputs[0])

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        return LayerCode((KernelCall("copy", ("input", "output"), {"elements": self.elements}),))
