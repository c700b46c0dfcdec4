"""Keras model -> Graph.

A `.keras` or `.h5` file is hostile until proved otherwise: `keras_file.check` reads its description first and lets
Keras build nothing but layers that mcusim knows. This module and `training/` are the only ones that import Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Graph, Layer, Shape
from mcusim.layers import BY_KERAS_NAME, IDENTITIES
from mcusim.layers.activation import BY_NAME, LINEAR, ReLU
from mcusim.layers.input import Input
from mcusim.layers.softmax import Softmax
from mcusim.models import keras_file
from mcusim.numbers.power_of_two import Array
from mcusim.system.errors import ModelError
from mcusim.training.keras_setup import import_keras

if TYPE_CHECKING:
    import keras

MAXIMUM_NESTING = 8


@dataclass(frozen=True)
class KerasLayer:
    """What a layer's `from_keras` may see of its Keras layer, at one place of the model where it is called."""

    name: str
    kind: str
    config: Mapping[str, Any]
    arrays: tuple[Array, ...]
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]

    @property
    def weight_count(self) -> int:
        return len(self.arrays)

    def weight(self, index: int) -> Array:
        """A trained array as float32. Raises ModelError when it is absent, NaN or infinite."""
        if index >= len(self.arrays):
            raise ModelError(
                f"layer {self.name!r} ({self.kind}) has no weights", hint="save the model after building it"
            )
        array = np.asarray(self.arrays[index], np.float32)
        if not np.isfinite(array).all():
            raise ModelError(
                f"layer {self.name!r} ({self.kind}) holds NaN or infinite weights",
                hint="train again with a lower learning rate",
            )
        return array

    def activation(self, layer: Layer) -> list[Layer]:
        """The `activation=...` of a Keras layer as a layer of its own, to be fused by `optimize`."""
        name = self.config.get("activation") or "linear"
        return make_activation(self, name, f"{layer.name}_{name}", (layer.name,), layer.shape)


def make_activation(
    keras: KerasLayer, activation: Any, name: str, inputs: tuple[str, ...], shape: Shape
) -> list[Layer]:
    """The layer for an activation's name; none for `linear`."""
    if isinstance(activation, str) and activation == "softmax":
        return [Softmax(name=name, inputs=inputs, shape=shape)]
    if not isinstance(activation, str) or activation not in BY_NAME:
        raise ModelError(
            f"layer {keras.name!r} ({keras.kind}): activation {activation!r} has no kernel",
            hint="supported activations: " + ", ".join([*BY_NAME, "softmax"]),
        )
    if BY_NAME[activation] == LINEAR:
        return []
    return [ReLU(name=name, inputs=inputs, shape=shape, activation=BY_NAME[activation])]


def from_file(path: Path) -> Graph:
    """A `.keras` or `.h5` file -> Graph named after the file. Raises ModelError whatever is wrong with it."""
    return from_keras(load_keras(path), path.stem, where=str(path))


def load_keras(path: Path) -> keras.Model:
    """Read a model file, with Keras' safe mode on and nothing in it executed."""
    keras_file.check(path)
    module = import_keras()
    try:
        return module.models.load_model(path, compile=False, safe_mode=True)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # Keras raises many kinds, MemoryError among them; none may reach the user
        if isinstance(error, MemoryError):
            raise ModelError(
                "the model does not fit into memory", where=str(path), hint="use a smaller model"
            ) from None
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"Keras cannot read the model: {reason[:300]}", where=str(path), hint="save it again with model.save(...)"
        ) from None


def from_keras(model: Any, name: str = "model", *, where: str | None = None) -> Graph:
    """A built Keras model (Sequential or Functional, one input, one output) -> float32 Graph."""
    try:
        builder = _Builder([], {})
        tensor = _input(model, builder)
        output = _convert(model, [tensor], builder, "")
        layers = _reachable(builder.layers, output)
    except ModelError as error:
        raise ModelError(error.what, where=error.where or where, hint=error.hint) from None
    return Graph(tuple(layers), name)


@dataclass
class _Builder:
    """Layers so far, and how often each name was used."""

    layers: list[Layer]
    used: dict[str, int]

    def unique(self, name: str) -> str:
        count = self.used[name] = self.used.get(name, 0) + 1
        return name if count == 1 else self.unique(f"{name}_{count}")

    def shape(self, name: str) -> Shape:
        return next(layer.shape for layer in self.layers if layer.name == name)


