"""Keras layers around a layer: TimeDistributed -> a Graph."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from mcusim.graph import Layer
from mcusim.layers import Convolution, Reshape, ZeroPadding
from mcusim.layers.pooling import Pooling
from mcusim.models.keras.layer import KerasLayer

Converters = Mapping[str, Callable[[KerasLayer], list[Layer]]]

# What works on single numbers, or on an axis that it names.
EVERYWHERE = (
    *("Activation", "BatchNormalization", "Dense", "ELU", "LayerNormalization", "LeakyReLU"),
    *("Normalization", "ReLU", "Rescaling", "Softmax"),
)
# What works on (samples, channels): the steps of time are rows of a plane then, and a window is one row high.
SERIES = (
    *("Conv1D", "DepthwiseConv1D", "SeparableConv1D", "ZeroPadding1D"),
    *("MaxPooling1D", "AveragePooling1D", "GlobalMaxPooling1D", "GlobalAveragePooling1D"),
)


def time_distributed(keras: KerasLayer, converters: Converters, identities: Collection[str]) -> list[Layer]:
    """The layer inside, applied to each step of the first axis."""
    inner = keras.config.get("layer")
    kind = inner.get("class_name") if isinstance(inner, Mapping) else None
    config = inner.get("config") if isinstance(inner, Mapping) else None
    if not isinstance(kind, str) or not isinstance(config, Mapping) or len(keras.shape) < 2:
        raise keras.refused("has no layer inside that can be read", "save it again with model.save(...)")
    if kind in identities:
        return []
    own = replace(keras, kind=kind, config=config)
    if kind in EVERYWHERE:
        behind = _axes_behind_time(config)
        return converters[kind](replace(own, config={**config, **behind}) if behind else own)
    if kind in ("Flatten", "Reshape"):
        return _reshaped(own, converters)
    if kind in SERIES and len(keras.shape) == 3:
        steps = keras.shape[0]
        made = converters[kind](replace(own, shapes=(keras.shape[1:],)))
        return [part for layer in made for part in _with_rows(layer, steps)]
    can = ", ".join((*EVERYWHERE, "Flatten", "Reshape", *SERIES))
    raise keras.refused(f"around {kind} on {keras.shape} has no kernel", f"it can be around: {can}")


def _axes_behind_time(config: Mapping[str, Any]) -> dict[str, Any]:
    """`axis` counts from the end, or from the batch on: then time lies between."""
    axis = config.get("axis")
    if isinstance(axis, (list, tuple)):
        return {"axis": [one + 1 if isinstance(one, int) and one >= 0 else one for one in axis]}
    return {"axis": axis + 1} if isinstance(axis, int) and axis >= 0 else {}


def _reshaped(own: KerasLayer, converters: Converters) -> list[Layer]:
    made = converters[own.kind](replace(own, shapes=(own.shape[1:],)))
    return [replace(layer, shape=(own.shape[0], *layer.shape)) for layer in made]


def _with_rows(layer: Layer, steps: int) -> list[Layer]:
    """A layer for series as one for planes of so many rows."""
    if isinstance(layer, (Convolution, Pooling, ZeroPadding)):
        shape = layer.shape if len(layer.shape) == 2 else (1, *layer.shape)  # a global pooling keeps a place for it
        made = replace(layer, shape=(steps, *shape), input_shape=(steps, *layer.input_shape))
        if shape == layer.shape:
            return [made]
        flat = Reshape(name=f"{layer.name}_flat", inputs=(layer.name,), shape=(steps, *layer.shape))
        return [made, flat]
    return [replace(layer, shape=(steps, *layer.shape))]
