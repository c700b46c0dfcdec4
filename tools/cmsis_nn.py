"""Layers -> calls of CMSIS-NN's functions, whose sources a user has to have. Only their signatures are known here.

int8: activations, weights and bias are ours; rescaling is a multiplier for each channel, which stands for the same
power of two. int16: its weights have 8 bits, so those of the network are rounded to so many before it is quantized.
Answers are ours but for the rounding of rescaling.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.add import Add
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.planes import plane
from mcusim.layers.pooling import AveragePooling, MaxPooling, Pooling
from mcusim.layers.reshape import Reshape
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.quantize import quantize
from mcusim.numbers.formats import Format, format_for
from mcusim.numbers.numbers import Activation
from mcusim.numbers.power_of_two import Shift
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from tools.kernel_library import Call, c_array
from tools.networks import Network

HALF = 1 << 30  # of a multiplier of 31 fraction bits
SUM_LIMIT = 2**31 - 1
LEFT_SHIFTS = {8: 20, 16: 15}  # of the addends of a sum, as TensorFlow Lite has them


class Adapter:
    name = "CMSIS-NN"
    sources: Sequence[str] = ("Source/**/*.c",)
    without: Sequence[str] = ("*_f16.c", "*_f32.c")
    includes: Sequence[str] = ("Include",)
    headers: Sequence[str] = ("arm_nnfunctions.h",)

    def version(self, folder: Path) -> str:
        text = (folder / "Include" / "arm_nn_types.h").read_text(encoding="utf-8", errors="replace")
        found = [re.search(rf"\${word}:\s*(.*?)\s*$", text, re.MULTILINE) for word in ("Revision", "Date")]
        return ", ".join(match[1] for match in found if match)

    def graph(self, network: Network, data_type: str) -> Graph | None:
        if data_type == "int8":
            return quantize(network.graph, network.x, "int8", output="int8")
        if data_type == "int16":
            return replace(network, graph=_of_8_bits(network.graph)).quantized("int16")
        return None

    def call(self, layer: Layer, graph: Graph, name: str) -> Call:
        if isinstance(layer, Convolution):
            return _convolution(layer, graph, name)
        if isinstance(layer, Dense):
            return _dense(layer, graph, name)
        if isinstance(layer, Pooling):
            return _pooling(layer, graph, name)
        if isinstance(layer, Add) and len(layer.inputs) == 2:
            return _add(layer, graph)
        hint = "leave that network out, or add it to tools/cmsis_nn.py"
        raise ConfigurationError(f"{layer.kind} {layer.name!r} is no layer of CMSIS-NN here", hint=hint)


def _convolution(layer: Convolution, graph: Graph, name: str) -> Call:
    entry, bits = graph[layer.inputs[0]], _bits(layer)
    kernel, bias, shift = _weights(layer, graph)
    deep = layer.groups > 1 and layer.groups == layer.input_shape[-1]
    rows, columns = layer.kernel.shape[1:3]
    height, width, channels = plane(layer.input_shape)
    out_height, out_width, filters = plane(layer.shape)
    seen = channels if deep else channels // layer.groups
    multiplier = f"{filters // channels}, " if deep else ""
    offsets = f"{-_zero(graph, entry)}, {_zero(graph, layer)}, {multiplier}"
    pairs = (layer.strides, (layer.padding[0][0], layer.padding[1][0]), layer.dilation)
    tiles = ", ".join(f"{{{pair[1]}, {pair[0]}}}" for pair in pairs)
    kind = "dw_conv" if deep else "conv"
    if deep:  # filters last
        kernel = kernel.reshape(filters, rows, columns).transpose(1, 2, 0)
    first = filters if not deep else 1
    constants = [
        c_array("int8_t", f"{name}_kernel", kernel),
        _bias(bits, name, bias, kernel.reshape(-1, filters) if deep else kernel.reshape(filters, -1).T, deep=deep),
        c_array("int32_t", f"{name}_multiplier", np.full(filters, HALF, np.int32)),
        c_array("int32_t", f"{name}_shift", np.full(filters, shift, np.int32)),
        f"static const cmsis_nn_{kind}_params {name}_params = {{{offsets}{tiles}, {_limits(layer, graph)}}};",
        _dims(f"{name}_input", 1, height, width, channels),
        _dims(f"{name}_filter", first, rows, columns, filters if deep else seen),
        _dims(f"{name}_bias_dims", 1, 1, 1, filters),
        _dims(f"{name}_output", 1, out_height, out_width, filters),
        f"static const cmsis_nn_per_channel_quant_params {name}_quantization = "
        f"{{(int32_t *){name}_multiplier, (int32_t *){name}_shift}};",
    ]
    function = f"arm_{'depthwise_conv' if deep else 'convolve'}_wrapper_s{bits}"
    given = f"&{name}_bias" if bits == 16 and not deep else f"{name}_bias"
    arguments = f"&{name}_params, &{name}_quantization, &{name}_input, input0, &{name}_filter, {name}_kernel"
    body = (
        f"    const cmsis_nn_context context = {{scratch, 0}};\n"
        f"    {function}(&context, {arguments}, &{name}_bias_dims, {given}, &{name}_output, output);"
    )
    shapes = f"&{name}_params, &{name}_input, &{name}_filter, &{name}_output"
    return Call("\n".join(constants), body, f"{function}_get_buffer_size({shapes})")


def _dense(layer: Dense, graph: Graph, name: str) -> Call:
    entry, bits = graph[layer.inputs[0]], _bits(layer)
    kernel, bias, shift = _weights(layer, graph)
    units, elements = kernel.shape
    constants = [
        c_array("int8_t", f"{name}_kernel", kernel),
        c_array("int64_t" if bits == 16 else "int32_t", f"{name}_bias", bias),
        f"static const cmsis_nn_fc_params {name}_params = "
        f"{{{-_zero(graph, entry)}, 0, {_zero(graph, layer)}, {_limits(layer, graph)}}};",
        f"static const cmsis_nn_per_tensor_quant_params {name}_quantization = {{{HALF}, {shift}}};",
        _dims(f"{name}_input", 1, 1, 1, elements),
        _dims(f"{name}_filter", elements, 1, 1, units),
        _dims(f"{name}_bias_dims", 1, 1, 1, units),
        _dims(f"{name}_output", 1, 1, 1, units),
    ]
    arguments = f"&{name}_params, &{name}_quantization, &{name}_input, input0, &{name}_filter, {name}_kernel"
    body = (
        f"    const cmsis_nn_context context = {{scratch, 0}};\n"
        f"    arm_fully_connected_s{bits}(&context, {arguments}, &{name}_bias_dims, {name}_bias, "
        f"&{name}_output, output);"
    )
    return Call("\n".join(constants), body, f"arm_fully_connected_s{bits}_get_buffer_size(&{name}_filter)")


def _pooling(layer: Pooling, graph: Graph, name: str) -> Call:
    bits = _bits(layer)
    height, width, channels = plane(layer.input_shape)
    pads = (layer.padding[0][0], layer.padding[1][0])
    tiles = ", ".join(f"{{{pair[1]}, {pair[0]}}}" for pair in (layer.strides, pads))
    constants = [
        f"static const cmsis_nn_pool_params {name}_params = {{{tiles}, {_limits(layer, graph)}}};",
        _dims(f"{name}_input", 1, height, width, channels),
        _dims(f"{name}_filter", 1, *layer.size, 1),
        _dims(f"{name}_output", 1, *layer.output_plane, channels),
    ]
    average = isinstance(layer, AveragePooling)
    function = f"arm_{'avgpool' if average else 'max_pool'}_s{bits}"
    body = (
        f"    const cmsis_nn_context context = {{scratch, 0}};\n"
        f"    {function}(&context, &{name}_params, &{name}_input, input0, &{name}_filter, &{name}_output, output);"
    )
    scratch = f"{function}_get_buffer_size({layer.output_plane[1]}, {channels})" if average else "0"
    return Call("\n".join(constants), body, scratch)


def _add(layer: Add, graph: Graph) -> Call:
    """Both addends are brought to twice the coarser of their scales, as TensorFlow Lite does it."""
    entries = [graph[name] for name in layer.inputs]
    bits, left = _bits(layer), LEFT_SHIFTS[_bits(layer)]
    fractions = [_fraction(graph, entry) for entry in entries]
    coarse = min(fractions)
    scaled = ", ".join(
        f"{-_zero(graph, entry)}, {HALF}, {coarse - own}" for entry, own in zip(entries, fractions, strict=True)
    )
    back = 1 - coarse - left + _fraction(graph, layer) + 1
    low, high = _bounds(layer, graph)
    end = f"{left}, output, {_zero(graph, layer)}, {HALF}, {back}, {low}, {high}, {layer.elements}"
    return Call("", f"    arm_elementwise_add_s{bits}(input0, input1, {scaled}, {end});")


def _weights(layer: WeightedSum, graph: Graph) -> tuple[Array, Array, int]:
    """Weights of 8 bits, bias at the scale of their sums, and the shift of CMSIS-NN that ends these."""
    assert isinstance(layer.kernel_numbers, Format) and isinstance(layer.rescale, Shift)
    kernel, fraction = layer.kernel.astype(np.int64), layer.kernel_numbers.fraction
    while kernel.min() < -128 or kernel.max() > 127:  # what is cut off are zeros: see _of_8_bits
        kernel, fraction = kernel >> 1, fraction - 1
    entry = _fraction(graph, graph[layer.inputs[0]])
    have = graph[layer.inputs[0]].numbers
    assert isinstance(have, Format)
    rounding = (1 << layer.rescale.shift - 1) if layer.rescale.shift > 0 else 0  # is in our bias
    real = np.ldexp((layer.bias - rounding).astype(np.float64), -have.fraction - layer.kernel_numbers.fraction)
    bias = np.rint(np.ldexp(real, entry + fraction)).astype(np.int64)
    return kernel.astype(np.int8), bias, _fraction(graph, layer) - entry - fraction + 1


def _bias(bits: int, name: str, bias: Array, taps: Array, *, deep: bool) -> str:
    """In int16 a bias of 32 bits means sums of 32 bits, which are faster: where they suffice."""
    if bits == 8:
        return c_array("int32_t", f"{name}_bias", bias)
    if deep:
        return c_array("int64_t", f"{name}_bias", bias)
    peak = int((np.abs(taps.astype(np.int64)).sum(axis=0) * 2**15 + np.abs(bias)).max())
    ctype, small = ("int32_t", "true") if peak <= SUM_LIMIT else ("int64_t", "false")
    values = c_array(ctype, f"{name}_bias_values", bias)
    return f"{values}\nstatic const cmsis_nn_bias_data {name}_bias = {{{name}_bias_values, {small}}};"


def _of_8_bits(graph: Graph) -> Graph:
    """Weights that 8 bits and a power of two hold."""

    def one(layer: Layer) -> Layer:
        if not isinstance(layer, WeightedSum):
            return layer
        fmt = format_for(float(np.abs(layer.kernel).max(initial=0.0)), 8)
        return replace(layer, kernel=np.asarray(fmt.decode(fmt.encode(layer.kernel)), np.float32))

    return replace(graph, layers=tuple(map(one, graph.layers)))


def _scaled(graph: Graph, layer: Layer) -> Layer:
    """The layer whose scale a tensor has: pools keep that of their input."""
    while isinstance(layer, (AveragePooling, MaxPooling, Reshape)):
        layer = graph[layer.inputs[0]]
    return layer


def _fraction(graph: Graph, layer: Layer) -> int:
    own = _scaled(graph, layer).numbers
    assert isinstance(own, Format)
    return own.fraction


def _zero(graph: Graph, layer: Layer) -> int:
    """Where 0 is: numbers without a sign are stored less 128."""
    return -128 if _scaled(graph, layer).dtype == np.uint8 else 0


def _bits(layer: Layer) -> int:
    return 8 * layer.dtype.itemsize


def _bounds(layer: Any, graph: Graph) -> tuple[int, int]:
    activation: Activation = layer.activation
    highest = 2 ** (_bits(layer) - 1) - 1
    lowest = _zero(graph, layer) if activation.relu else -highest - 1
    if activation.ceiling is not None:
        highest = min(highest, _zero(graph, layer) + round(activation.ceiling * 2 ** _fraction(graph, layer)))
    return lowest, highest


def _limits(layer: Any, graph: Graph) -> str:
    low, high = _bounds(layer, graph)
    return f"{{{low}, {high}}}"


def _dims(name: str, count: int, height: int, width: int, channels: int) -> str:
    return f"static const cmsis_nn_dims {name} = {{{count}, {height}, {width}, {channels}}};"
