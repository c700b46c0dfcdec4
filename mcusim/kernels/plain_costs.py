"""Cycles that plain C takes for layers but convolutions, about: what other kernels are measured against.

Fitted to layers of random shapes, profiled on the L452 at 48 MHz. GCC unrolls what is short, and mixes instructions
of 16 and 32 bits as it likes, so that equal loops differ by a tenth, and single layers by more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mcusim.graph import Layer
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.plain_convolution import OWN_FACTOR, has_factors, taps_inside
from mcusim.layers.add import Add
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.bilinear_up_sampling import BilinearUpSampling
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.convert import Convert
from mcusim.layers.dense import Dense
from mcusim.layers.gru import GRU
from mcusim.layers.layer_normalization import LayerNormalization
from mcusim.layers.lstm import LSTM
from mcusim.layers.merge import BroadcastAdd, Maximum, Merge, Minimum, Multiply, Subtract
from mcusim.layers.planes import plane
from mcusim.layers.pointwise import Pointwise
from mcusim.layers.pooling import AveragePooling, MaxPooling, Pooling
from mcusim.layers.prelu import PReLU
from mcusim.layers.recurrent import Recurrent
from mcusim.layers.relu import ReLU
from mcusim.layers.reshape import Reshape
from mcusim.layers.simple_rnn import SimpleRNN
from mcusim.layers.softmax import Softmax
from mcusim.layers.strided_copy import StridedCopy
from mcusim.layers.transposed_convolution import TransposedConvolution
from mcusim.layers.zero_padding import ZeroPadding
from mcusim.numbers.affine import Affine, FromReals


class ByType(NamedTuple):
    """What one thing takes, by how numbers are stored."""

    int8: float
    int16: float
    real: float

    def of(self, layer: Layer) -> float:
        return self.real if layer.numbers is None else self.int8 if layer.dtype.itemsize == 1 else self.int16


# A number of each; with rows of so many channels, each of those as well
EACH: Mapping[type[Layer], ByType] = {
    BilinearUpSampling: ByType(34, 35, 25),
    Convert: ByType(12, 12, 12),
    PReLU: ByType(25, 25, 15.3),
    Reshape: ByType(2, 3, 4),
    StridedCopy: ByType(6.5, 7.5, 7.6),
    ZeroPadding: ByType(10.5, 10.8, 12),
    BroadcastAdd: ByType(21.4, 18.7, 15.3),
    Maximum: ByType(14, 12.2, 13.6),
    Minimum: ByType(14, 12.2, 13.6),
    Subtract: ByType(16, 13.5, 11),
    Softmax: ByType(38.3, 41.2, 124.5),
    LayerNormalization: ByType(60, 66, 35),
}
AFFINE_EACH: Mapping[type[Layer], float] = {  # of 8 bits: a number of each
    **{BroadcastAdd: 49, Convert: 30, Maximum: 16.5, Minimum: 16.5, Multiply: 35, Subtract: 51},
}
AFFINE_SOFTMAX, AFFINE_SOFTMAX_ROW = ByType(42.3, 52.5, 0), ByType(110, 30, 0)
ROW: Mapping[type[Layer], ByType] = {
    PReLU: ByType(7.6, 7.6, 7.2),
    Softmax: ByType(0, 3, 5),
    LayerNormalization: ByType(797, 822, 87),
}
ONCE = 25.0
FROM_REAL = 52.0  # a division
FUNCTIONS: Mapping[str, float] = {  # of float32, where other branches of a function would take less
    **{"hard_sigmoid": 19, "hard_silu": 19, "hard_tanh": 15, "leaky_relu": 11, "softsign": 18, "threshold_relu": 25},
    **{
        "sigmoid": 120,
        "tanh": 107,
        "silu": 127,
        "exponential": 103,
        "softplus": 187,
        "gelu": 204,
        "erf": 204,
        "gelu_tanh": 135,
    },
    **{"elu": 52, "celu": 66, "selu": 55, "mish": 135},
}
MEAN_TAP, MEAN = 7.8, 20.0  # of integers: a number that is added, and the division
LINES = 11.0  # a function without a table
TABLE = ByType(10, 28, 0)
AFFINE_ADDENDS = {2: 49.0}  # of a sum of two; of more each
AFFINE_ADDEND, AFFINE_CONVERTED, CONCATENATED = 80.0, 14.5, 8.0
AFFINE_TAP, AFFINE_EDGE = 10.2, 23.0  # of a pool, and of one that may hang over the edge
MULTIPLY, MULTIPLY_SPREAD = ByType(15.5, 13, 10), ByType(18.8, 16.8, 13.8)
CHANNEL, FEW_CHANNELS = ByType(18.5, 18.5, 17), ByType(10, 10, 9)  # of a batch normalization: few are unrolled
MOST_FEW = 2
COPIES = (Concatenate, Reshape, StridedCopy, ZeroPadding)
MOST_UNROLLED, UNROLLED = 16, ByType(5, 5, 4.5)  # numbers of a copy that has no loop
# A product of a dense layer, a row, and a row of one or two products, which are unrolled
PRODUCT, UNIT = ByType(8.5, 8.5, 9.8), ByType(12, 12, 9)
SHORT_UNIT = {  # by inputs, and whether a ReLU follows
    **{(1, False): ByType(19.3, 15, 15.2), (1, True): ByType(15.7, 19, 15.2)},
    **{(2, False): ByType(26, 27, 23), (2, True): ByType(21.5, 23.7, 28)},
}
GATE = {LSTM: ByType(230, 235, 650), GRU: ByType(195, 200, 430), SimpleRNN: ByType(50, 48, 115)}
GATED_PRODUCT = {LSTM: ByType(5.4, 5.5, 7), GRU: ByType(9.1, 9.2, 10), SimpleRNN: ByType(8.8, 9.3, 9.7)}
STEP = 60.0  # of a sequence
TRANSPOSED = ByType(11.5, 11.5, 17)  # a tap that may reach an output, beside its products
TRANSPOSED_PRODUCT = ByType(8.8, 8.8, 10)


def cycles(layer: Layer, inputs: Inputs) -> float | None:
    """None for layers that nobody measured."""
    kind = type(layer)
    if isinstance(layer, COPIES) and layer.elements <= MOST_UNROLLED:
        return 8 + UNROLLED.of(layer) * layer.elements
    if isinstance(layer, Convert) and isinstance(layer.conversion, FromReals):
        return ONCE + FROM_REAL * layer.elements
    if kind in AFFINE_EACH and isinstance(layer.numbers, Affine):
        return ONCE + AFFINE_EACH[kind] * layer.elements
    if kind in _OWN:
        return _OWN[kind](layer, inputs)
    if kind not in EACH:
        return None
    rows = layer.elements // layer.shape[-1]
    if kind is Softmax and isinstance(layer.numbers, Affine):
        return ONCE + AFFINE_SOFTMAX.of(layer) * layer.elements + AFFINE_SOFTMAX_ROW.of(layer) * rows
    return ONCE + EACH[kind].of(layer) * layer.elements + (ROW[kind].of(layer) * rows if kind in ROW else 0)


def _pooling(layer: Pooling, inputs: Inputs) -> float:
    (height, width, channels), (rows, columns) = plane(layer.input_shape), layer.output_plane
    real = layer.numbers is None
    if layer.size == (1, 1):
        return layer.elements * (7.0 if real or isinstance(layer, MaxPooling) else 3.0)
    down, across = (
        taps_inside(length, outputs, size, stride, before)
        for length, outputs, size, stride, (before, _) in zip(
            (height, width), (rows, columns), layer.size, layer.strides, layer.padding, strict=True
        )
    )
    affine = isinstance(layer.numbers, Affine)
    edge = (AFFINE_EDGE if affine else 10) * rows * columns * any(map(any, layer.padding))
    if not real and isinstance(layer, AveragePooling):
        return float(channels * (MEAN_TAP * down * across + edge) + MEAN * layer.elements)
    tap = (
        12.0
        if real and isinstance(layer, MaxPooling) and channels > 1
        else 9.2
        if real
        else AFFINE_TAP
        if affine
        else 8.8
    )
    return float(channels * (tap * down * across + edge))


def _add(layer: Add, inputs: Inputs) -> float:
    real, count = layer.numbers is None, len(inputs)
    if isinstance(layer.numbers, Affine):
        return layer.elements * AFFINE_ADDENDS.get(count, AFFINE_ADDEND * count)
    if count > 2:  # their pointers are in memory
        return float(layer.elements * (8.5 * count - 11 if real else 16 * count + 15))
    return float(layer.elements * (10 + 5 * layer.activation.relu if real else 15 if layer.dtype.itemsize == 1 else 12))


def _relu(layer: ReLU, inputs: Inputs) -> float:
    return layer.elements * (11.0 + 2.3 * (layer.activation.ceiling is not None) if layer.numbers is None else 7.5)


def _concatenate(layer: Concatenate, inputs: Inputs) -> float:
    rows = layer.elements // layer.shape[-1] if layer.axis in (-1, len(layer.shape) - 1) else 1
    if isinstance(layer.numbers, Affine):
        return len(inputs) * (ONCE + 6 * rows) + sum(
            part.elements * (CONCATENATED if part.numbers == layer.numbers else AFFINE_CONVERTED) for part in inputs
        )
    return len(inputs) * (ONCE + 6 * rows) + layer.elements * ByType(8, 9.5, 10.5).of(layer)


def _pointwise(layer: Pointwise, inputs: Inputs) -> float:
    if layer.lookup is None:
        return ONCE + FUNCTIONS[layer.function.name] * layer.elements
    return ONCE + (TABLE.of(layer) if layer.lookup.table.size else LINES) * layer.elements


def _multiply(layer: Merge, inputs: Inputs) -> float:
    spread = any(shape != layer.shape for shape in layer.input_shapes)
    return ONCE + (MULTIPLY_SPREAD if spread else MULTIPLY).of(layer) * layer.elements


def _batch_normalization(layer: BatchNormalization, inputs: Inputs) -> float:
    return ONCE + (FEW_CHANNELS if layer.shape[-1] <= MOST_FEW else CHANNEL).of(layer) * layer.elements


def _dense(layer: Dense, inputs: Inputs) -> float:
    units, elements = layer.kernel.shape
    if elements <= MOST_FEW:
        return float(SHORT_UNIT[elements, layer.activation.relu].of(layer) * units)
    unit = UNIT.of(layer) + OWN_FACTOR * has_factors(layer)
    return float(ONCE / 2 + unit * units + PRODUCT.of(layer) * layer.macs)


def _recurrent(layer: Recurrent, inputs: Inputs) -> float:
    steps = STEP + GATE[type(layer)].of(layer) * layer.units
    return 3 * ONCE + layer.steps * steps + GATED_PRODUCT[type(layer)].of(layer) * layer.macs


def _transposed_convolution(layer: TransposedConvolution, inputs: Inputs) -> float:
    taps = layer.elements * layer.kernel.shape[1] * layer.kernel.shape[2]
    return float(ONCE + TRANSPOSED.of(layer) * taps + TRANSPOSED_PRODUCT.of(layer) * layer.macs)


_OWN: Mapping[type[Layer], Callable[[Any, Inputs], float]] = {
    Add: _add,
    AveragePooling: _pooling,
    BatchNormalization: _batch_normalization,
    Concatenate: _concatenate,
    Dense: _dense,
    GRU: _recurrent,
    LSTM: _recurrent,
    MaxPooling: _pooling,
    Multiply: _multiply,
    Pointwise: _pointwise,
    ReLU: _relu,
    SimpleRNN: _recurrent,
    TransposedConvolution: _transposed_convolution,
}
