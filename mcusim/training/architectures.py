"""Name of an architecture + parameters + shapes -> Keras model, softmax last.

Convolutions of `resnetv1` have stride 1: where its paper says stride, a max-pool follows. Layer names end up in the
generated C.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.training.keras_setup import import_keras, make_repeatable
from mcusim.training.parameters import (
    AlexNetParameters,
    CnnParameters,
    LeNetParameters,
    MlpParameters,
    ResNet8Parameters,
    ResNetV1Parameters,
    read_parameters,
)

if TYPE_CHECKING:
    import keras

Tensor = Any
LARGEST_LAYER_WEIGHTS = 2**24  # sixteen times what the largest microcontrollers hold


def build_model(
    architecture: str, parameters: Mapping[str, Any], input_shape: tuple[int, ...], classes: int, *, seed: int = 0
) -> keras.Model:
    """A fresh model: input (N, *input_shape), output (N, classes) probabilities.

    ConfigurationError for an unknown architecture or parameter, or one that does not fit `input_shape`.
    """
    if architecture not in ARCHITECTURES:
        hint = suggestion(architecture, ARCHITECTURES)
        raise ConfigurationError(f"there is no architecture {architecture!r}", hint=hint)
    if classes < 2:
        raise ConfigurationError(f"a classifier needs 2 classes, the data set has {classes}", hint="check the labels")
    body = ARCHITECTURES[architecture](parameters, input_shape)
    keras = import_keras()
    make_repeatable(keras, seed)
    inputs = keras.Input(input_shape, name="input")
    logits = keras.layers.Dense(classes, name="logits")(body(inputs))
    return keras.Model(inputs, keras.layers.Softmax(name="softmax")(logits), name=architecture)


@dataclass(frozen=True)
class _Layers:
    """The few layers that all architectures share, one- or two-dimensional after the input."""

    planes: int
    batch_norm: bool
    padding: str = "same"

    def named(self, kind: str) -> Any:
        return getattr(import_keras().layers, f"{kind}{self.planes}D")

    def convolution(self, x: Tensor, filters: int, kernel_size: int, name: str, stride: int = 1) -> Tensor:
        _demand_size(kernel_size**self.planes * x.shape[-1] * filters, name)
        shortest = min(x.shape[1:-1])
        if self.padding == "valid" and kernel_size > shortest:
            hint = "use fewer or smaller stages, or padding = 'same'"
            raise ConfigurationError(f"{name!r} reads {kernel_size} values where only {shortest} are left", hint=hint)
        x = self.named("Conv")(filters, kernel_size, strides=stride, padding=self.padding, name=name)(x)
        return self.normalize(x, name)

    def normalize(self, x: Tensor, name: str) -> Tensor:
        return import_keras().layers.BatchNormalization(name=f"{name}_norm")(x) if self.batch_norm else x

    def relu(self, x: Tensor, name: str) -> Tensor:
        return import_keras().layers.ReLU(name=name)(x)

    def max_pool(self, x: Tensor, size: int, name: str) -> Tensor:
        """Windows of `size` without overlap; what does not fill a window is dropped."""
        if size == 1:
            return x
        shortest = min(x.shape[1:-1])
        if size > shortest:
            hint = "pool less, or use fewer stages"
            raise ConfigurationError(f"{name!r} pools {size} values where only {shortest} are left", hint=hint)
        return self.named("MaxPooling")(size, name=name)(x)

    def flatten(self, x: Tensor, global_pool: str) -> Tensor:
        """(N, ..., channels) -> (N, features)."""
        if global_pool == "none":
            return import_keras().layers.Flatten(name="flatten")(x)
        return self.named(f"Global{global_pool.capitalize()}Pooling")(name="global_pool")(x)

    def dense_stack(self, x: Tensor, units: tuple[int, ...], dropout: float) -> Tensor:
        for number, width in enumerate(units, start=1):
            _demand_size(x.shape[-1] * width, f"dense{number}")
            x = import_keras().layers.Dense(width, name=f"dense{number}")(x)
            x = self.relu(self.normalize(x, f"dense{number}"), f"dense{number}_relu")
            x = import_keras().layers.Dropout(dropout, name=f"dropout{number}")(x) if dropout else x
        return x


Body = Callable[[Tensor], Tensor]
Architecture = Callable[[Mapping[str, Any], tuple[int, ...]], Body]  # parameters, shape of a sample


def mlp(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """Dense + ReLU for each entry of `units`; samples of any rank."""
    parameters = read_parameters(MlpParameters, given, "mlp")
    layers = _Layers(1, parameters.batch_norm)

    def body(x: Tensor) -> Tensor:
        x = layers.flatten(x, "none") if len(input_shape) > 1 else x
        return layers.dense_stack(x, parameters.units, parameters.dropout)

    return body


def cnn(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """Convolution + ReLU + max-pool for each entry of `filters`, then dense layers of `units`."""
    return _stack(read_parameters(CnnParameters, given, "cnn"), input_shape, "cnn")


def lenet(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """`cnn` with other defaults: three convolutions without padding, a dense layer of 64."""
    return _stack(read_parameters(LeNetParameters, given, "lenet"), input_shape, "lenet")


def alexnet(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """`cnn` with other defaults: five convolutions without padding, a dense layer of 64."""
    return _stack(read_parameters(AlexNetParameters, given, "alexnet"), input_shape, "alexnet")


def _stack(parameters: CnnParameters, input_shape: tuple[int, ...], architecture: str) -> Body:
    stages = parameters.stages
    layers = _Layers(_planes(input_shape, architecture), parameters.batch_norm, parameters.padding)

    def body(x: Tensor) -> Tensor:
        for number, (filters, kernel_size, pool_size) in enumerate(stages, start=1):
            x = layers.relu(layers.convolution(x, filters, kernel_size, f"conv{number}"), f"relu{number}")
            x = layers.max_pool(x, pool_size, f"pool{number}")
        x = layers.flatten(x, parameters.global_pool)
        x = import_keras().layers.Dropout(parameters.dropout, name="dropout")(x) if parameters.dropout else x
        return layers.dense_stack(x, parameters.units, 0.0)

    return body


def resnet8(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """MLPerf Tiny's network for image classification: strided convolutions, shortcuts of 1x1, an average at the end."""
    parameters = read_parameters(ResNet8Parameters, given, "resnet8")
    layers = _Layers(_planes(input_shape, "resnet8"), parameters.batch_norm)

    def body(x: Tensor) -> Tensor:
        x = layers.relu(layers.convolution(x, parameters.filters[0], 3, "conv1"), "relu1")
        for number, filters in enumerate(parameters.filters, start=1):
            x = _strided_block(layers, x, filters, 1 if number == 1 else 2, f"block{number}")
        return layers.flatten(x, "average")

    return body


