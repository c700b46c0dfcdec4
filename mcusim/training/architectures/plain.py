"""Dense layers, and convolutions one after the other."""

from collections.abc import Mapping
from typing import Any

from mcusim.training.architectures.blocks import Body, Layers, Tensor, planes_of
from mcusim.training.parameters import AlexNetParameters, CnnParameters, LeNetParameters, MlpParameters, read_parameters


def mlp(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """Dense + ReLU for each entry of `units`; samples of any rank."""
    parameters = read_parameters(MlpParameters, given, "mlp")
    layers = Layers(1, parameters.batch_norm)

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
    layers = Layers(planes_of(input_shape, architecture), parameters.batch_norm, parameters.padding)

    def body(x: Tensor) -> Tensor:
        for number, (filters, kernel_size, pool_size) in enumerate(stages, start=1):
            x = layers.relu(layers.convolution(x, filters, kernel_size, f"conv{number}"), f"relu{number}")
            x = layers.max_pool(x, pool_size, f"pool{number}")
        x = layers.drop(layers.flatten(x, parameters.global_pool), parameters.dropout)
        return layers.dense_stack(x, parameters.units, 0.0)

    return body
