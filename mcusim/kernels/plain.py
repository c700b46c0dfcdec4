"""Ordinary C, every shape a constant: the reference, the fallback for any core, and enough for small layers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcusim import layers
from mcusim.graph import Layer
from mcusim.kernels import plain_costs, plain_pointwise, plain_recurrent
from mcusim.kernels.calls import Fields, gaps, one, reading, reading_all, weighted_sum, window_fields
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.kernels.plain_convolution import convolution_cycles
from mcusim.layers.planes import NO_PADDING, plane, shape_like
from mcusim.layers.pooling import Pooling
from mcusim.layers.strided_copy import MOST_AXES, joined
from mcusim.numbers.integers import unless_zero
from mcusim.program import Constant, KernelCall, LayerCode

NAME = "plain"
SUMMARY = "plain C for any core, every layer and every data type"
LOADS = 0.11  # of its cycles, from RAM
ANY_STORAGE = ANY_FLOOR = True  # of the layers that take it
AFFINE = NARROW_WEIGHTS = True

# Of the UCI-HAR network of 80 filters and of the digits example, profiled on the L452, as round numbers.
CYCLES_PER_MAC = 8.0
CYCLES_PER_ELEMENT = 20.0
CODE_BYTES = 130
POOL_CODE_BYTES = 70  # likewise of a pool, which is told apart since an assembly for it may be larger


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


def fits(layer: Layer, inputs: Inputs) -> str | None:
    return None if type(layer) in _CODE else f"there is no plain C for {layer.kind}"


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    if isinstance(layer, layers.Convolution):
        return convolution_cycles(layer)
    known = plain_costs.cycles(layer, inputs)
    return CYCLES_PER_MAC * layer.macs + CYCLES_PER_ELEMENT * layer.elements if known is None else known


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    made: LayerCode = _CODE[type(layer)](layer, inputs)
    return replace(made, code_bytes=POOL_CODE_BYTES if isinstance(layer, Pooling) else CODE_BYTES)


def _add(layer: layers.Add, inputs: Inputs) -> LayerCode:
    own = layer.activation.fields(None) if layer.addition is None else layer.addition.fields(layer.activation)
    own = {**reading_all(inputs), **own}
    fields = {"elements": layer.elements, "inputs": len(inputs), **own}
    return one("add", fields, arguments=("inputs", "output"))


def _batch_normalization(layer: layers.BatchNormalization, inputs: Inputs) -> LayerCode:
    channels = layer.shape[-1]
    rows = {"rows": layer.elements // channels, "channels": channels}
    return weighted_sum(layer, "batch_normalization", {**rows, **reading(inputs[0])})


def _concatenate(layer: layers.Concatenate, inputs: Inputs) -> LayerCode:
    calls, offset = [], 0
    rows = math.prod(layer.shape[: layer.axis])
    channels = layer.elements // rows
    for index, part in enumerate(inputs):
        fields: Fields = {"rows": rows, "channels": part.elements // rows}
        fields |= {"output_channels": channels, "offset": offset, **reading(part)}
        fields |= layer.conversions[index].fields() if layer.conversions else {}
        calls.append(KernelCall("concatenate", (f"inputs[{index}]", "output"), fields))
        offset += part.elements // rows
    return LayerCode(tuple(calls))


def _convert(layer: layers.Convert, inputs: Inputs) -> LayerCode:
    assert layer.conversion is not None
    wide = {"wide": 1} if inputs[0].dtype.itemsize > 1 else {}
    if layer.conversion.kernel == "quantize":
        return one("quantize", {"elements": layer.elements, **layer.conversion.fields()})
    return one(
        layer.conversion.kernel, {"elements": layer.elements, **wide, **reading(inputs[0]), **layer.conversion.fields()}
    )


def _convolution(layer: layers.Convolution, inputs: Inputs) -> LayerCode:
    window = window_fields(layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding)
    return weighted_sum(
        layer,
        "convolution",
        {**window, **gaps(layer.dilation), "groups": layer.groups, **reading(inputs[0]), **_padded(layer)},
    )


def _padded(layer: layers.Convolution) -> Fields:
    """What lies round the plane, where it is not 0."""
    return {"input_zero": layer.zero} if layer.zero and any(map(any, layer.padding)) else {}


def _dense(layer: layers.Dense, inputs: Inputs) -> LayerCode:
    units, elements = layer.kernel.shape
    return weighted_sum(layer, "dense", {"inputs": elements, "units": units, **reading(inputs[0])})


def _average_pooling(layer: layers.AveragePooling, inputs: Inputs) -> LayerCode:
    rounding = {} if layer.averaging is None else layer.averaging.fields()
    return one("average_pooling", {**_pooling_fields(layer, inputs[0]), **rounding})


def _relu(layer: layers.ReLU, inputs: Inputs) -> LayerCode:
    return one("relu", {"elements": layer.elements, **reading(inputs[0]), **layer.activation.fields(layer.numbers)})


def _softmax(layer: layers.Softmax, inputs: Inputs) -> LayerCode:
    fields: Fields = {"rows": layer.elements // layer.shape[-1], "channels": layer.shape[-1]}
    if layer.softmaxing is None:
        return one("softmax", fields)
    own = {**fields, **layer.softmaxing.fields()}
    return plain_pointwise.with_tables(layer.softmaxing.kernel, own, layer.softmaxing.tables)


def _zero_padding(layer: layers.ZeroPadding, inputs: Inputs) -> LayerCode:
    height, width, channels = plane(layer.input_shape)
    rows, columns, _ = plane(layer.shape)
    fields = {"input_height": height, "input_width": width, "channels": channels}
    fields |= {"output_height": rows, "output_width": columns}
    zero = layer.numbers.zero if layer.numbers else 0
    offsets = unless_zero(padding_top=layer.padding[0][0], padding_left=layer.padding[1][0], zero=zero)
    return one("zero_padding", {**fields, **offsets})


def _pooling_fields(layer: Pooling, entry: Layer) -> Fields:
    output = shape_like(len(layer.input_shape) - 1, *layer.output_plane, layer.shape[-1])
    fields = window_fields(layer.input_shape, output, layer.size, layer.strides, layer.padding)
    del fields["output_channels"]  # as many as the input has
    return {**fields, **reading(entry), **layer.activation.fields(layer.numbers)}


_CODE: Mapping[type[Layer], Callable[[Any, Inputs], LayerCode]] = {
    layers.Add: _add,
    layers.AveragePooling: _average_pooling,
    layers.BatchNormalization: _batch_normalization,
    layers.Concatenate: _concatenate,
    layers.Convert: _convert,
    layers.Convolution: _convolution,
    layers.Dense: _dense,
    layers.MaxPooling: lambda layer, inputs: one("max_pooling", _pooling_fields(layer, inputs[0])),
    layers.ReLU: _relu,
    layers.Reshape: lambda layer, inputs: one("copy", {"elements": layer.elements}),
    layers.Softmax: _softmax,
    layers.ZeroPadding: _zero_padding,
    **plain_pointwise.CODE,
    **plain_recurrent.CODE,
    **CODE,
}
