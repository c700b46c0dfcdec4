"""Dense layers that narrow and widen: what they cannot repeat is anomalous (task `anomaly`)."""

from collections.abc import Mapping
from typing import Any

from mcusim.training.architectures.blocks import Body, Layers, Tensor
from mcusim.training.parameters import AutoencoderParameters, read_parameters


def autoencoder(given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """Of samples of 640 numbers MLPerf Tiny's network for anomaly detection: 269,992 parameters."""
    parameters = read_parameters(AutoencoderParameters, given, "autoencoder")
    layers = Layers(1, parameters.batch_norm)

    def body(x: Tensor) -> Tensor:
        x = layers.flatten(x, "none") if len(input_shape) > 1 else x
        return layers.dense_stack(x, parameters.units, 0.0)

    return body
