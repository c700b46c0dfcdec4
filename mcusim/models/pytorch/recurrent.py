"""LSTM, GRU and RNN of PyTorch, of several layers and both directions -> nodes of ONNX.

PyTorch lists the parameters of each layer and direction: weights of inputs, weights of states, and two biases. Its
gates are input, forget, candidate, output and reset, update, candidate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mcusim.models.pytorch.call import EXPORT, Call
from mcusim.system.arrays import Array


@dataclass(frozen=True)
class Kind:
    """`order`: which gate of PyTorch is the first, second.. one of ONNX. `hidden`: the argument of the first state."""

    name: str
    order: Sequence[int]
    hidden: str = "hx"
    own: Mapping[str, Any] | None = None


def _recurrent(kind: Kind, call: Call) -> None:
    states = call.get(kind.hidden)
    for name in states if isinstance(states, list) else [states]:
        if name is not None and call.array(name).any():
            raise call.refused("has a first state that is not 0", "let it start from zeros")
    batch_first, ways = call.flag("batch_first"), 1 + call.flag("bidirectional")
    layers, per_way = call.whole("num_layers", 1), 4 if call.flag("has_biases", default=True) else 2
    weights = call.get("params")
    if not isinstance(weights, list) or len(weights) != layers * ways * per_way:
        raise call.refused("has parameters that do not fit its layers", EXPORT)
    x = call.add("Transpose", call.x, perm=[1, 0, 2]) if batch_first else call.x
    ends = []
    for number in range(layers):
        own = weights[number * ways * per_way : (number + 1) * ways * per_way]
        x, end = _layer(kind, call, x, [own[way * per_way : (way + 1) * per_way] for way in range(ways)])
        ends.append(end)
    sequence, *others = call.outputs
    call.end("Transpose", x, gives=sequence, perm=[1, 0, 2] if batch_first else [0, 1, 2])
    if others:
        call.end("Concat", *ends, gives=others[0], axis=0)


def _layer(kind: Kind, call: Call, x: str, ways: Sequence[Sequence[str]]) -> tuple[str, str]:
    """-> the sequence (steps, batch, ways x units), and the last states."""
    arrays = [[_ordered(kind, call.array(name)) for name in way] for way in ways]
    stacked = [np.stack(parts) for parts in zip(*arrays, strict=True)]
    units = stacked[1].shape[2]
    bias = call.constant(np.concatenate(stacked[2:], axis=1)) if len(stacked) > 2 else None
    told: dict[str, Any] = {"hidden_size": units, "direction": "bidirectional" if len(ways) > 1 else "forward"}
    names = (x, call.constant(stacked[0]), call.constant(stacked[1]), bias)
    made = call.add(kind.name, *names, outputs=2, **told, **_for_each_way(kind, len(ways)))
    side_by_side = call.add("Transpose", made, perm=[0, 2, 1, 3])
    return call.add("Reshape", side_by_side, call.wholes_of(0, 0, len(ways) * units)), f"{made}.1"


def _for_each_way(kind: Kind, ways: int) -> dict[str, Any]:
    own = dict(kind.own or {})
    if "activations" in own:
        own["activations"] = tuple(own["activations"]) * ways
    return own


def _ordered(kind: Kind, array: Array) -> Array:
    gates = array.reshape(len(kind.order), -1, *array.shape[1:])[list(kind.order)]
    return gates.reshape(array.shape)


LSTM = Kind("LSTM", (0, 3, 1, 2))
GRU = Kind("GRU", (1, 0, 2), own={"linear_before_reset": 1})
TRANSLATORS: Mapping[str, Callable[[Call], None]] = {
    "aten.lstm": partial(_recurrent, LSTM),
    "aten.gru": partial(_recurrent, GRU),
    "aten.rnn_tanh": partial(_recurrent, Kind("RNN", (0,))),
    "aten.rnn_relu": partial(_recurrent, Kind("RNN", (0,), own={"activations": ("Relu",)})),
}
