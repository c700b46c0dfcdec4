"""Keras' activations -> layers of a Graph: by name, as a serialized object, and as layers of their own."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers import Pointwise, PReLU, ReLU, Softmax
from mcusim.models.keras.layer import KerasLayer
from mcusim.numbers.functions import LARGEST, SIGMOID, TANH, Function
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.system.errors import ModelError

Chosen = Activation | Function | type[Softmax]

SELU = Function("selu", (1.6732632423543772, 1.0507009873554805))
# Keras 3 has min(max(x + 3, 0), 6) / 6, Keras 2 had a line of its own.
HARD_SLOPE, HARD_SLOPE_OF_KERAS_2 = 1 / 6, 0.2

ACTIVATIONS: Mapping[str, Chosen] = {
    "linear": LINEAR,
    "relu": RELU,
    "relu6": Activation(relu=True, ceiling=6.0),
    "celu": Function("celu", (1.0,)),
    "elu": Function("elu", (1.0,)),
    "exponential": Function("exponential"),
    "gelu": Function("gelu"),
    "hard_sigmoid": Function("hard_sigmoid", (HARD_SLOPE,)),
    "hard_silu": Function("hard_silu", (HARD_SLOPE,)),
    "hard_swish": Function("hard_silu", (HARD_SLOPE,)),
    "hard_tanh": Function("hard_tanh"),
    "leaky_relu": Function("leaky_relu", (0.2,)),
    "mish": Function("mish"),
    "selu": SELU,
    "sigmoid": SIGMOID,
    "silu": Function("silu"),
    "softmax": Softmax,
    "softplus": Function("softplus"),
    "softsign": Function("softsign"),
    "swish": Function("silu"),
    "tanh": TANH,
}


def activation_layers(
    keras: KerasLayer, activation: Any, name: str, inputs: tuple[str, ...], shape: Shape
) -> list[Layer]:
    """The layer for an activation, a name or a serialized object; none for `linear`."""
    return _layers(chosen_activation(keras, activation), name, inputs, shape)


def chosen_activation(keras: KerasLayer, activation: Any) -> Chosen:
    """Raises ModelError for one that is not Keras' own, or has no kernel."""
    if activation is None:
        return LINEAR
    if isinstance(activation, Mapping):
        return _serialized(keras, activation)
    if activation == "hard_sigmoid" and keras.keras_version.split(".")[0] in ("1", "2"):
        return Function("hard_sigmoid", (HARD_SLOPE_OF_KERAS_2,))
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise _no_kernel(keras, activation)
    return ACTIVATIONS[activation]


def activation_name(activation: Any) -> str:
    """What the layer made of an activation is called after."""
    while isinstance(activation, Mapping):
        config = activation.get("config")
        activation = config if activation.get("class_name") == "function" else activation.get("class_name")
    return str(activation or "linear").lower()


def _serialized(keras: KerasLayer, value: Mapping[str, Any]) -> Chosen:
    """A layer of Keras in place of a name, or a function of Keras by its name."""
    kind, config = value.get("class_name"), value.get("config")
    own = str(value.get("module") or "keras").split(".")[0] in ("keras", "tensorflow", "tf_keras", "builtins")
    if kind == "function" and isinstance(config, str) and own:
        return chosen_activation(keras, config)
    if kind == "Activation" and isinstance(config, Mapping):
        return chosen_activation(keras, config.get("activation"))
    if kind == "Softmax" and isinstance(config, Mapping) and config.get("axis", -1) == -1:
        return Softmax
    if kind == "Gelu" and isinstance(config, Mapping):  # an operation; a layer cannot say it
        return Function("gelu_tanh" if config.get("approximate") else "gelu")
    if kind in FUNCTION_LAYERS and isinstance(config, Mapping) and own:
        return FUNCTION_LAYERS[str(kind)](keras, config)
    raise _no_kernel(keras, kind if kind != "function" else config)


def _no_kernel(keras: KerasLayer, activation: Any) -> ModelError:
    name = activation if isinstance(activation, str) else type(activation).__name__
    return keras.wrong(f"activation {name!r} has no kernel", "supported activations: " + ", ".join(ACTIVATIONS))


