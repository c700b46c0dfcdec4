"""LSTM, GRU and RNN -> layers of a Graph.

ONNX has (steps, batch, features) in, and two outputs: Y (steps, directions, batch, units) and Y_h (directions, batch,
units), the last state. Memory holds (steps, features) and (steps, units): the batch is 1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.layers import GRU, LSTM, SimpleRNN
from mcusim.layers.recurrent import Recurrent
from mcusim.models.onnx.node import EXPORT, OnnxNode
from mcusim.models.onnx.reshaping import as_shape, cut, joined_along, whole
from mcusim.models.onnx.tensor import Tensor, tensor
from mcusim.numbers.functions import SIGMOID, TANH, Function
from mcusim.numbers.numbers import LINEAR, RELU
from mcusim.numbers.recurrent import Chosen
from mcusim.system.arrays import Array

KINDS: Mapping[str, type[Recurrent]] = {"GRU": GRU, "LSTM": LSTM, "RNN": SimpleRNN}
# Where each gate of the layer lies in ONNX: its LSTM has input, output, forget, candidate.
ORDER: Mapping[str, Sequence[int]] = {"GRU": (0, 1, 2), "LSTM": (0, 2, 3, 1), "RNN": (0,)}
DEFAULTS: Mapping[str, Sequence[str]] = {
    "GRU": ("Sigmoid", "Tanh"),
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "RNN": ("Tanh",),
}
GATES: Mapping[str, Chosen] = {"sigmoid": SIGMOID, "hardsigmoid": Function("hard_sigmoid", (0.2,))}
CANDIDATES: Mapping[str, Chosen] = {
    **GATES,
    "tanh": TANH,
    "softsign": Function("softsign"),
    "relu": RELU,
    "affine": LINEAR,
}
HINT = "use the functions that are usual: sigmoid and tanh"


@dataclass(frozen=True)
class _Direction:
    number: int
    backwards: bool


def _recurrent(node: OnnxNode) -> list[Tensor]:
    x = node.x
    if len(x.shape) != 3:
        raise node.refused(f"gets {x.shape}", "give it (steps, 1, features)")
    batch_first = bool(node.whole("layout", 0))
    steps, features = (x.shape[1], x.shape[2]) if batch_first else (x.shape[0], x.shape[2])
    _check(node, x.shape[0 if batch_first else 1], steps)
    sequence = node.used[0] if node.used else False
    moved = node.made.moved(x, (0, 1, 2))
    source = node.made.seen(moved, (steps, features))
    ways = _directions(node)
    layers = [_layer(node, source, steps, features, way, sequence, len(ways)) for way in ways]
    outputs = _outputs(node, layers, steps, sequence)
    if batch_first:
        y, state = outputs
        y = Tensor(y.layer, y.sizes, (y.axes[2], y.axes[0], y.axes[1], y.axes[3]))
        outputs = [y, Tensor(state.layer, state.sizes, (state.axes[1], state.axes[0], state.axes[2]))]
    return outputs


def _check(node: OnnxNode, batch: int, steps: int) -> None:
    """All that cannot be, at once."""
    wrong: list[tuple[str, str]] = []
    if batch != 1:
        wrong.append((f"gets a batch of {batch}", "export the model for a batch of 1"))
    if len(node.used) > 2 and node.used[2]:
        wrong.append(("has its cell as an output", "use its sequence, or its last state"))
    if node.has(4) and any(length != steps for length in node.constant(4).reshape(-1)):
        wrong.append(("has sequences of other lengths", "let all have the length of the input"))
    for index, what in ((5, "a first state"), (6, "a first cell"), (7, "peepholes")):
        if node.has(index) and (not node.is_constant(index) or node.constant(index).any()):
            wrong.append((f"has {what} that is not 0", "let it start from zeros, without peepholes"))
    if node.real("clip", 0.0) or node.whole("input_forget", 0):
        wrong.append(("clips, or couples its gates", "leave clip and input_forget out"))
    if wrong:
        raise node.refused(", ".join(why for why, _ in wrong), "; ".join(dict.fromkeys(hint for _, hint in wrong)))


def _directions(node: OnnxNode) -> list[_Direction]:
    told = node.text("direction", "forward")
    known = {
        "forward": [_Direction(0, False)],
        "reverse": [_Direction(0, True)],
        "bidirectional": [_Direction(0, False), _Direction(1, True)],
    }
    if told not in known:
        raise node.refused(f"has direction = {told!r:.20}", EXPORT)
    return known[told]


def _layer(
    node: OnnxNode, source: str, steps: int, features: int, way: _Direction, sequence: bool, ways: int
) -> Recurrent:
    kind, kernel, states = KINDS[node.kind], node.weights(1, rank=3), node.weights(2, rank=3)
    units = node.whole("hidden_size", states.shape[2])
    size = kind.GATES * units
    if kernel.shape != (ways, size, features) or states.shape != (ways, size, units):
        raise node.refused(f"has weights of shapes {kernel.shape} and {states.shape} for {features} features", EXPORT)
    given = node.weights(3, rank=2) if node.has(3) else np.zeros((ways, 2 * size), np.float32)
    if given.shape != (ways, 2 * size):
        raise node.refused(f"has a bias of shape {given.shape}", EXPORT)
    bias = [_ordered(node, part) for part in given[way.number].reshape(2, size)]
    own: dict[str, Any] = {"bias": bias[0], "recurrent_bias": bias[1]}
    if kind is GRU:
        own["reset_after"] = bool(node.whole("linear_before_reset", 0))
    gate, activation = _functions(node, way.number)
    layer = kind(
        name=node.name if ways == 1 else node.named("backward" if way.backwards else "forward"),
        inputs=(source,),
        shape=(steps, units) if sequence else (units,),
        steps=steps,
        kernel=_ordered(node, kernel[way.number]),
        recurrent=_ordered(node, states[way.number]),
        activation=activation,
        gate=gate,
        sequence=sequence,
        backwards=way.backwards,
        **own,
    )
    node.made.add(layer)
    return layer


def _ordered(node: OnnxNode, array: Array) -> Array:
    """Rows of gates in the order of the layer."""
    order = ORDER[node.kind]
    gates = array.reshape(len(order), -1, *array.shape[1:])[list(order)]
    return np.ascontiguousarray(gates.reshape(array.shape))


def _functions(node: OnnxNode, number: int) -> tuple[Chosen, Chosen]:
    """Of the gates, and of what they let in."""
    usual = DEFAULTS[node.kind]
    told = node.attributes.get("activations") or ()
    own = [str(name) for name in (told[number * len(usual) : (number + 1) * len(usual)] or usual)]
    for key in ("activation_alpha", "activation_beta"):
        if node.attributes.get(key):
            raise node.refused(f"has {key}", HINT)
    gate, *rest = own if len(usual) > 1 else ("sigmoid", *own)
    if len(set(map(str.lower, rest))) > 1 or gate.lower() not in GATES or rest[0].lower() not in CANDIDATES:
        raise node.refused(f"has activations {', '.join(own):.60}", HINT)
    return GATES[gate.lower()] if len(usual) > 1 else LINEAR, CANDIDATES[rest[0].lower()]


def _outputs(node: OnnxNode, layers: list[Recurrent], steps: int, sequence: bool) -> list[Tensor]:
    """Y and Y_h. Where nobody reads the sequence only the last state is computed."""
    units = layers[0].units
    if not sequence:
        joined = joined_along(node, [tensor(layer.name, (1, 1, units)) for layer in layers], 0, node.name)
        return [joined, joined]
    parts = [tensor(layer.name, (steps, 1, 1, units)) for layer in layers]
    parts = [_turned(node, part) if layer.backwards else part for part, layer in zip(parts, layers, strict=True)]
    y = joined_along(node, parts, 1, node.name)
    if len(node.used) < 2 or not node.used[1]:
        return [y, y]
    ends = []
    for part, layer in zip(parts, layers, strict=True):
        cuts = whole(part)
        cuts[0] = (0 if layer.backwards else steps - 1, 1, 1)
        ends.append(as_shape(node, cut(node, part, cuts, node.named("last")), (1, 1, units)))
    return [y, joined_along(node, ends, 0, node.named("state"))]


def _turned(node: OnnxNode, part: Tensor) -> Tensor:
    """A layer that goes backwards gives its last step first; ONNX keeps the order of the input."""
    cuts = whole(part)
    cuts[0] = (part.shape[0] - 1, part.shape[0], -1)
    return cut(node, part, cuts, node.named("turned"))


CONVERTERS: Mapping[str, Callable[[OnnxNode], list[Tensor]]] = dict.fromkeys(KINDS, _recurrent)
