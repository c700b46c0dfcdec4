"""Plain C of the layers that move or spread numbers in a plane, and of those that standardize them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim import layers
from mcusim.graph import Layer
from mcusim.kernels.calls import Fields, gaps, one, reading, weighted_sum, window_fields
from mcusim.kernels.kernel import Inputs
from mcusim.layers.planes import NO_PADDING
from mcusim.layers.strided_copy import MOST_AXES, joined
from mcusim.numbers.integers import unless_zero
from mcusim.program import Constant, KernelCall, LayerCode


def _bilinear_resize(layer: layers.BilinearResize, inputs: Inputs) -> LayerCode:
    fields: Fields = {"input_width": layer.input_shape[1], "channels": layer.input_shape[2]}
    fields |= {"rows": layer.shape[0], "columns": layer.shape[1]}
    constants = []
    for role, steps in (("row", layer.rows), ("column", layer.columns)):
        weights = f"{steps.weights.dtype}_t" if layer.numbers else "number_t"
        constants += [Constant(f"{role}_places", "int16_t", steps.places.reshape(-1))]
        constants += [Constant(f"{role}_weights", weights, steps.weights)]
    arguments = ("input", "output", *(constant.role for constant in constants))
    return LayerCode((KernelCall("bilinear_resize", arguments, fields),), tuple(constants))


def _bilinear_up_sampling(layer: layers.BilinearUpSampling, inputs: Inputs) -> LayerCode:
    height, width, channels = layer.input_shape
    fields: Fields = {"input_height": height, "input_width": width, "channels": channels}
    fields |= {"size_height": layer.size[0], "size_width": layer.size[1]}
    return one("bilinear_up_sampling", fields | ({} if layer.averaging is None else layer.averaging.fields()))


def _constant(layer: layers.Constant, inputs: Inputs) -> LayerCode:
    call = KernelCall("constant", ("input", "output", "values"), {"elements": layer.elements})
    return LayerCode((call,), (Constant("values", "number_t", layer.values, layer.numbers),))


def _layer_normalization(layer: layers.LayerNormalization, inputs: Inputs) -> LayerCode:
    elements = len(layer.kernel)
    own = {"epsilon": np.float32(layer.epsilon)} if layer.standardizing is None else layer.standardizing.fields()
    fields: Fields = {"rows": layer.elements // elements, "elements": elements, **own}
    return weighted_sum(layer, "layer_normalization", fields)


def _strided_copy(layer: layers.StridedCopy, inputs: Inputs) -> LayerCode:
    sizes, strides = joined(layer.sizes, layer.strides)
    missing = MOST_AXES - len(sizes)
    fields: Fields = {"sizes": (1,) * missing + sizes, "strides": (0,) * missing + strides}
    return one("strided_copy", fields | ({"offset": layer.offset} if layer.offset else {}))


def _transposed_convolution(layer: layers.TransposedConvolution, inputs: Inputs) -> LayerCode:
    size = layer.kernel.shape[1:3]
    fields = window_fields(layer.input_shape, layer.shape, size, layer.strides, NO_PADDING)
    fields |= unless_zero(cut_top=layer.cut[0], cut_left=layer.cut[1], input_zero=layer.zero)
    return weighted_sum(layer, "transposed_convolution", {**fields, **gaps(layer.dilation), **reading(inputs[0])})


CODE: Mapping[type[Layer], Callable[[Any, Inputs], LayerCode]] = {
    layers.BilinearResize: _bilinear_resize,
    layers.BilinearUpSampling: _bilinear_up_sampling,
    layers.Constant: _constant,
    layers.LayerNormalization: _layer_normalization,
    layers.StridedCopy: _strided_copy,
    layers.TransposedConvolution: _transposed_convolution,
}
