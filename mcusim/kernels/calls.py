"""What the plain kernels' layers share: one call, a weighted sum, a sliding window."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mcusim.graph import Layer, has_narrow_weights
from mcusim.kernels.kernel import Inputs
from mcusim.layers.planes import Pair, plane
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.integers import unless_zero
from mcusim.program import Constant, KernelCall, LayerCode, Repeated
from mcusim.system.arrays import Array

Fields = dict[str, Any]


def one(kernel: str, parameters: Fields, *, arguments: tuple[str, ...] = ("input", "output")) -> LayerCode:
    """A layer that is one call."""
    return LayerCode((KernelCall(kernel, arguments, parameters),))


def reading(entry: Layer) -> Fields:
    """How a kernel that takes numbers without a sign reads its input."""
    return {"unsigned_input": 1} if entry.numbers and entry.numbers.minimum == 0 else {}


def reading_all(inputs: Inputs) -> Fields:
    """Likewise, one that has several."""
    unsigned = sum(1 << index for index, entry in enumerate(inputs) if reading(entry))
    return {"unsigned_inputs": unsigned} if unsigned else {}


def weighted_sum(layer: WeightedSum, kernel: str, fields: Fields) -> LayerCode:
    """Kernel and bias, and what turns a sum into an output."""
    factors = layer.rescale.constants if layer.rescale else {}
    constants = (
        Constant("kernel", weight_type(layer), layer.kernel, layer.kernel_numbers),
        Constant("bias", "accumulator_t", bias_of(layer)),
        *(Constant(role, f"{values.dtype}_t", values) for role, values in factors.items()),
    )
    call = KernelCall(kernel, ("input", "output", "kernel", "bias"), {**fields, **finish_fields(layer)})
    return LayerCode((call,), constants)


def weight_type(layer: Layer) -> str:
    """In C, of a unit's `weight_t`."""
    return "int8_t" if has_narrow_weights(layer) else "number_t"


def finish_fields(layer: WeightedSum) -> Fields:
    """Members of NN_FINISH."""
    if layer.rescale is None:
        return layer.activation.fields(None)
    wide = layer.numbers and layer.arithmetic and layer.numbers.bits > layer.arithmetic.bits
    return {**layer.rescale.fields(layer.activation), **({"storage": "NN_WIDE"} if wide else {})}


def bias_of(layer: WeightedSum) -> Array:
    """Never -0.0: then no sum is, and products with zeros of the padding may be added or left out for the same bits."""
    return np.asarray(layer.bias + 0)


def window_fields(shape: Any, output: Any, size: Any, strides: Any, padding: Any) -> Fields:
    """Fields that every sliding kernel's parameter struct begins with; what is 0 stays unsaid."""
    height, width, channels = plane(shape)
    rows, columns, filters = plane(output)
    fields = {"input_height": height, "input_width": width, "input_channels": channels}
    fields |= {"output_height": rows, "output_width": columns, "output_channels": filters}
    fields |= {"window_height": size[0], "window_width": size[1]}
    fields |= {"stride_height": strides[0], "stride_width": strides[1]}
    return unless_zero(**fields, padding_top=padding[0][0], padding_left=padding[1][0])


def gaps(dilation: Pair) -> Fields:
    """How many positions lie between two taps of a window."""
    return unless_zero(gap_height=dilation[0] - 1, gap_width=dilation[1] - 1)


def renamed(call: KernelCall | Repeated, named: Mapping[str, str]) -> KernelCall:
    """The call on other memory: what arguments are called, and what they are here."""
    assert isinstance(call, KernelCall)
    parameters = {
        key: named.get(value, value) if isinstance(value, str) else value for key, value in call.parameters.items()
    }
    return KernelCall(call.kernel, tuple(named.get(argument, argument) for argument in call.arguments), parameters)
