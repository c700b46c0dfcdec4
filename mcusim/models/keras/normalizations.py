"""Keras layers that scale and shift: batch, layer and group normalization, Normalization, Rescaling -> a Graph."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers import BatchNormalization, LayerNormalization, Reshape
from mcusim.models.keras.layer import KerasLayer
from mcusim.models.keras.spatial import permuted
from mcusim.system.arrays import Array

KERAS_EPSILON = 1e-7  # keras.config.epsilon(): the least deviation of Normalization


def batch_normalization(keras: KerasLayer) -> list[Layer]:
    """w = gamma / sqrt(variance + epsilon), b = beta - mean w (section 5.7 of the MicroAI paper)."""
    (axis,) = _axes(keras, keras.config.get("axis", -1), most=1)
    gamma, beta, moving = _trained(keras, (keras.shape[axis],))
    if len(moving) != 2:
        raise keras.refused("has no moving mean and variance", "save the model after building it")
    mean, variance = moving
    if (variance + _epsilon(keras) <= 0).any():
        raise keras.refused("has a negative variance", "train it again")
    scale = gamma / np.sqrt(variance + _epsilon(keras))
    return _scaled(keras, *(_along(keras.shape, (axis,), array) for array in (scale, beta - mean * scale)))


def layer_normalization(keras: KerasLayer) -> list[Layer]:
    axes = _axes(keras, keras.config.get("axis", -1))
    if axes != list(range(len(keras.shape)))[axes[0] :]:
        raise keras.refused(f"works on axis {keras.config['axis']}", "use the last axis, or the last ones")
    if keras.config.get("rms_scaling"):
        raise keras.refused("scales by the root mean square", "use rms_scaling=False")
    shape = keras.shape[axes[0] :]
    gamma, beta, _ = _trained(keras, shape)
    elements = math.prod(shape)
    gamma, beta = (np.broadcast_to(array, shape).reshape(elements) for array in (gamma, beta))
    return [_standardized(keras, keras.name, keras.inputs, keras.shape, gamma, beta)]


def group_normalization(keras: KerasLayer) -> list[Layer]:
    """Groups of channels side by side, each standardized as a whole, then brought back and scaled by channel."""
    if _axes(keras, keras.config.get("axis", -1), most=1) != [len(keras.shape) - 1]:
        raise keras.refused(f"works on axis {keras.config['axis']}", "use the last axis (channels last)")
    channels, rows = keras.shape[-1], math.prod(keras.shape[:-1])
    given = keras.config.get("groups", 32)
    groups = channels if given == -1 else given
    if type(groups) is not int or groups < 1 or channels % groups:
        raise keras.wrong(f"{channels} channels are no {given} groups", "use a divisor of the channels")
    gamma, beta, _ = _trained(keras, (channels,))
    split = Reshape(name=f"{keras.name}_groups", inputs=keras.inputs, shape=(rows, groups, channels // groups))
    apart = permuted(_reading(keras, "apart", split), (1, 0, 2))
    elements = rows * channels // groups
    ones, zeros = np.ones(elements), np.zeros(elements)
    same = _standardized(keras, f"{keras.name}_standardized", (apart.name,), apart.shape, ones, zeros)
    back = permuted(_reading(keras, "back", same), (1, 0, 2))
    shaped = Reshape(name=f"{keras.name}_shape", inputs=(back.name,), shape=keras.shape)
    return [split, apart, same, back, shaped, *_scaled(replace(keras, inputs=(shaped.name,)), gamma, beta)]


def normalization(keras: KerasLayer) -> list[Layer]:
    """(x - mean) / deviation, or back; the statistics lie in the config or, after adapt(), in the weights."""
    given = keras.config.get("axis", -1)
    axes = [] if given is None or given == () or given == [] else _axes(keras, given)
    kept = tuple(keras.shape[axis] for axis in axes)
    if keras.config.get("mean") is None:
        mean, variance = (keras.weight(index).astype(np.float64) for index in (0, 1))
    else:
        mean, variance = (_numbers(keras, key) for key in ("mean", "variance"))
    if (variance < 0).any():
        raise keras.refused("has a negative variance", "adapt it again")
    try:
        mean, variance = (np.broadcast_to(array, kept) for array in (mean, variance))
    except ValueError:
        what = f"mean and variance of shapes {mean.shape} and {variance.shape} do not fit {kept}"
        raise keras.wrong(what, "give one for each position along `axis`") from None
    deviation = np.maximum(np.sqrt(variance), KERAS_EPSILON)
    scale, offset = (deviation, mean) if keras.config.get("invert") else (1 / deviation, -mean / deviation)
    return _scaled(keras, *(_along(keras.shape, axes, array) for array in (scale, offset)))


def rescaling(keras: KerasLayer) -> list[Layer]:
    return _scaled(keras, _numbers(keras, "scale"), _numbers(keras, "offset"))


def _scaled(keras: KerasLayer, scale: Array, offset: Array) -> list[Layer]:
    """scale x + offset, which broadcast to the input: for each channel, or for each place in more of the last axes."""
    try:
        full = [np.broadcast_to(np.asarray(array, np.float32), keras.shape) for array in (scale, offset)]
    except ValueError:
        what = f"scale and offset of shapes {np.shape(scale)} and {np.shape(offset)} do not fit {keras.shape}"
        raise keras.wrong(what, "use one number, or one for each channel") from None
    if not all(np.isfinite(array).all() for array in full):
        raise keras.refused("scales by NaN or infinity", "train it again")
    last = len(keras.shape) - 1
    axis = next((axis for axis in range(last, 0, -1) if all(_repeats(array, axis) for array in full)), 0)
    shape = (math.prod(keras.shape[:axis]), math.prod(keras.shape[axis:]))
    kernel, bias = (array.reshape(shape)[0].copy() for array in full)
    given: dict[str, Any] = {"kernel": kernel, "bias": bias}
    if axis == last:
        return [BatchNormalization(name=keras.name, inputs=keras.inputs, shape=keras.shape, **given)]
    rows = Reshape(name=f"{keras.name}_rows", inputs=keras.inputs, shape=shape)
    scaled = BatchNormalization(name=f"{keras.name}_scaled", inputs=(rows.name,), shape=shape, **given)
    return [rows, scaled, Reshape(name=keras.name, inputs=(scaled.name,), shape=keras.shape)]


def _repeats(array: Array, axis: int) -> bool:
    """Are the last axes from `axis` on the same all over the others?"""
    rows = array.reshape(math.prod(array.shape[:axis]), -1)
    return bool((rows == rows[0]).all())


def _standardized(
    keras: KerasLayer, name: str, inputs: tuple[str, ...], shape: Shape, gamma: Array, beta: Array
) -> LayerNormalization:
    weights: dict[str, Any] = {"kernel": np.asarray(gamma, np.float32), "bias": np.asarray(beta, np.float32)}
    return LayerNormalization(name=name, inputs=inputs, shape=shape, epsilon=_epsilon(keras), **weights)


def _reading(keras: KerasLayer, role: str, source: Layer) -> KerasLayer:
    return replace(keras, name=f"{keras.name}_{role}", inputs=(source.name,), shapes=(source.shape,))


def _trained(keras: KerasLayer, shape: Shape) -> tuple[Array, Array, list[Array]]:
    """gamma, beta, and the other arrays; in float64."""
    arrays = [keras.weight(index).astype(np.float64) for index in range(len(keras.arrays))]
    wanted = [key for key in ("scale", "center") if keras.config.get(key, True)]
    if len(arrays) < len(wanted) or any(array.shape != shape for array in arrays):
        raise keras.refused("has no weights that fit", "save the model after building it")
    gamma = arrays.pop(0) if "scale" in wanted else np.ones(shape)
    beta = arrays.pop(0) if "center" in wanted else np.zeros(shape)
    return gamma, beta, arrays


def _along(shape: Shape, axes: Sequence[int], array: Array) -> Array:
    """An array that has these axes, as one that broadcasts to the whole shape."""
    return array.reshape([size if axis in axes else 1 for axis, size in enumerate(shape)])


def _axes(keras: KerasLayer, given: Any, most: int = 8) -> list[int]:
    """Keras' axis or axes (the batch is 0), sorted and counted from the first behind the batch."""
    rank = len(keras.shape)
    axes = list(given) if isinstance(given, (list, tuple)) else [given]
    known = all(type(axis) is int and (1 <= axis <= rank or -rank <= axis <= -1) for axis in axes)
    found = sorted(axis - 1 if axis > 0 else axis + rank for axis in axes) if known else []
    if not 1 <= len(found) <= most or len(set(found)) < len(found):
        raise keras.refused(f"works on axis {given}", "use the last axis (channels last)")
    return found


def _numbers(keras: KerasLayer, key: str) -> Array:
    """A number or nested list of them."""
    try:
        return np.asarray(keras.config.get(key, 0.0), np.float64)
    except (TypeError, ValueError):
        raise keras.wrong(f"{key} is no number and no list of them", "use one number, or one a channel") from None


def _epsilon(keras: KerasLayer) -> float:
    value = keras.config.get("epsilon", 1e-3)
    if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise keras.wrong(f"epsilon is {value!r}", "use a small positive number, such as 0.001")
    return float(value)


CONVERTERS = {
    "BatchNormalization": batch_normalization,
    "GroupNormalization": group_normalization,
    "LayerNormalization": layer_normalization,
    "Normalization": normalization,
    "Rescaling": rescaling,
}
