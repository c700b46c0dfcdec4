"""Recurrent layers one after the other: the last step of the last one is what the classes are told from."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from mcusim.training.architectures.blocks import Body, Layers, Tensor, demand_size, planes_of
from mcusim.training.keras_setup import import_keras
from mcusim.training.parameters import RecurrentParameters, read_parameters

GATES = {"lstm": 4, "gru": 3}


def recurrent(kind: str, given: Mapping[str, Any], input_shape: tuple[int, ...]) -> Body:
    """`kind` is "lstm" or "gru". An image is a sequence of its rows."""
    parameters = read_parameters(RecurrentParameters, given, kind)
    planes_of(input_shape, kind)

    def body(x: Tensor) -> Tensor:
        made = import_keras().layers
        if len(input_shape) > 2:
            x = made.Reshape((input_shape[0], math.prod(input_shape[1:])), name="rows")(x)
        for number, width in enumerate(parameters.units, start=1):
            name, is_last = f"{kind}{number}", number == len(parameters.units)
            demand_size(GATES[kind] * width * (x.shape[-1] + width), name)
            layer = getattr(made, kind.upper())(width, return_sequences=not is_last, name=name)
            x = made.Bidirectional(layer, name=f"{name}_both_ways")(x) if parameters.bidirectional else layer(x)
        return Layers(1, batch_norm=False).drop(x, parameters.dropout)

    return body


lstm, gru = partial(recurrent, "lstm"), partial(recurrent, "gru")
