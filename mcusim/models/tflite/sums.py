"""TFLite's weighted sums -> layers of a Graph: convolutions, depthwise and transposed ones, fully connected."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import Convolution, Dense, TransposedConvolution
from mcusim.layers.planes import NO_PADDING, Padding, Pair, output_plane, plane, reach, same_padding, shape_like
from mcusim.models.tflite.call import AGAIN, Call, plane_of
from mcusim.models.tflite.dilation import Spread
from mcusim.numbers.affine import Scaled, sum_factors, weighted_sum
from mcusim.system.arrays import Array

SAME, VALID = 0, 1
WEIGHT_BITS = 8
INT32 = 2  # a type of the schema
SHUFFLED = 1  # a layout of the weights of FULLY_CONNECTED that only old phones had


def pair(call: Call, rows: str, columns: str) -> Pair:
    sizes = (call.option(rows), call.option(columns))
    if min(sizes) < 1:
        raise call.refused(f"has the {rows} {sizes[0]} and the {columns} {sizes[1]}", AGAIN)
    return sizes


def padding_of(call: Call, shape: Shape, reached: Pair, strides: Pair) -> Padding:
    mode = call.option("padding")
    if mode not in (SAME, VALID):
        raise call.refused(f"has the padding {mode}", AGAIN)
    return same_padding(shape, reached, strides) if mode == SAME else NO_PADDING


def windows_of(call: Call, shape: Shape, reached: Pair, strides: Pair, padding: Padding) -> tuple[Shape, Shape]:
    """Shapes in which windows see the input and leave the output, but for its channels: 1D only where both are."""
    found = output_plane(shape, reached, strides, padding)
    if found is None:
        raise call.refused(f"has a window of {reached} that does not fit {shape}", AGAIN)
    if len(shape) == 2 and (reached[0] > 1 or any(padding[0])):
        shape = (1, *shape)
    return shape, shape_like(len(shape) - 1, *found, 0)[:-1]


def summed(call: Call, kernel: Array, stored: int, bias: int, *, entry: int = 0, fold: bool = True) -> dict[str, Any]:
    """Weights (outputs, ...), which are input `stored`, and a bias: fields of a WeightedSum on reals or integers.

    `fold`: see `weighted_sum`.
    """
    have, out = call.numbers(entry), call.out
    if have is None or out is None:
        return {"kernel": kernel, **_biased(call, bias, len(kernel))}
    scales = call.entry(stored).tensor.scales
    if len(scales) not in (1, len(kernel)):
        raise call.refused(f"has {len(scales)} scales for {len(kernel)} outputs", AGAIN)
    numbers = Scaled(WEIGHT_BITS, tuple(float(scale) for scale in scales))
    added, is_long = integer_bias(call, bias, len(kernel))
    factors = sum_factors(have, numbers, out, long=is_long)
    made = dict(vars(weighted_sum(kernel, added, numbers, have, out, factors, fold=fold)))
    del made["numbers"]  # which `Call.own` tells
    wider = have if have.bits > WEIGHT_BITS else None
    return {**made, "zero": have.zero, "wider_numbers": wider, "has_bias": call.optional(bias) is not None}


def _biased(call: Call, index: int, filters: int) -> dict[str, Any]:
    if call.optional(index) is None:
        return {"bias": np.zeros(filters, np.float32), "has_bias": False}
    bias = call.weights(index).reshape(-1)
    _check_bias(call, bias, filters)
    return {"bias": bias}


def integer_bias(call: Call, index: int, filters: int) -> tuple[Array, bool]:
    """0 where there is none. And whether TFLM sums in 64 bits: of 16 bits, where the bias has 64 or there is none."""
    wide = call.bits == 16
    if call.optional(index) is None:
        return np.zeros(filters, np.int64), wide and call.operation.options.get("quantized_bias_type") != INT32
    bias = call.constant(index, "bias").reshape(-1)
    _check_bias(call, bias, filters)
    if str(bias.dtype) not in ("int32", "int64"):
        raise call.refused(f"has a bias of type {bias.dtype}", AGAIN)
    return bias.astype(np.int64), wide and bias.dtype.itemsize == 8


def _check_bias(call: Call, bias: Array, filters: int) -> None:
    if len(bias) != filters:
        raise call.refused(f"has {len(bias)} biases for {filters} outputs", AGAIN)


def _convolution(call: Call) -> None:
    kernel = call.weights(1, rank=4)
    channels = call.shape()[-1]
    if channels % kernel.shape[3] or len(kernel) % (channels // kernel.shape[3]):
        raise call.refused(f"has weights of shape {kernel.shape} and gets {channels} channels", AGAIN)
    _sliding(call, kernel, channels // kernel.shape[3])


def _depthwise(call: Call) -> None:
    """Weights (1, rows, columns, channels x multiplier), filters of one channel side by side."""
    stored = call.weights(1, rank=4)
    channels = call.shape()[-1]
    if len(stored) != 1 or stored.shape[3] % channels:
        raise call.refused(f"has weights of shape {stored.shape} and gets {channels} channels", AGAIN)
    _sliding(call, np.ascontiguousarray(stored.transpose(3, 1, 2, 0)), channels)


def _sliding(call: Call, kernel: Array, groups: int) -> None:
    dilation, strides = pair(call, "dilation_h", "dilation_w"), pair(call, "stride_h", "stride_w")
    shape = plane_of(call)
    reached = reach((kernel.shape[1], kernel.shape[2]), dilation)
    spread = call.operation.extra
    padding = spread.padding if isinstance(spread, Spread) else padding_of(call, shape, reached, strides)
    shape, outer = windows_of(call, shape, reached, strides, padding)
    window: dict[str, Any] = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    own = call.own((*outer, len(kernel)), call.view(0, shape))
    call.activated(Convolution(**own, **summed(call, kernel, 1, 2), input_shape=shape, **window))


def _fully_connected(call: Call) -> None:
    """On rows of a matrix: one is a vector, several are a plane whose channels are summed."""
    if call.option("weights_format") == SHUFFLED:
        raise call.refused("has shuffled weights", AGAIN)
    kernel = _without_zero(call, call.weights(1, rank=2))
    units, elements = kernel.shape
    total = int(np.prod(call.shape()))
    if not elements or total % elements:
        raise call.refused(f"has weights of shape {kernel.shape} and gets {call.shape()}", AGAIN)
    rows = total // elements
    if rows == 1:
        own = call.own((units,), call.view(0, (elements,)))
        call.activated(Dense(**own, **summed(call, kernel, 1, 2)))
        return
    have = call.own_shape()
    shape = have if len(have) in (2, 3) and have[-1] == elements else (rows, elements)
    own = call.own((*shape[:-1], units), call.view(0, shape))
    made = summed(call, kernel.reshape(units, 1, 1, elements), 1, 2)
    call.activated(Convolution(**own, **made, input_shape=shape))


def _without_zero(call: Call, kernel: Array) -> Array:
    """TFLM takes the zero of weights off only here, and only where all have one scale."""
    tensor = call.entry(1).tensor
    if call.out is not None and len(tensor.scales) == 1 and tensor.zero_points[0] != 0:
        raise call.refused("has weights whose zero is not 0", AGAIN)
    return kernel


def _transposed(call: Call) -> None:
    """Inputs: the output's shape, weights (filters, rows, columns, channels), the input, perhaps a bias."""
    kernel, strides = call.weights(1, rank=4), pair(call, "stride_h", "stride_w")
    shape = plane_of(call, 2)
    _, height, width, filters = call.outputs[0].shape
    if kernel.shape[3] != shape[-1] or filters != len(kernel):
        raise call.refused(f"has weights of shape {kernel.shape} and gets {shape}", AGAIN)
    if len(shape) == 2 and (kernel.shape[1] > 1 or height > 1):
        shape = (1, *shape)
    wanted = (height, width, filters)
    padding = padding_of(call, wanted, (kernel.shape[1], kernel.shape[2]), strides)
    expected = [
        (-(-size // stride) if call.option("padding") == SAME else (size - window) // stride + 1) or 1
        for size, stride, window in zip(wanted[:2], strides, kernel.shape[1:3], strict=True)
    ]
    if tuple(expected) != plane(shape)[:2]:
        raise call.refused(f"turns {shape} into {wanted} with strides {strides}", AGAIN)
    own = call.own(shape_like(len(shape) - 1, *wanted), call.view(2, shape))
    cut = (padding[0][0], padding[1][0])
    made = summed(call, kernel, 1, 3, entry=2, fold=False)
    call.activated(TransposedConvolution(**own, **made, input_shape=shape, strides=strides, cut=cut))


CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transposed,
}
