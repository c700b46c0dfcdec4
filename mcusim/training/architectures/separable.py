"""Networks of depthwise separable convolutions: one over each channel alone, then one of 1 over all channels."""

from collections.abc import Mapping
from typing import Any

from mcusim.training.architectures.blocks import Body, Layers, Tensor, planes_of
from mcusim.training.parameters import DsCnnParameters, MobileNetParameters, read_parameters

MOBILENET_FIRST = 32
MOBILENET = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def dscnn(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """MLPerf Tiny's network for keywords (Zhang et al., "Hello Edge", 2017)."""
    parameters = read_parameters(DsCnnParameters, given, "dscnn")
    planes = planes_of(input_shape, "dscnn")
    layers = Layers(planes, parameters.batch_norm)
    first, strides = parameters.first(planes)

    def body(x: Tensor) -> Tensor:
        x = layers.relu(layers.convolution(x, parameters.filters, first, "conv1", strides), "relu1")
        for number in range(1, parameters.blocks + 1):
            x = _separable(layers, x, parameters.filters, 1, f"block{number}")
        return layers.drop(layers.flatten(x, "average"), parameters.dropout)

    return body


def mobilenet(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """MobileNetV1 (Howard et al., 2017): MLPerf Tiny's for visual wake words is that of width 0.25."""
    parameters = read_parameters(MobileNetParameters, given, "mobilenet")
    layers = Layers(planes_of(input_shape, "mobilenet"), parameters.batch_norm)

    def body(x: Tensor) -> Tensor:
        first = parameters.narrowed(MOBILENET_FIRST)
        x = layers.relu(layers.convolution(x, first, 3, "conv1", parameters.first_stride), "relu1")
        for number, (filters, stride) in enumerate(MOBILENET, start=1):
            x = _separable(layers, x, parameters.narrowed(filters), stride, f"block{number}")
        return layers.drop(layers.flatten(x, "average"), parameters.dropout)

    return body


def _separable(layers: Layers, x: Tensor, filters: int, stride: int, name: str) -> Tensor:
    x = layers.relu(layers.depthwise(x, 3, f"{name}_depthwise", stride), f"{name}_relu1")
    return layers.relu(layers.convolution(x, filters, 1, f"{name}_pointwise"), f"{name}_relu2")