def _input(model: Any, builder: _Builder) -> str:
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"the model has {len(inputs)} inputs and {len(outputs)} outputs",
            hint="use a built Sequential or Functional model with one input and one output",
        )
    shape = tuple(inputs[0].shape[1:])
    if not 1 <= len(shape) <= 3 or None in shape or min(shape) < 1:
        raise ModelError(
            f"the model's input has shape {shape}", hint="use one to three fixed axes, for example Input((128, 9))"
        )
    name = builder.unique("input")
    builder.layers.append(Input(name=name, inputs=(), shape=tuple(map(int, shape))))
    return name


def _convert(model: Any, tensors: list[str], builder: _Builder, prefix: str, depth: int = 0) -> str:
    """Append the layers of a model called on these tensors; -> the name of its output."""
    if depth > MAXIMUM_NESTING:
        raise ModelError("models are nested too deeply", hint="flatten the model")
    outputs: dict[tuple[str, int], str] = {}
    last, given = tensors[0], iter(tensors)
    for layer, node, sources in _calls(model):
        if type(layer).__name__ == "InputLayer":
            outputs[layer.name, node] = next(given)
            continue
        arguments = [last] if sources is None else [outputs[source] for source in sources]
        if hasattr(layer, "layers"):
            last = _convert(layer, arguments, builder, f"{prefix}{layer.name}_", depth + 1)
        else:
            last = _append(layer, arguments, builder, prefix)
        outputs[layer.name, node] = last
    end = _output(model)
    return last if end is None else outputs[end]


def _append(layer: Any, inputs: list[str], builder: _Builder, prefix: str) -> str:
    """One Keras layer -> the graph's layers for it; -> the name of its output."""
    kind, config = type(layer).__name__, layer.get_config()
    if kind in IDENTITIES:
        return inputs[0]
    shapes = tuple(builder.shape(name) for name in inputs)
    name = builder.unique(prefix + layer.name)
    arrays = tuple(np.asarray(array) for array in layer.get_weights()) if hasattr(layer, "get_weights") else ()
    view = KerasLayer(name, kind, config, arrays, tuple(inputs), shapes)
    if kind == "Activation":
        layers = make_activation(view, config["activation"], name, tuple(inputs), shapes[0])
    elif kind in BY_KERAS_NAME:
        layers = BY_KERAS_NAME[kind].from_keras(view)
    else:
        raise keras_file.no_kernel(name, kind)
    builder.layers.extend(layers)
    return layers[-1].name if layers else inputs[0]


Call = tuple[Any, int, "list[tuple[str, int]] | None"]


def _calls(model: Any) -> Iterator[Call]:
    """(layer, which of its calls, the calls it reads) in running order; None in a Sequential: reads the one before."""
    config = model.get_config()
    described = config.get("layers", [])
    if "input_layers" not in config:  # Sequential
        yield from ((layer, 0, None) for layer in model.layers)
        return
    waiting = [
        (model.get_layer(entry["name"]), index, _sources(node))
        for entry in described
        for index, node in enumerate(entry["inbound_nodes"] or [{}])
    ]
    done: set[tuple[str, int]] = set()
    while waiting:
        ready = [call for call in waiting if all(source in done for source in call[2])]
        if not ready:
            raise ModelError(f"layer {waiting[0][0].name!r} reads what nothing writes", hint="save the model again")
        yield ready[0]
        done.add((ready[0][0].name, ready[0][1]))
        waiting.remove(ready[0])


def _sources(node: Any) -> list[tuple[str, int]]:
    """(layer, call) of each tensor that a call reads, in order of its arguments."""
    if isinstance(node, Mapping):
        if "keras_history" in node:
            name, index = node["keras_history"][:2]
            return [(str(name), int(index))]
        return [source for value in node.values() for source in _sources(value)]
    if isinstance(node, (list, tuple)):
        return [source for value in node for source in _sources(value)]
    return []


def _output(model: Any) -> tuple[str, int] | None:
    """(layer, call) of a Functional model's output."""
    ends = model.get_config().get("output_layers")
    if not ends:
        return None
    end = ends if isinstance(ends[0], str) else ends[0]
    return str(end[0]), int(end[1])


def _reachable(layers: list[Layer], output: str) -> list[Layer]:
    """The layers that the output needs, the output last."""
    by_name = {layer.name: layer for layer in layers}
    needed, waiting = {layers[0].name}, [output]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(by_name[name].inputs)
    kept = [layer for layer in layers if layer.name in needed and layer.name != output]
    if output == layers[0].name:
        raise ModelError("the model computes nothing", hint="add a layer")
    return [*kept, by_name[output]]
