"""Keras model -> Source.

A `.keras` or `.h5` file is hostile until proved otherwise: `check` reads its description first and lets
Keras build nothing but layers that mcusim knows. This module and `training/` are the only ones that import Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.graph import Graph, Layer, Output, Shape
from mcusim.layers.input import Input
from mcusim.layers.reshape import Reshape
from mcusim.models.keras import check
from mcusim.models.keras.layer import KerasLayer
from mcusim.models.keras.layers import CONVERTERS, IDENTITIES
from mcusim.models.source import Source
from mcusim.system.errors import MissingToolError, ModelError
from mcusim.system.tool import lacking
from mcusim.training.keras_setup import import_keras
from mcusim.training.normalization_file import load_normalization

if TYPE_CHECKING:
    import keras

NAME = "keras"
SUFFIXES = (".keras", ".h5", ".hdf5")

MAXIMUM_NESTING = 8


def missing() -> MissingToolError | None:
    return lacking(import_keras)


def read(path: Path, name: str) -> Source:
    """A `.keras` or `.h5` file; the graph is called `name`. Raises ModelError whatever is wrong with it."""
    graph = from_keras(load_keras(path), name, where=str(path))
    normalization = load_normalization(path)
    return Source(graph, {} if normalization is None else {"": normalization})


def load_keras(path: Path) -> keras.Model:
    """Read a model file, with Keras' safe mode on and nothing in it executed."""
    check.check(path)
    module = import_keras()
    try:
        return module.models.load_model(path, compile=False, safe_mode=True)
    except KeyboardInterrupt:
        raise
    except MemoryError:
        hint = "use a smaller model"
        raise ModelError("the model does not fit into memory", where=str(path), hint=hint) from None
    except BaseException as error:  # Keras raises many kinds; none may reach the user
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        what, hint = f"Keras cannot read the model: {reason[:300]}", "save it again with model.save(...)"
        raise ModelError(what, where=str(path), hint=hint) from None


def from_keras(model: Any, name: str = "model", *, where: str | None = None) -> Graph:
    """A built Keras model (Sequential or Functional) -> float32 Graph. Inputs and outputs are called as in Keras."""
    try:
        builder = _Builder([], {})
        tensors = _inputs(model, builder)
        ends = _distinct(_convert(model, tensors, builder, ""), builder)
        layers = _reachable(builder.layers, ends)
    except ModelError as error:
        raise ModelError(error.what, where=error.where or where, hint=error.hint) from None
    named = zip(_output_names(model, len(ends)), ends, strict=True)
    return Graph(tuple(layers), name, outputs=tuple(Output(*pair) for pair in named))


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


def _inputs(model: Any, builder: _Builder) -> list[str]:
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if not inputs or not outputs:
        what = f"the model has {len(inputs)} inputs and {len(outputs)} outputs"
        raise ModelError(what, hint="use a Sequential or Functional model that was built")
    names = ["input"] if len(inputs) == 1 else [tensor.name for tensor in inputs]
    return [_input(tensor, name, builder) for tensor, name in zip(inputs, names, strict=True)]


def _input(tensor: Any, name: str, builder: _Builder) -> str:
    shape = tuple(tensor.shape[1:])
    if not 1 <= len(shape) <= 3 or None in shape or min(shape) < 1:
        hint = "use one to three fixed axes, for example Input((128, 9))"
        raise ModelError(f"the model's input has shape {shape}", hint=hint)
    name = builder.unique(name)
    builder.layers.append(Input(name=name, inputs=(), shape=tuple(map(int, shape))))
    return name


def _output_names(model: Any, count: int) -> list[str]:
    """Keras calls an output like the layer that computes it."""
    if count == 1:
        return ["output"]
    unique = _Builder([], {})
    return [unique.unique(end[0]) for end in _tensors(model, "output_layers")]


Tensor = tuple[str, int, int]  # layer, which of its calls, which of its outputs


