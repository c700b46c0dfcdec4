"""Functions of each number, and softmax -> layers of a Graph."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from mcusim.layers import Pointwise, PReLU, ReLU, Softmax
from mcusim.models.onnx.node import OnnxNode
from mcusim.models.onnx.operands import arranged, rescaled, rows, with_last
from mcusim.models.onnx.tensor import Tensor
from mcusim.numbers.functions import LARGEST, SIGMOID, TANH, Function
from mcusim.numbers.numbers import RELU, Activation

Convert = Callable[[OnnxNode], Tensor]
SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875  # defaults of the standard
HARD_SWISH = Function("hard_silu", (1 / 6,))


def _function(choose: Callable[[OnnxNode], Function]) -> Convert:
    return lambda node: node.like(node.x, Pointwise, function=choose(node))


def _bounded(node: OnnxNode) -> Tensor:
    """Between two numbers, as integers of few bits are."""
    floor, ceiling = node.real("floor", 0.0), node.real("ceiling", 0.0)
    return node.like(node.x, ReLU, activation=Activation(relu=True, ceiling=ceiling, floor=floor))


def _bound(node: OnnxNode, index: int, key: str, default: float) -> float:
    """An input from opset 11 on, an attribute before. What float32 does not have is no bound."""
    if not node.has(index):
        value = node.attributes.get(key, default)
        return float(value) if isinstance(value, (int, float)) else default
    array = node.constant(index)
    if array.size != 1 or np.isnan(array).any():
        raise node.refused(f"has a bound of shape {array.shape}", "use one number")
    return float(np.asarray(array, np.float64).reshape(()))


def clip(node: OnnxNode) -> Tensor:
    return clipped(node, node.x, _bound(node, 1, "min", -math.inf), _bound(node, 2, "max", math.inf))


def clipped(node: OnnxNode, x: Tensor, low: float, high: float, name: str | None = None) -> Tensor:
    """From 0 on it is a ReLU, which other layers take over; else a function. min(x, c) = c - relu(c - x)"""
    if low > high:
        raise node.refused(f"clips to {low:g} .. {high:g}", "let the lower bound be below the upper one")
    if low <= -LARGEST and high >= LARGEST:
        return x
    if low == 0 and high > 0:
        return node.like(x, ReLU, name, activation=Activation(relu=True, ceiling=high if high < LARGEST else None))
    if low <= -LARGEST:
        turned = rescaled(node, x, -1.0, high, node.named("turned"))
        return rescaled(node, node.like(turned, ReLU, node.named("relu"), activation=RELU), -1.0, high, name)
    function = Function("threshold_relu", (0.0, -LARGEST, low, min(high, LARGEST)))
    return node.like(x, Pointwise, name, function=function)


def _hard_sigmoid(node: OnnxNode) -> Tensor:
    """The function has 0.5 in the middle; another offset is added before it."""
    slope, offset = node.real("alpha", 0.2), node.real("beta", 0.5)
    x = node.x
    if slope > 0 and offset != 0.5:
        x = rescaled(node, x, 1.0, (offset - 0.5) / slope, node.named("moved"))
    if slope <= 0:
        raise node.refused(f"has a slope of {slope:g}", "use a positive one")
    return node.like(x, Pointwise, function=Function("hard_sigmoid", (slope,)))


def _gelu(node: OnnxNode) -> Function:
    return Function("gelu_tanh" if node.text("approximate", "none") == "tanh" else "gelu")


def _swish(node: OnnxNode) -> Function:
    if node.real("alpha", 1.0) != 1.0:
        raise node.refused("has another alpha than 1", "use SiLU")
    return Function("silu")


def _thresholded(node: OnnxNode) -> Function:
    return Function("threshold_relu", (0.0, node.real("alpha", 1.0), -LARGEST, LARGEST))


def _prelu(node: OnnxNode) -> Tensor:
    """Slopes of the channels, or of all numbers; the kernel has them for as many of the last in memory."""
    x, (slopes,) = arranged(node, node.x, node.weights(1))
    none = np.zeros(len(slopes), np.float32)
    return node.like(x, PReLU, shape=rows(node, x, len(slopes)), kernel=slopes, bias=none, has_bias=False)


def _softmax(node: OnnxNode) -> Tensor:
    """Along one axis; before opset 13 along all from it on."""
    x, rank = node.x, len(node.x.shape)
    flat = node.opset < 13
    axis = node.axis(node.whole("axis", 1 if flat else -1), rank)
    last = tuple(range(axis, rank)) if flat else (axis,)
    if all(x.shape[one] == 1 for one in last):
        raise node.refused(f"works on one number along axis {axis}", "leave it out: it gives 1")
    moved = node.made.moved(x, with_last(x, last))
    count = math.prod(x.shape[one] for one in last)
    return node.like(moved, Softmax, shape=rows(node, moved, count))


CONVERTERS: Mapping[str, Convert] = {
    "mcusim.Bounded": _bounded,
    "com.microsoft.Gelu": _function(_gelu),
    "Celu": _function(lambda node: Function("celu", (node.real("alpha", 1.0),))),
    "Clip": clip,
    "Elu": _function(lambda node: Function("elu", (node.real("alpha", 1.0),))),
    "Erf": _function(lambda node: Function("erf")),
    "Exp": _function(lambda node: Function("exponential")),
    "Gelu": _function(_gelu),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _function(lambda node: HARD_SWISH),
    "LeakyRelu": _function(lambda node: Function("leaky_relu", (node.real("alpha", 0.01),))),
    "Mish": _function(lambda node: Function("mish")),
    "Neg": lambda node: rescaled(node, node.x, -1.0, 0.0),
    "PRelu": _prelu,
    "Relu": lambda node: node.like(node.x, ReLU, activation=RELU),
    "Selu": _function(lambda node: Function("selu", (node.real("alpha", SELU_ALPHA), node.real("gamma", SELU_GAMMA)))),
    "Sigmoid": _function(lambda node: SIGMOID),
    "Softmax": _softmax,
    "Softplus": _function(lambda node: Function("softplus")),
    "Softsign": _function(lambda node: Function("softsign")),
    "Swish": _function(_swish),
    "Tanh": _function(lambda node: TANH),
    "ThresholdedRelu": _function(_thresholded),
}
