"""Keras layer -> layers of a Graph, a function for each kind: the table of what can be read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.add import Add
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.relu import ReLU
from mcusim.layers.reshape import Reshape
from mcusim.layers.softmax import Softmax
from mcusim.layers.strided_copy import MOST_AXES
from mcusim.models.keras import normalizations, spatial, windows, wrappers
from mcusim.models.keras.layer import KerasLayer
from mcusim.numbers.numbers import LINEAR, RELU, Activation

Converter = Callable[[KerasLayer], list[Layer]]  # the last of the layers is the output

ACTIVATIONS = {"linear": LINEAR, "relu": RELU, "relu6": Activation(relu=True, ceiling=6.0)}
# Nothing at inference.
IDENTITIES = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout"),
    "ActivityRegularization",
)


def activation_layers(
    keras: KerasLayer, activation: Any, name: str, inputs: tuple[str, ...], shape: Shape
) -> list[Layer]:
    """The layer for an activation's name; none for `linear`."""
    if activation == "softmax":
        return [Softmax(name=name, inputs=inputs, shape=shape)]
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        hint = "supported activations: " + ", ".join([*ACTIVATIONS, "softmax"])
        raise keras.wrong(f"activation {activation!r} has no kernel", hint)
    if ACTIVATIONS[activation] == LINEAR:
        return []
    return [ReLU(name=name, inputs=inputs, shape=shape, activation=ACTIVATIONS[activation])]


def _activated(convert: Callable[[KerasLayer], list[Layer]]) -> Converter:
    """With the `activation=...` of a Keras layer as a layer of its own, to be fused by `optimize`."""

    def converted(keras: KerasLayer) -> list[Layer]:
        layers = convert(keras)
        end, name = layers[-1], keras.config.get("activation") or "linear"
        return [*layers, *activation_layers(keras, name, f"{end.name}_{name}", (end.name,), end.shape)]

    return converted


def _activation(keras: KerasLayer) -> list[Layer]:
    return activation_layers(keras, keras.config["activation"], keras.name, keras.inputs, keras.shape)


def _relu(keras: KerasLayer) -> list[Layer]:
    slope = keras.config.get("negative_slope", keras.config.get("alpha", 0.0)) or 0.0
    if slope or keras.config.get("threshold"):
        hint = "use ReLU with negative_slope=0 and threshold=0"
        raise keras.wrong("a negative slope or threshold is not supported", hint)
    ceiling = keras.config.get("max_value")
    if ceiling is not None and not 0 < ceiling < float("inf"):
        raise keras.wrong(f"max_value is {ceiling}", "use a positive ceiling")
    activation = Activation(relu=True, ceiling=None if ceiling is None else float(ceiling))
    return [ReLU(name=keras.name, inputs=keras.inputs, shape=keras.shape, activation=activation)]


def _softmax(keras: KerasLayer) -> list[Layer]:
    axis = keras.config.get("axis", -1)
    if axis not in (-1, len(keras.shape)):
        raise keras.refused(f"works on axis {axis}", "use the last axis")
    return [Softmax(name=keras.name, inputs=keras.inputs, shape=keras.shape)]


def _add(keras: KerasLayer) -> list[Layer]:
    if len(keras.inputs) < 2 or len(set(keras.shapes)) > 1:
        shapes = ", ".join(map(str, keras.shapes))
        raise keras.refused(f"joins shapes {shapes}", "give it two or more inputs of one shape (no broadcasting)")
    return [Add(name=keras.name, inputs=keras.inputs, shape=keras.shape)]


def _concatenate(keras: KerasLayer) -> list[Layer]:
    shapes, given = keras.shapes, keras.config.get("axis", -1)
    rank = len(shapes[0])
    axis = given - 1 if type(given) is int and given > 0 else given + rank if type(given) is int else rank
    if not 0 <= axis < rank or given == 0 or len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1:
        joined = ", ".join(map(str, shapes))
        raise keras.refused(f"joins {joined} along axis {given}", "its inputs may differ in that axis alone")
    shape = (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])
    return [Concatenate(name=keras.name, inputs=keras.inputs, shape=shape, axis=axis)]


def _reshape(keras: KerasLayer) -> list[Layer]:
    windows.check_channels_last(keras)
    elements = int(np.prod(keras.shape))
    target = [elements] if keras.kind == "Flatten" else keras.config.get("target_shape")
    if not isinstance(target, (list, tuple)) or any(type(size) is not int for size in target):
        raise keras.wrong(f"target_shape is {target!r}", "use whole numbers")
    shape = list(target)
    if shape.count(-1) == 1:
        shape[shape.index(-1)] = elements // max(1, -math.prod(shape))
    if math.prod(shape) != elements or not 1 <= len(shape) <= MOST_AXES or min(shape) < 1:
        hint = f"use one to {MOST_AXES} axes and the same number of elements"
        raise keras.refused(f"turns {keras.shape} into {tuple(shape)}", hint)
    if tuple(shape) == keras.shape:
        return []
    return [Reshape(name=keras.name, inputs=keras.inputs, shape=tuple(shape))]


CONVERTERS: Mapping[str, Converter] = {
    "Activation": _activation,
    "Add": _add,
    "Concatenate": _concatenate,
    "Dense": _activated(windows.dense),
    "Flatten": _reshape,
    "ReLU": _relu,
    "Reshape": _reshape,
    "Softmax": _softmax,
    **{name: _activated(convert) for name, convert in windows.CONVOLUTIONS.items()},
    **windows.POOLINGS,
    **windows.PADDINGS,
    **normalizations.CONVERTERS,
    **{name: _activated(convert) for name, convert in spatial.TRANSPOSED.items()},
    **spatial.MOVING,
    "TimeDistributed": lambda keras: wrappers.time_distributed(keras, CONVERTERS, IDENTITIES),
}
KERAS_NAMES = tuple(sorted({*CONVERTERS, *IDENTITIES, "InputLayer"}))
