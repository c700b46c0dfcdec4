"""TFLite's functions of one number, and softmax -> layers of a Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from mcusim.layers.pointwise import Pointwise
from mcusim.layers.prelu import PReLU
from mcusim.layers.relu import ReLU
from mcusim.layers.softmax import Softmax
from mcusim.models.tflite.call import SYMMETRIC, Call, without_batch
from mcusim.models.tflite.merges import scaled
from mcusim.numbers.functions import SIGMOID, TANH, Function
from mcusim.numbers.numbers import RELU, Activation


def _pointwise(function: Function, call: Call) -> None:
    shape = call.own_shape()
    call.add(Pointwise(**call.own(shape, call.view(0, shape)), function=function))


def _relu(activation: Activation, call: Call) -> None:
    shape = call.own_shape()
    call.add(ReLU(**call.own(shape, call.view(0, shape)), activation=activation))


def _leaky_relu(call: Call) -> None:
    _pointwise(Function("leaky_relu", (call.real("alpha"),)), call)


def _gelu(call: Call) -> None:
    _pointwise(Function("gelu_tanh" if call.option("approximate") else "gelu"), call)


def _prelu(call: Call) -> None:
    """Slopes for each channel, or for each number."""
    slopes, shape = call.weights(1), without_batch(call.shape())
    if slopes.size == 1:
        slopes = np.broadcast_to(slopes.reshape(-1), shape[-1:])
    if slopes.size != shape[-1] and slopes.size != int(np.prod(shape)):
        slopes = np.broadcast_to(slopes.reshape(slopes.shape[-len(shape) :]), shape)
    if slopes.size == shape[-1] and slopes.shape[-1] != shape[-1] and len(shape) > 1:
        slopes = np.broadcast_to(slopes, shape)
    slopes = np.ascontiguousarray(slopes).reshape(-1)
    zeros = np.zeros_like(slopes)
    call.add(PReLU(**call.own(shape, call.view(0, shape)), kernel=slopes, bias=zeros, has_bias=False))


def _softmax(call: Call) -> None:
    """Over the last axis, of inputs times beta."""
    shape, beta = without_batch(call.shape()), call.real("beta")
    if beta == 1:
        call.add(Softmax(**call.own(shape, call.view(0, shape))))
        return
    factors = np.full(shape[-1], beta, np.float32)
    inner = call.add(scaled(call, factors, np.zeros_like(factors), 0, call.unique(f"{call.name}_beta")))
    call.add(Softmax(**call.own(shape, inner.name)))


CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    "ELU": partial(_pointwise, Function("elu", (1.0,))),
    "EXP": partial(_pointwise, Function("exponential")),
    "GELU": _gelu,
    "HARD_SWISH": partial(_pointwise, Function("hard_silu", (1 / 6,))),
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": partial(_pointwise, SIGMOID),
    "PRELU": _prelu,
    "RELU": partial(_relu, RELU),
    "RELU6": partial(_relu, Activation(relu=True, ceiling=6.0)),
    "RELU_0_TO_1": partial(_relu, Activation(relu=True, ceiling=1.0)),
    "RELU_N1_TO_1": partial(_pointwise, SYMMETRIC),
    "SOFTMAX": _softmax,
    "TANH": partial(_pointwise, TANH),
}
