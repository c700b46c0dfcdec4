"""Node of opset 1 to 6 -> the same one in the words of opset 7: how operands broadcast, attributes that are gone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mcusim.models.onnx.node import Attributes, OnnxNode, Value
from mcusim.models.onnx.reshaping import as_shape
from mcusim.models.onnx.tensor import Tensor
from mcusim.models.onnx.tensors import DTYPES

UP_TO = 6
BROADCASTING = ("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor")
SELU_BEFORE_6 = {"alpha": 1.6732, "gamma": 1.0507}
CONCAT_BEFORE_4 = {"axis": 1}
TYPES = {name.upper(): number for number, (name, _) in DTYPES.items()} | {"FLOAT": 1, "DOUBLE": 11}

Told = dict[str, Any]


def modern(node: OnnxNode) -> OnnxNode:
    """Raises ModelError for what is only computed in training."""
    told = {key: value for key, value in node.attributes.items() if key != "consumed_inputs"}
    rule = RULES.get(node.kind)
    return replace(node, attributes=Attributes(told), values=rule(node, told) if rule else node.values)


def _broadcast(node: OnnxNode, told: Told) -> tuple[Value | None, ...]:
    """The second operand's first axis lies beside `axis` of the first; without it their last ones do, as today."""
    axis = told.pop("axis", None)
    first, second = node.values
    if not told.pop("broadcast", 0) or axis is None or first is None or second is None:
        return node.values
    behind = len(first.shape) - node.axis(axis, max(len(first.shape), 1)) - len(second.shape)
    return first, _with_ones(node, second, behind)


def _by_channel(node: OnnxNode, told: Told) -> tuple[Value | None, ...]:
    """Of PRelu: one slope for all, or one for each channel."""
    x, slopes = node.values
    if x is None or slopes is None or len(slopes.shape) != 1 or slopes.shape[0] == 1:
        return node.values
    return x, _with_ones(node, slopes, len(x.shape) - 2)


def _with_ones(node: OnnxNode, value: Value, count: int) -> Value:
    """With so many axes of length 1 behind."""
    if count <= 0:
        return value
    shape = (*value.shape, *(1,) * count)
    return as_shape(node, value, shape) if isinstance(value, Tensor) else np.reshape(value, shape)


def _tested(node: OnnxNode, told: Told) -> tuple[Value | None, ...]:
    """Of BatchNormalization."""
    if not told.pop("is_test", 0):
        raise node.refused("is in training mode", "export the model for inference: is_test = 1")
    return node.values


def _cast(node: OnnxNode, told: Told) -> tuple[Value | None, ...]:
    """Before opset 6 by its name."""
    told["to"] = TYPES.get(told.get("to", 0), told.get("to", 0))
    return node.values


def _upsample(node: OnnxNode, told: Told) -> tuple[Value | None, ...]:
    if "height_scale" in told or "width_scale" in told:
        told["scales"] = (1.0, 1.0, told.pop("height_scale", 1.0), told.pop("width_scale", 1.0))
    return node.values


def _without(gone: str, node: OnnxNode, told: Told) -> tuple[Value | None, ...]:
    told.pop(gone, None)
    return node.values


def _by_default(before: int, usual: Mapping[str, Any], node: OnnxNode, told: Told) -> tuple[Value | None, ...]:
    """What was not told was something else `before` an opset."""
    for key, value in usual.items() if node.opset < before else ():
        told.setdefault(key, value)
    return node.values


RULES: Mapping[str, Callable[[OnnxNode, Told], tuple[Value | None, ...]]] = {
    **dict.fromkeys(BROADCASTING, _broadcast),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), partial(_without, "output_sequence")),
    "BatchNormalization": _tested,
    "Cast": _cast,
    "Concat": partial(_by_default, 4, CONCAT_BEFORE_4),
    "Gemm": partial(_without, "broadcast"),
    "PRelu": _by_channel,
    "Selu": partial(_by_default, 6, SELU_BEFORE_6),
    "Upsample": _upsample,
}
