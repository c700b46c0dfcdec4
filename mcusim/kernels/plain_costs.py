"""Cycles that plain C takes for layers but convolutions, about: what other kernels are measured against.

Fitted to layers of random shapes, profiled on the L452 at 48 MHz. GCC unrolls what is short, and mixes instructions
of 16 and 32 bits as it likes, so that equal loops differ by a tenth, and single layers by more.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mcusim import layers
from mcusim.graph import Layer
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.plain_convolution import OWN_FACTOR, has_factors, taps_inside
from mcusim.layers.merge import Merge
from mcusim.layers.planes import plane
from mcusim.layers.pooling import Pooling
from mcusim.layers.recurrent import Recurrent
from mcusim.layers.strided_copy import joined
from mcusim.numbers.affine import Affine, FromReals
from mcusim.numbers.power_of_two import ShiftConversion, ShiftedAddition


class Loop(NamedTuple):
    """Cycles of a number of a sum, or a comparison, of two arrays; more for a ReLU, a shift at its end, and each input
    that is shifted.
    """

    number: float
    relu: float = 0
    shifted: float = 0
    input: float = 0


class ByType(NamedTuple):
    """What one thing takes, by how numbers are stored."""

    int8: float
    int16: float
    real: float

    def of(self, layer: Layer) -> float:
        return self.real if layer.numbers is None else self.int8 if layer.dtype.itemsize == 1 else self.int16


# A number of each; with rows of so many channels, each of those as well
EACH: Mapping[type[Layer], ByType] = {
    layers.BilinearUpSampling: ByType(34, 35, 25),
    layers.Convert: ByType(12, 12, 12),
    layers.PReLU: ByType(25, 25, 15.3),
    layers.Reshape: ByType(2, 3, 4),
    layers.StridedCopy: ByType(6.5, 7.5, 7.6),
    layers.ZeroPadding: ByType(10.5, 10.8, 12),
    layers.BroadcastAdd: ByType(21.4, 18.7, 15.3),
    layers.Softmax: ByType(38.3, 41.2, 124.5),
    layers.LayerNormalization: ByType(60, 66, 35),
}
# By bytes of a number, 0 for float32
MERGED: Mapping[type[Layer], Mapping[int, Loop]] = {
    layers.Add: {1: Loop(13.4, 1, 3, 0.7), 2: Loop(9.8, 1.1, 1, 1.2), 0: Loop(10, 5.2)},
    layers.Maximum: {1: Loop(12, 1, 3), 2: Loop(9, 1, 3), 0: Loop(13, 5.4)},
    layers.Minimum: {1: Loop(12, 1, 2, 0.9), 2: Loop(9, 1, 2, 1), 0: Loop(13, 5.5)},
    layers.Subtract: {1: Loop(16, -3, 0, 3), 2: Loop(13, -2), 0: Loop(10, 5.2)},
}
MERGED_ONCE = ByType(14, 18, 10)
AFFINE_EACH: Mapping[type[Layer], float] = {  # of 8 bits: a number of each
    layers.BroadcastAdd: 49,
    layers.Convert: 30,
    layers.Maximum: 16.5,
    layers.Minimum: 16.5,
    layers.Multiply: 35,
    layers.Subtract: 51,
}
AFFINE_SOFTMAX, AFFINE_SOFTMAX_ROW = ByType(42.3, 52.5, 0), ByType(110, 30, 0)
ROW: Mapping[type[Layer], ByType] = {
    layers.PReLU: ByType(7.6, 7.6, 7.2),
    layers.Softmax: ByType(0, 3, 5),
    layers.LayerNormalization: ByType(797, 822, 87),
}
ONCE = 25.0
RELU_ONCE = 8.0
FROM_REAL = 52.0  # a division
FUNCTIONS: Mapping[str, float] = {  # of float32, where other branches of a function would take less
    **{"hard_sigmoid": 19, "hard_silu": 19, "hard_tanh": 15, "leaky_relu": 11, "softsign": 18, "threshold_relu": 25},
    **{"sigmoid": 120, "tanh": 107, "silu": 127, "exponential": 103, "softplus": 187, "gelu": 204, "gelu_tanh": 135},
    **{"elu": 52, "celu": 66, "selu": 55, "mish": 135, "erf": 204},
}
MEAN_TAP, MEAN, REAL_MEAN, SHIFTED_MEAN = 7.8, 20.0, 13.0, 6.0  # of an average: a number that is added; its end
LINES = 11.0  # a function without a table
TABLE = ByType(10, 28, 0)
AFFINE_ADDENDS = {2: 49.0}  # of a sum of two; of more each
AFFINE_ADDEND, AFFINE_CONVERTED, CONCATENATED = 80.0, 14.5, 8.0
CONVERTED, CONVERTED_ROW = ByType(8.6, 7.6, 0), 4  # of a concatenation: a number, and a row, on another scale
ONE_JOINED, FEW_JOINED = ByType(6.5, 6.5, 7), ByType(9.4, 9.4, 12)  # a row of one number, and of two, which stay
JOINED_ROW, JOINED_WORD, JOINED_REST = ByType(7.6, 43.6, 64.2), ByType(17.1, 13.3, 3.3), ByType(12.6, 1.8, 0)
SHORT_COPY = ByType(3.9, 3.1, 3.4)  # a number of a copy whose runs have one or two
TAP, LARGER, LONE_LARGER = 8.8, 12.0, 9.2  # of a max pool: integers, float32, float32 of one channel
AFFINE_TAP, AFFINE_EDGE = 10.2, 23.0  # of a pool, and of one that may hang over the edge
MULTIPLY, MULTIPLY_SPREAD = ByType(13, 12, 15), ByType(18.8, 16.8, 13.8)
# Of a batch normalization: a number and a row of three channels and more; a number of one, and of two, in rows unrolled
CHANNEL, CHANNELS = ByType(15.5, 16.2, 13.9), ByType(6.2, 7.5, 8.4)
FEW_CHANNELS = {1: ByType(13.6, 13.7, 9.1), 2: ByType(8.0, 7.4, 8.1)}
MOST_FEW = 2
COPIES = (layers.Concatenate, layers.Reshape, layers.StridedCopy, layers.ZeroPadding)
MOST_UNROLLED, UNROLLED = 16, ByType(5, 5, 4.5)  # numbers of a copy that has no loop
# A product of a dense layer, a row, and a row of one or two products, which are unrolled
PRODUCT, UNIT = ByType(8.5, 8.5, 9.8), ByType(12, 12, 9)
SHORT_UNIT = {  # by inputs, and whether a ReLU follows
    **{(1, False): ByType(19.3, 15, 15.2), (1, True): ByType(15.7, 19, 15.2)},
    **{(2, False): ByType(26, 27, 23), (2, True): ByType(21.5, 23.7, 28)},
}
GATE = {layers.LSTM: ByType(230, 235, 650), layers.GRU: ByType(195, 200, 430), layers.SimpleRNN: ByType(50, 48, 115)}
GATED_PRODUCT = {
    layers.LSTM: ByType(5.4, 5.5, 7),
    layers.GRU: ByType(9.1, 9.2, 10),
    layers.SimpleRNN: ByType(8.8, 9.3, 9.7),
}
STEP = 60.0  # of a sequence
TRANSPOSED = ByType(11.5, 11.5, 17)  # a tap that may reach an output, beside its products
TRANSPOSED_PRODUCT = ByType(8.8, 8.8, 10)


def cycles(layer: Layer, inputs: Inputs) -> float | None:
    """None for layers that nobody measured."""
    kind = type(layer)
    if isinstance(layer, COPIES) and layer.elements <= MOST_UNROLLED:
        return 8 + UNROLLED.of(layer) * layer.elements
    if isinstance(layer, layers.StridedCopy) and joined(layer.sizes, layer.strides)[0][-1] <= MOST_FEW:
        return ONCE / 2 + SHORT_COPY.of(layer) * layer.elements
    if isinstance(layer, layers.Convert) and isinstance(layer.conversion, FromReals):
        return ONCE + FROM_REAL * layer.elements
    if kind in AFFINE_EACH and isinstance(layer.numbers, Affine):
        return ONCE + AFFINE_EACH[kind] * layer.elements
    if kind in _OWN:
        return _OWN[kind](layer, inputs)
    if kind not in EACH:
        return None
    rows = layer.elements // layer.shape[-1]
    if kind is layers.Softmax and isinstance(layer.numbers, Affine):
        return ONCE + AFFINE_SOFTMAX.of(layer) * layer.elements + AFFINE_SOFTMAX_ROW.of(layer) * rows
    return ONCE + EACH[kind].of(layer) * layer.elements + (ROW[kind].of(layer) * rows if kind in ROW else 0)


def _pooling(layer: Pooling, inputs: Inputs) -> float:
    (height, width, channels), (rows, columns) = plane(layer.input_shape), layer.output_plane
    real = layer.numbers is None
    if layer.size == (1, 1):
        return layer.elements * (7.0 if real or isinstance(layer, layers.MaxPooling) else 3.0)
    down, across = taps_inside((height, width), (rows, columns), layer.size, layer.strides, layer.padding)
    affine = isinstance(layer.numbers, Affine)
    edge = (AFFINE_EDGE if affine else 10) * rows * columns * any(map(any, layer.padding))
    if isinstance(layer, layers.AveragePooling):
        return float(channels * (MEAN_TAP * down * across + edge) + _mean(layer) * layer.elements)
    tap = (LARGER if channels > 1 else LONE_LARGER) if real else AFFINE_TAP if affine else TAP
    return float(channels * (tap * down * across + edge))


def _mean(layer: layers.AveragePooling) -> float:
    """What a sum takes at its end: no division where the compiler knows 2^n taps."""
    taps = layer.size[0] * layer.size[1]
    if taps & (taps - 1) == 0 and not any(map(any, layer.padding)) and not isinstance(layer.numbers, Affine):
        return SHIFTED_MEAN
    return REAL_MEAN if layer.numbers is None else MEAN


def _add(layer: layers.Add, inputs: Inputs) -> float:
    real, count = layer.numbers is None, len(inputs)
    if isinstance(layer.numbers, Affine):
        return layer.elements * AFFINE_ADDENDS.get(count, AFFINE_ADDEND * count)
    if count > 2:  # their pointers are in memory
        return float(layer.elements * (8.5 * count - 11 if real else 16 * count + 15))
    return _merged(layer, inputs)


def _merged(layer: layers.Add | layers.Maximum | layers.Minimum | layers.Subtract, inputs: Inputs) -> float:
    """Of two arrays."""
    loop = MERGED[type(layer)][0 if layer.numbers is None else layer.dtype.itemsize]
    number = loop.number + loop.relu * layer.activation.relu
    if isinstance(layer.addition, ShiftedAddition):
        number += loop.shifted * (layer.addition.rescale.shift > 0)
        number += loop.input * sum(shift != 0 for shift in layer.addition.shifts)
    return MERGED_ONCE.of(layer) + number * layer.elements


def _relu(layer: layers.ReLU, inputs: Inputs) -> float:
    real = 11.0 + 2.3 * (layer.activation.ceiling is not None)
    return RELU_ONCE + layer.elements * (real if layer.numbers is None else 7.7)


def _concatenate(layer: layers.Concatenate, inputs: Inputs) -> float:
    rows = layer.elements // layer.shape[-1] if layer.axis in (-1, len(layer.shape) - 1) else 1
    if isinstance(layer.numbers, Affine):
        return len(inputs) * (ONCE + 6 * rows) + sum(
            part.elements * (CONCATENATED if part.numbers == layer.numbers else AFFINE_CONVERTED) for part in inputs
        )
    return sum(_joined(layer, index, part, part.elements // rows, rows) for index, part in enumerate(inputs))


def _joined(layer: layers.Concatenate, index: int, part: Layer, channels: int, rows: int) -> float:
    """An input whose rows are copied by the C library, one by one, or converted, or unrolled."""
    conversion = layer.conversions[index] if layer.conversions else None
    if isinstance(conversion, ShiftConversion) and conversion.shift:
        return CONVERTED.of(layer) * part.elements + CONVERTED_ROW * rows
    if channels <= MOST_FEW:
        return ONCE / 2 + (FEW_JOINED if channels == MOST_FEW else ONE_JOINED).of(layer) * rows
    words, rest = divmod(channels * layer.dtype.itemsize, 4)
    return ONCE / 2 + rows * (JOINED_ROW.of(layer) + JOINED_WORD.of(layer) * words + JOINED_REST.of(layer) * rest)


def _pointwise(layer: layers.Pointwise, inputs: Inputs) -> float:
    if layer.lookup is None:
        return ONCE + FUNCTIONS[layer.function.name] * layer.elements
    return ONCE + (TABLE.of(layer) if layer.lookup.table.size else LINES) * layer.elements


def _multiply(layer: Merge, inputs: Inputs) -> float:
    spread = any(shape != layer.shape for shape in layer.input_shapes)
    return ONCE + (MULTIPLY_SPREAD if spread else MULTIPLY).of(layer) * layer.elements


def _batch_normalization(layer: layers.BatchNormalization, inputs: Inputs) -> float:
    channels = layer.shape[-1]
    if channels in FEW_CHANNELS:
        return ONCE / 2 + FEW_CHANNELS[channels].of(layer) * layer.elements
    return 1.5 * ONCE + CHANNEL.of(layer) * layer.elements + CHANNELS.of(layer) * (layer.elements // channels)


def _dense(layer: layers.Dense, inputs: Inputs) -> float:
    units, elements = layer.kernel.shape
    if elements <= MOST_FEW:
        return float(SHORT_UNIT[elements, layer.activation.relu].of(layer) * units)
    unit = UNIT.of(layer) + OWN_FACTOR * has_factors(layer)
    return float(ONCE / 2 + unit * units + PRODUCT.of(layer) * layer.macs)


def _recurrent(layer: Recurrent, inputs: Inputs) -> float:
    steps = STEP + GATE[type(layer)].of(layer) * layer.units
    return 3 * ONCE + layer.steps * steps + GATED_PRODUCT[type(layer)].of(layer) * layer.macs


def _transposed_convolution(layer: layers.TransposedConvolution, inputs: Inputs) -> float:
    taps = layer.elements * layer.kernel.shape[1] * layer.kernel.shape[2]
    return float(ONCE + TRANSPOSED.of(layer) * taps + TRANSPOSED_PRODUCT.of(layer) * layer.macs)


_OWN: Mapping[type[Layer], Callable[[Any, Inputs], float]] = {
    layers.Add: _add,
    layers.AveragePooling: _pooling,
    layers.BatchNormalization: _batch_normalization,
    layers.Concatenate: _concatenate,
    layers.Dense: _dense,
    layers.GRU: _recurrent,
    layers.LSTM: _recurrent,
    layers.MaxPooling: _pooling,
    layers.Maximum: _merged,
    layers.Minimum: _merged,
    layers.Multiply: _multiply,
    layers.Pointwise: _pointwise,
    layers.ReLU: _relu,
    layers.SimpleRNN: _recurrent,
    layers.Subtract: _merged,
    layers.TransposedConvolution: _transposed_convolution,
}
