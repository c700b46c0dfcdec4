"""Keras' recurrent layers -> layers of a Graph."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.layers import GRU, LSTM, Add, BatchNormalization, Concatenate, SimpleRNN, StridedCopy
from mcusim.layers.recurrent import Recurrent
from mcusim.models.keras.activations import chosen_activation
from mcusim.models.keras.layer import KerasLayer
from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import LINEAR, RELU
from mcusim.numbers.recurrent import Chosen
from mcusim.system.arrays import Array

GATES = ("sigmoid", "hard_sigmoid")
ACTIVATIONS = ("tanh", "sigmoid", "hard_sigmoid", "softsign")  # besides relu and linear
KINDS: Mapping[str, type[Recurrent]] = {"GRU": GRU, "LSTM": LSTM, "SimpleRNN": SimpleRNN}
REFUSED = {  # what would need a memory of its own, or another output
    "stateful": "starts each sample with the state of the one before",
    "return_state": "has its state as an output",
}


def recurrent(keras: KerasLayer) -> list[Layer]:
    return [_recurrent(keras)]


def _recurrent(keras: KerasLayer) -> Recurrent:
    kind = KINDS[keras.kind]
    _check(keras)
    kernel, states = keras.weight(0), keras.weight(1)
    units = states.shape[0]
    if kernel.shape != (keras.shape[1], kind.GATES * units) or states.shape != (units, kind.GATES * units):
        raise keras.refused("has weights of another shape than its input", "save the model after building it")
    own: dict[str, Any] = {"name": keras.name, "inputs": keras.inputs, **_biases(keras, kind.GATES * units)}
    if kind is GRU:
        trained_after = len(keras.arrays) > 2 and keras.arrays[2].ndim == 2
        own["reset_after"] = bool(keras.config.get("reset_after", trained_after))
    sequence = bool(keras.config.get("return_sequences"))
    return kind(
        **own,
        shape=(keras.shape[0], units) if sequence else (units,),
        steps=keras.shape[0],
        kernel=np.ascontiguousarray(kernel.T),
        recurrent=np.ascontiguousarray(states.T),
        activation=_activation(keras, "activation", "tanh", ACTIVATIONS),
        gate=LINEAR if kind is SimpleRNN else _activation(keras, "recurrent_activation", "sigmoid", GATES),
        sequence=sequence,
        backwards=bool(keras.config.get("go_backwards")),
    )


def _check(keras: KerasLayer) -> None:
    if len(keras.inputs) > 1:
        raise keras.refused("is given its first state", "let it start from zeros")
    if len(keras.shape) != 2:
        raise keras.refused(f"gets {keras.shape}", "give it (steps, features)")
    for key, why in REFUSED.items():
        if keras.config.get(key):
            raise keras.refused(why, f"use {key}=False")
    if keras.config.get("time_major"):
        raise keras.refused("has time before the batch", "use time_major=False")


def _activation(keras: KerasLayer, key: str, default: str, functions: tuple[str, ...]) -> Chosen:
    chosen = chosen_activation(keras, keras.config.get(key, default))
    plain = chosen in (LINEAR, RELU) and key == "activation"
    if plain or (isinstance(chosen, Function) and chosen.name in functions):
        assert not isinstance(chosen, type)
        return chosen
    can = ", ".join(functions) + (", relu, linear" if key == "activation" else "")
    raise keras.wrong(f"{key} {keras.config.get(key)!r} has no kernel", f"use one of: {can}")


def _biases(keras: KerasLayer, rows: int) -> dict[str, Array]:
    """Keras' GRU with reset_after has two, one behind the other."""
    none = np.zeros(rows, np.float32)
    if not keras.config.get("use_bias", True):
        return {"bias": none, "recurrent_bias": none}
    given = keras.weight(2)
    if given.shape not in ((rows,), (2, rows)):
        raise keras.refused("has a bias of another shape than its kernel", "save the model after building it")
    return (
        {"bias": given[0], "recurrent_bias": given[1]} if given.ndim == 2 else {"bias": given, "recurrent_bias": none}
    )


def bidirectional(keras: KerasLayer) -> list[Layer]:
    """Two layers, the second from the end to the start and its sequence turned round, then joined."""
    forward, backward = (_inside(keras, key) for key in ("layer", "backward_layer"))
    if forward is None:
        raise keras.refused("is not around LSTM, GRU or SimpleRNN", f"it can be around: {', '.join(KINDS)}")
    half = len(keras.arrays) // 2
    made = [
        _recurrent(
            replace(keras, name=f"{keras.name}_{role}", kind=one["class_name"], config=one["config"], arrays=arrays)
        )
        for role, one, arrays in (
            ("forward", forward, keras.arrays[:half]),
            ("backward", backward or forward, keras.arrays[half:]),
        )
    ]
    if backward is None:
        made[1] = replace(made[1], backwards=not made[0].backwards)
    if made[0].sequence != made[1].sequence or made[0].backwards == made[1].backwards:
        raise keras.refused("goes the same way twice", "let one of its layers go backwards")
    layers: list[Layer] = [*made]
    ends: list[Layer] = [made[0], made[1]]
    if made[1].sequence:
        ends[1] = _turned(made[1], f"{keras.name}_turned")
        layers.append(ends[1])
    return [*layers, *_merged(keras, ends)]


def _inside(keras: KerasLayer, key: str) -> Mapping[str, Any] | None:
    inner = keras.config.get(key)
    known = isinstance(inner, Mapping) and inner.get("class_name") in KINDS and isinstance(inner.get("config"), Mapping)
    return inner if known else None


def _turned(layer: Recurrent, name: str) -> StridedCopy:
    """A sequence from its end to its start."""
    steps, units = layer.shape
    own: dict[str, Any] = {"name": name, "inputs": (layer.name,), "shape": layer.shape, "spelled": "Reverse"}
    return StridedCopy(**own, sizes=layer.shape, strides=(-units, 1), offset=(steps - 1) * units)


def _merged(keras: KerasLayer, ends: list[Layer]) -> list[Layer]:
    mode, shape = keras.config.get("merge_mode", "concat"), ends[0].shape
    own: dict[str, Any] = {"name": keras.name, "inputs": tuple(end.name for end in ends)}
    if mode == "concat":
        return [Concatenate(**own, shape=(*shape[:-1], shape[-1] + ends[1].shape[-1]))]
    if mode == "sum" and ends[1].shape == shape:
        return [Add(**own, shape=shape)]
    if mode == "ave" and ends[1].shape == shape:
        total = Add(**{**own, "name": f"{keras.name}_sum"}, shape=shape)
        halves: dict[str, Any] = {
            "kernel": np.full(shape[-1], 0.5, np.float32),
            "bias": np.zeros(shape[-1], np.float32),
        }
        return [total, BatchNormalization(name=keras.name, inputs=(total.name,), shape=shape, **halves)]
    raise keras.wrong(f"merge_mode {mode!r} has no kernel", "use 'concat', 'sum' or 'ave'")


CONVERTERS = {"Bidirectional": bidirectional, **dict.fromkeys(KINDS, recurrent)}
