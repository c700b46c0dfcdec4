"""Name of an architecture + parameters + shapes -> Keras model. Layer names end up in the generated C."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.training.architectures.autoencoder import autoencoder
from mcusim.training.architectures.blocks import Maker, Tensor, demand_size
from mcusim.training.architectures.plain import alexnet, cnn, lenet, mlp
from mcusim.training.architectures.recurrent import gru, lstm
from mcusim.training.architectures.residual import resnet8, resnetv1
from mcusim.training.architectures.separable import dscnn, mobilenet
from mcusim.training.keras_setup import import_keras, make_repeatable

if TYPE_CHECKING:
    import keras


CALIBRATED = "leave it out: calibration chooses the integers of recurrent layers"
ANY_SHAPE = (32, 32, 3)  # where the data set is not there yet to give its own


@dataclass(frozen=True)
class Architecture:
    """`make` gives all but the end: probabilities of classes, softmax last, or the sample itself where it `repeats`.

    `for_integers`: can [training.quantization] train it?
    """

    make: Maker
    repeats: bool = False
    for_integers: bool = True

    def demand_known(self, parameters: Mapping[str, Any]) -> None:
        """ConfigurationError for parameters that are wrong whatever the samples are."""
        self.make(parameters, ANY_SHAPE)


ARCHITECTURES: Mapping[str, Architecture] = {
    "mlp": Architecture(mlp),
    "cnn": Architecture(cnn),
    "lenet": Architecture(lenet),
    "alexnet": Architecture(alexnet),
    "resnet8": Architecture(resnet8),
    "resnetv1": Architecture(resnetv1),
    "dscnn": Architecture(dscnn),
    "mobilenet": Architecture(mobilenet),
    "lstm": Architecture(lstm, for_integers=False),
    "gru": Architecture(gru, for_integers=False),
    "autoencoder": Architecture(autoencoder, repeats=True),
}


def architecture_of(name: str) -> Architecture:
    """ConfigurationError for an unknown one."""
    if name not in ARCHITECTURES:
        raise ConfigurationError(f"there is no architecture {name!r}", hint=suggestion(name, ARCHITECTURES))
    return ARCHITECTURES[name]


def build_model(
    architecture: str, parameters: Mapping[str, Any], input_shape: tuple[int, ...], classes: int, *, seed: int = 0
) -> keras.Model:
    """A fresh model: input (N, *input_shape), output (N, classes) probabilities; of an autoencoder (N, *input_shape).

    ConfigurationError for an unknown architecture or parameter, or one that does not fit `input_shape`.
    """
    chosen = architecture_of(architecture)
    if classes < 2 and not chosen.repeats:
        raise ConfigurationError(f"a classifier needs 2 classes, the data set has {classes}", hint="check the labels")
    body = chosen.make(parameters, input_shape)
    keras = import_keras()
    make_repeatable(keras, seed)
    inputs = keras.Input(input_shape, name="input")
    end = _repeated(body(inputs), input_shape) if chosen.repeats else _classified(body(inputs), classes)
    return keras.Model(inputs, end, name=architecture)


def _classified(x: Tensor, classes: int) -> Tensor:
    layers = import_keras().layers
    return layers.Softmax(name="softmax")(layers.Dense(classes, name="logits")(x))


def _repeated(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    layers = import_keras().layers
    demand_size(x.shape[-1] * math.prod(shape), "repeated")
    x = layers.Dense(math.prod(shape), name="repeated")(x)
    return layers.Reshape(shape, name="shaped")(x) if len(shape) > 1 else x
