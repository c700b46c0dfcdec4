"""ReLU and ReLU6: fused into the layer before where there is one, a pass of its own elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.power_of_two import Array, Format, clamp, quantize_values, shift_left
from mcusim.system.errors import ModelError

if TYPE_CHECKING:
    from mcusim.line.lower import LayerCode
    from mcusim.line.quantize import Scheme
    from mcusim.models.keras import KerasLayer


@dataclass(frozen=True)
class Activation:
    """What happens to a sum before it is stored: nothing, max(0, x), or min(max(0, x), ceiling)."""

    relu: bool = False
    ceiling: float | None = None

    def apply(self, x: Array) -> Array:
        """Activation of real numbers, float32."""
        if self.relu:
            x = np.maximum(x, np.float32(0))
        return x if self.ceiling is None else np.minimum(x, np.float32(self.ceiling))

    def ceiling_number(self, fmt: Format) -> int:
        """The ceiling in the output's format."""
        return 0 if self.ceiling is None else int(quantize_values(np.array(self.ceiling), fmt, "nearest"))

    def finish(self, total: Array, shift: int, fmt: Format) -> Array:
        """Accumulator -> stored integer: shift, activation, saturation. `nn_finish` in number.h."""
        x = shift_left(total, -shift)
        if self.relu:
            x = np.maximum(x, 0)
        if self.ceiling is not None:
            x = np.minimum(x, self.ceiling_number(fmt))
        return clamp(x, fmt)

    def parameters(self, fmt: Format | None) -> dict[str, Any]:
        """Fields of a kernel's parameter struct."""
        if not self.relu:
            return {"activation": "NN_LINEAR"}
        if self.ceiling is None:
            return {"activation": "NN_RELU"}
        ceiling = np.float32(self.ceiling) if fmt is None else self.ceiling_number(fmt)
        return {"activation": "NN_RELU_CEILING", "ceiling": ceiling}


LINEAR, RELU = Activation(), Activation(relu=True)
BY_NAME = {"linear": LINEAR, "relu": RELU, "relu6": Activation(relu=True, ceiling=6.0)}


@dataclass(frozen=True, kw_only=True, eq=False)
class ReLU(Layer):
    """max(0, x), with or without a ceiling. Any shape; the output has the input's format."""

    activation: Activation = RELU

    KERAS = ("ReLU",)
    IN_PLACE = True

    @classmethod
    def from_keras(cls, keras: KerasLayer) -> list[Layer]:
        slope = keras.config.get("negative_slope", keras.config.get("alpha", 0.0)) or 0.0
        if slope or keras.config.get("threshold"):
            raise ModelError(
                f"layer {keras.name!r} ({keras.kind}): a negative slope or threshold is not supported",
                hint="use ReLU with negative_slope=0 and threshold=0",
            )
        ceiling = keras.config.get("max_value")
        if ceiling is not None and not 0 < ceiling < float("inf"):
            raise ModelError(
                f"layer {keras.name!r} ({keras.kind}): max_value is {ceiling}", hint="use a positive ceiling"
            )
        activation = Activation(relu=True, ceiling=None if ceiling is None else float(ceiling))
        return [cls(name=keras.name, inputs=keras.inputs, shape=keras.shapes[0], activation=activation)]

    def run(self, *inputs: Array) -> Array:
        if self.format is None:
            return self.activation.apply(inputs[0])
        return self.activation.finish(inputs[0], 0, self.format)

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        return replace(self, format=inputs[0])

    def lower(self, inputs: tuple[Layer, ...]) -> LayerCode:
        from mcusim.line.lower import KernelCall, LayerCode

        parameters = {"elements": self.elements, **self.activation.parameters(self.format)}
        return LayerCode((KernelCall("relu", ("input", "output"), parameters),))