def _convert(model: Any, tensors: list[str], builder: _Builder, prefix: str, depth: int = 0) -> list[str]:
    """Append the layers of a model called on these tensors; -> the names of its outputs."""
    if depth > MAXIMUM_NESTING:
        raise ModelError("models are nested too deeply", hint="flatten the model")
    made = dict(zip(_tensors(model, "input_layers"), tensors, strict=False))
    last = tensors
    for layer, node, sources in _calls(model):
        if type(layer).__name__ == "InputLayer":
            continue
        arguments = last if sources is None else [made[source] for source in sources]
        if hasattr(layer, "layers"):
            last = _convert(layer, arguments, builder, f"{prefix}{layer.name}_", depth + 1)
        else:
            last = [_append(layer, arguments, builder, prefix)]
        made |= {(layer.name, node, index): name for index, name in enumerate(last)}
    ends = _tensors(model, "output_layers")  # a Sequential tells none
    return [made[end] for end in ends] if ends else last


def _append(layer: Any, inputs: list[str], builder: _Builder, prefix: str) -> str:
    """One Keras layer -> the graph's layers for it; -> the name of its output."""
    kind, config = type(layer).__name__, layer.get_config()
    if kind in IDENTITIES:
        return inputs[0]
    name = builder.unique(prefix + layer.name)
    if kind not in CONVERTERS:
        raise check.no_kernel(name, kind)
    arrays = tuple(np.asarray(array) for array in layer.get_weights()) if hasattr(layer, "get_weights") else ()
    shapes = tuple(builder.shape(name) for name in inputs)
    layers = CONVERTERS[kind](KerasLayer(name, kind, config, arrays, tuple(inputs), shapes))
    builder.layers.extend(layers)
    return layers[-1].name if layers else inputs[0]


Call = tuple[Any, int, "list[Tensor] | None"]


def _calls(model: Any) -> Iterator[Call]:
    """(layer, which of its calls, tensors it reads) in running order; None in a Sequential: reads the one before."""
    config = model.get_config()
    if "input_layers" not in config:  # Sequential
        yield from ((layer, 0, None) for layer in model.layers)
        return
    waiting = [
        (model.get_layer(entry["name"]), index, _sources(node))
        for entry in config.get("layers", [])
        for index, node in enumerate(entry["inbound_nodes"] or [{}])
    ]
    done: set[tuple[str, int]] = set()
    while waiting:
        ready = [call for call in waiting if all(source[:2] in done for source in call[2])]
        if not ready:
            raise ModelError(f"layer {waiting[0][0].name!r} reads what nothing writes", hint="save the model again")
        yield ready[0]
        done.add((ready[0][0].name, ready[0][1]))
        waiting.remove(ready[0])


def _sources(node: Any) -> list[Tensor]:
    """The tensors that a call reads, in order of its arguments."""
    if isinstance(node, Mapping):
        if "keras_history" in node:
            return [_tensor(*node["keras_history"])]
        node = list(node.values())
    return [source for value in node for source in _sources(value)] if isinstance(node, (list, tuple)) else []


def _tensor(name: Any, call: Any, index: Any) -> Tensor:
    return str(name), int(call), int(index)


def _tensors(model: Any, key: str) -> list[Tensor]:
    """The `input_layers` or `output_layers` of a Functional model; a Sequential tells none."""
    return list(_flat(model.get_config().get(key)))


def _flat(value: Any) -> Iterator[Tensor]:
    """Keras' [name, call, index], a list of those, or a dict of either."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if value and isinstance(value[0], str):
        yield _tensor(*value)
    else:
        yield from (tensor for item in value or () for tensor in _flat(item))


def _distinct(ends: list[str], builder: _Builder) -> list[str]:
    """Each output is a tensor of its own: one that is there twice, or is an input, is seen through a Reshape."""
    if len(ends) == 1:
        return ends
    taken = [layer.name for layer in builder.layers if layer.INPUT]
    for end in ends:
        if end in taken:
            seen = Reshape(name=builder.unique(f"{end}_output"), inputs=(end,), shape=builder.shape(end))
            builder.layers.append(seen)
            end = seen.name
        taken.append(end)
    return taken[-len(ends) :]


def _reachable(layers: list[Layer], ends: list[str]) -> list[Layer]:
    """The layers that the outputs need; an only output comes last."""
    by_name = {layer.name: layer for layer in layers}
    needed = {layer.name for layer in layers if layer.INPUT}
    if set(ends) <= needed:
        raise ModelError("the model computes nothing", hint="add a layer")
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(by_name[name].inputs)
    kept = [layer for layer in layers if layer.name in needed]
    if len(ends) > 1:
        return kept
    return [*(layer for layer in kept if layer.name != ends[0]), by_name[ends[0]]]
