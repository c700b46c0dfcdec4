"""Keras' merging layers -> layers of a Graph: sums, products and their kin of two or more tensors."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.add import MOST_ADDENDS, Add
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.merge import BroadcastAdd, Maximum, Merge, Minimum, Multiply, Subtract, can_merge, merged_shape
from mcusim.models.keras.layer import KerasLayer

Tensor = tuple[str, Shape]


def _add(keras: KerasLayer) -> list[Layer]:
    """At once where all have one shape."""
    if len(set(keras.shapes)) > 1 or not 2 <= len(keras.shapes) <= MOST_ADDENDS:
        return _pairs(BroadcastAdd, keras)
    return [Add(name=keras.name, inputs=keras.inputs, shape=keras.shape)]


def _average(keras: KerasLayer) -> list[Layer]:
    """The sum, divided."""
    layers = _add(keras)
    name, shape = f"{keras.name}_sum", layers[-1].shape
    layers[-1] = replace(layers[-1], name=name)
    scale = np.full(shape[-1], 1 / len(keras.inputs), np.float32)
    divided = BatchNormalization(
        name=keras.name, inputs=(name,), shape=shape, kernel=scale, bias=np.zeros_like(scale), has_bias=False
    )
    return [*layers, divided]


def _pairs(kind: type[Merge], keras: KerasLayer) -> list[Layer]:
    """Two tensors at a time, from the first on."""
    if len(keras.inputs) < 2:
        raise keras.refused(f"merges {len(keras.inputs)} tensors", "give it two or more")
    if kind is Subtract and len(keras.inputs) > 2:
        raise keras.refused(f"subtracts {len(keras.inputs)} tensors", "give it two")
    tensors = list(zip(keras.inputs, keras.shapes, strict=True))
    layers: list[Layer] = []
    left = tensors[0]
    for number, right in enumerate(tensors[1:], 1):
        name = keras.name if number == len(tensors) - 1 else f"{keras.name}_{number}"
        layers.append(_merged(kind, keras, name, left, right))
        left = (name, layers[-1].shape)
    return layers


def _merged(kind: type[Merge], keras: KerasLayer, name: str, left: Tensor, right: Tensor) -> Layer:
    shapes = (left[1], right[1])
    shape = merged_shape(*shapes)
    if shape is None or not can_merge(shapes, shape):
        joined = " and ".join(map(str, shapes))
        raise keras.refused(f"merges shapes {joined}", "give it tensors of one shape, or with axes of length 1")
    return kind(name=name, inputs=(left[0], right[0]), shape=shape, input_shapes=shapes)


CONVERTERS: Mapping[str, Callable[[KerasLayer], list[Layer]]] = {
    "Add": _add,
    "Average": _average,
    **{kind.__name__: partial(_pairs, kind) for kind in (Maximum, Minimum, Multiply, Subtract)},
}