def _layers(chosen: Chosen, name: str, inputs: tuple[str, ...], shape: Shape) -> list[Layer]:
    if isinstance(chosen, Function):
        return [Pointwise(name=name, inputs=inputs, shape=shape, function=chosen)]
    if isinstance(chosen, Activation):
        return [ReLU(name=name, inputs=inputs, shape=shape, activation=chosen)] if chosen != LINEAR else []
    return [chosen(name=name, inputs=inputs, shape=shape)]


def _real(keras: KerasLayer, config: Mapping[str, Any], default: float, *keys: str) -> float:
    """A setting that goes by one of several names, a finite number. None stands for the default."""
    for key in keys:
        value = config.get(key)
        if isinstance(value, Mapping):  # an array of NumPy, as some versions of Keras 2 wrote it
            value = (
                value.get("config", value).get("value")
                if isinstance(value.get("config"), Mapping)
                else value.get("value")
            )
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < LARGEST:
            raise keras.wrong(f"{key} is {value!r}", "use a finite number")
        return float(value)
    return default


def _relu(keras: KerasLayer, config: Mapping[str, Any]) -> Chosen:
    """With a ceiling alone it can be fused into the layer before."""
    slope = _real(keras, config, 0.0, "negative_slope", "alpha")
    threshold = _real(keras, config, 0.0, "threshold", "theta")
    ceiling = _real(keras, config, math.inf, "max_value")
    if ceiling < 0 or slope < 0:
        raise keras.wrong(f"max_value {ceiling:g} or slope {slope:g} is negative", "use a positive one")
    if slope == threshold == 0 and ceiling > 0:
        return Activation(relu=True, ceiling=None if ceiling == math.inf else ceiling)
    if threshold == 0 and ceiling == math.inf:
        return Function("leaky_relu", (slope,))
    low, high = (-LARGEST, LARGEST) if ceiling == math.inf else (0.0, ceiling)
    return Function("threshold_relu", (slope, threshold, low, high))


def _thresholded_relu(keras: KerasLayer, config: Mapping[str, Any]) -> Chosen:
    return Function("threshold_relu", (0.0, _real(keras, config, 1.0, "theta"), -LARGEST, LARGEST))


FUNCTION_LAYERS: Mapping[str, Callable[[KerasLayer, Mapping[str, Any]], Chosen]] = {
    "ELU": lambda keras, config: Function("elu", (_real(keras, config, 1.0, "alpha"),)),
    "LeakyReLU": lambda keras, config: Function("leaky_relu", (_real(keras, config, 0.3, "negative_slope", "alpha"),)),
    "ReLU": _relu,
    "ThresholdedReLU": _thresholded_relu,
}


def _activation(keras: KerasLayer) -> list[Layer]:
    return activation_layers(keras, keras.config.get("activation"), keras.name, keras.inputs, keras.shape)


def function_layer(keras: KerasLayer) -> list[Layer]:
    return _layers(FUNCTION_LAYERS[keras.kind](keras, keras.config), keras.name, keras.inputs, keras.shape)


def _prelu(keras: KerasLayer) -> list[Layer]:
    """Slopes are stored with an axis for each of the input's, of length 1 where they are shared."""
    keras.config.get("shared_axes")  # told again by the shape of the slopes
    alpha = keras.weight(0)
    if alpha.ndim != len(keras.shape) or any(
        have not in (1, want) for have, want in zip(alpha.shape, keras.shape, strict=True)
    ):
        raise keras.refused(f"has slopes of shape {alpha.shape} for {keras.shape}", "save the model again")
    wanted = keras.shape if math.prod(alpha.shape[:-1]) > 1 else keras.shape[-1:]
    kernel = np.ascontiguousarray(np.broadcast_to(alpha.reshape(alpha.shape[-len(wanted) :]), wanted)).reshape(-1)
    bias = np.zeros(len(kernel), np.float32)
    return [PReLU(name=keras.name, inputs=keras.inputs, shape=keras.shape, kernel=kernel, bias=bias, has_bias=False)]


CONVERTERS: Mapping[str, Callable[[KerasLayer], list[Layer]]] = {
    "Activation": _activation,
    "PReLU": _prelu,
    **dict.fromkeys(FUNCTION_LAYERS, function_layer),
}