def _strided_block(layers: _Layers, x: Tensor, filters: int, stride: int, name: str) -> Tensor:
    """Two convolutions beside a shortcut, whose convolution is not normalized."""
    y = layers.relu(layers.convolution(x, filters, 3, f"{name}_conv1", stride), f"{name}_relu1")
    y = layers.convolution(y, filters, 3, f"{name}_conv2")
    if stride != 1:
        x = replace(layers, batch_norm=False).convolution(x, filters, 1, f"{name}_shortcut", stride)
    return layers.relu(import_keras().layers.Add(name=f"{name}_add")([y, x]), f"{name}_relu2")


def resnetv1(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """Residual network v1 as in the MicroAI paper; with the default `blocks` = 2 its ResNetv1-6."""
    parameters = read_parameters(ResNetV1Parameters, given, "resnetv1")
    first, *stages = parameters.stages
    layers = _Layers(_planes(input_shape, "resnetv1"), parameters.batch_norm)

    def body(x: Tensor) -> Tensor:
        filters, kernel_size, stride = first
        x = layers.max_pool(layers.convolution(x, filters, kernel_size, "conv1"), stride, "pool1")
        x = layers.relu(x, "relu1")
        number = 0
        for count, (filters, kernel_size, stride) in zip(parameters.blocks, stages, strict=True):
            for index in range(count):
                number += 1
                x = _residual_block(layers, x, filters, kernel_size, stride if index == 0 else 1, f"block{number}")
        return layers.flatten(x, parameters.global_pool)

    return body


def _residual_block(layers: _Layers, x: Tensor, filters: int, kernel_size: int, stride: int, name: str) -> Tensor:
    """Two convolutions beside a shortcut, whose 1x1 convolution comes BEFORE its pool, as the authors have it."""
    y = layers.convolution(x, filters, kernel_size, f"{name}_conv1")
    y = layers.relu(layers.max_pool(y, stride, f"{name}_pool"), f"{name}_relu1")
    y = layers.convolution(y, filters, kernel_size, f"{name}_conv2")
    if stride != 1 or x.shape[-1] != filters:
        x = layers.convolution(x, filters, 1, f"{name}_shortcut")
        x = layers.max_pool(x, stride, f"{name}_shortcut_pool")
    x = import_keras().layers.Add(name=f"{name}_add")([y, x])
    return layers.relu(x, f"{name}_relu2")


def _demand_size(weights: int, name: str) -> None:
    if weights > LARGEST_LAYER_WEIGHTS:
        hint = f"at most {LARGEST_LAYER_WEIGHTS:,}: make it smaller"
        raise ConfigurationError(f"layer {name!r} would have {weights:,} weights", hint=hint)


def _planes(input_shape: tuple[int, ...], architecture: str) -> int:
    """1 for (length, channels), 2 for (height, width, channels)."""
    planes = len(input_shape) - 1
    if planes not in (1, 2) or math.prod(input_shape) == 0:
        hint = "give (length, channels) or (height, width, channels), or use 'mlp'"
        raise ConfigurationError(f"architecture {architecture!r} cannot take samples of shape {input_shape}", hint=hint)
    return planes


ARCHITECTURES: dict[str, Architecture] = {
    "mlp": mlp,
    "cnn": cnn,
    "lenet": lenet,
    "alexnet": alexnet,
    "resnet8": resnet8,
    "resnetv1": resnetv1,
}
