"""Networks of residual blocks.

Convolutions of `resnetv1` have stride 1: where its paper says stride, a max-pool follows.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mcusim.training.architectures.blocks import Body, Layers, Tensor, planes_of
from mcusim.training.keras_setup import import_keras
from mcusim.training.parameters import ResNet8Parameters, ResNetV1Parameters, read_parameters


def resnet8(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """MLPerf Tiny's network for image classification: strided convolutions, shortcuts of 1x1, an average at the end."""
    parameters = read_parameters(ResNet8Parameters, given, "resnet8")
    layers = Layers(planes_of(input_shape, "resnet8"), parameters.batch_norm)

    def body(x: Tensor) -> Tensor:
        x = layers.relu(layers.convolution(x, parameters.filters[0], 3, "conv1"), "relu1")
        for number, filters in enumerate(parameters.filters, start=1):
            x = _strided_block(layers, x, filters, 1 if number == 1 else 2, f"block{number}")
        return layers.flatten(x, "average")

    return body


def _strided_block(layers: Layers, x: Tensor, filters: int, stride: int, name: str) -> Tensor:
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
    layers = Layers(planes_of(input_shape, "resnetv1"), parameters.batch_norm)

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


def _residual_block(layers: Layers, x: Tensor, filters: int, kernel_size: int, stride: int, name: str) -> Tensor:
    """Two convolutions beside a shortcut, whose 1x1 convolution comes BEFORE its pool, as the authors have it."""
    y = layers.convolution(x, filters, kernel_size, f"{name}_conv1")
    y = layers.relu(layers.max_pool(y, stride, f"{name}_pool"), f"{name}_relu1")
    y = layers.convolution(y, filters, kernel_size, f"{name}_conv2")
    if stride != 1 or x.shape[-1] != filters:
        x = layers.convolution(x, filters, 1, f"{name}_shortcut")
        x = layers.max_pool(x, stride, f"{name}_shortcut_pool")
    x = import_keras().layers.Add(name=f"{name}_add")([y, x])
    return layers.relu(x, f"{name}_relu2")
