"""A function called on tensors (`x + y`, `ops.reshape(x, ..)`, `tf.nn.relu(x)`) -> layers of the same meaning.

Keras 3 writes operations, Keras 2 the names of TensorFlow's functions (TFOpLambda), or nodes of its graphs
(TensorFlowOpLayer). Each becomes steps: kinds of Keras layers with their settings, for the converters of those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcusim.graph import Shape
from mcusim.models.keras.arithmetic import ARITHMETIC
from mcusim.models.keras.description import Call, Described, Ref, shown
from mcusim.models.keras.operation import Make, Operation, Step
from mcusim.models.keras.reshaping import RESHAPING
from mcusim.system.errors import ModelError

KERAS_2 = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
OPERATIONS: Mapping[str, Make] = {**ARITHMETIC, **RESHAPING}


def is_operation(kind: str) -> bool:
    """In Keras 2, where operations are layers."""
    return kind in KERAS_2


def steps(layer: Described, call: Call, shapes: Mapping[Ref, Shape], batch: int | None) -> list[Step]:
    """None at all for what changes nothing. Raises ModelError for what has no meaning here."""
    function, arguments, keywords = _called(layer, call)
    operation = Operation(layer.name, function, arguments, keywords, shapes, batch)
    make = OPERATIONS.get(function.rpartition(".")[2].replace("_", "").lower())
    if make is None:
        raise no_kernel(shown(layer.name), layer, function)
    return make(operation)


def no_kernel(name: str, layer: Described, what: str) -> ModelError:
    kind = layer.config.get("function") or layer.kind
    told = f"{kind}" if what in (kind, layer.kind) else f"{kind}, a {what}"
    hint = "use layers of Keras: mcusim layers"
    return ModelError(f"layer {name!r} ({told}) has no kernel", hint=hint)


def _called(layer: Described, call: Call) -> tuple[str, Sequence[Any], Mapping[str, Any]]:
    """Name of the function, its arguments by position and by name."""
    keywords = {key: value for key, value in call.keywords.items() if key != "name"}
    if layer.kind == "TensorFlowOpLayer":
        return _node(layer, call)
    if layer.kind in KERAS_2:
        return str(layer.config.get("function")), call.arguments, keywords
    settings = {key: value for key, value in layer.config.items() if key not in ("name", "dtype", "trainable")}
    return layer.kind, call.arguments, {**settings, **keywords}


def _node(layer: Described, call: Call) -> tuple[str, Sequence[Any], Mapping[str, Any]]:
    """A node of TensorFlow's graph: constants have their places among the arguments."""
    node = layer.config["node_def"]
    tensors = list(call.arguments[0]) if isinstance(call.arguments[0], list) else list(call.arguments)
    constants = {int(place): value for place, value in (layer.config.get("constants") or {}).items()}
    given = [constants[i] if i in constants else tensors.pop(0) for i in range(len(tensors) + len(constants))]
    function = str(node["op"]).removesuffix("V2")
    if function == "Concat":
        given = [given[:-1], given[-1]]
    keep = node.get("attr", {}).get("keep_dims", {}).get("b", False)
    return function, given, {"keepdims": keep} if keep else {}
