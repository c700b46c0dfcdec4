"""A function called on tensors (`x + y`, `ops.reshape(x, ..)`, `tf.nn.relu(x)`) -> layers of the same meaning.

Keras 3 writes operations, Keras 2 the names of TensorFlow's functions (TFOpLambda), or nodes of its graphs
(TensorFlowOpLayer). Each becomes steps: kinds of Keras layers with their settings, for the converters of those.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mcusim.graph import Shape
from mcusim.models.keras.arithmetic import ARITHMETIC
from mcusim.models.keras.description import Call, Described, Ref
from mcusim.models.keras.operation import Make, Operation, Step
from mcusim.models.keras.reshaping import RESHAPING
from mcusim.system.errors import ModelError

KERAS_2 = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
OPERATIONS: Mapping[str, Make] = {**ARITHMETIC, **RESHAPING}


def is_operation(kind: str) -> bool:
    """In Keras 2, where operations are layers."""
    return kind in KERAS_2


def function_of(layer: Described) -> str:
    """What users know it by."""
    if layer.kind == "TensorFlowOpLayer":
        node = layer.config.get("node_def")
        return str(node.get("op") if isinstance(node, Mapping) else layer.kind)
    return str(layer.config.get("function")) if layer.kind in KERAS_2 else layer.kind


def unknown(layer: Described) -> bool:
    return _plain(function_of(layer)) not in OPERATIONS


def _plain(function: str) -> str:
    """`math.reduce_mean` and `ReduceMean` are one, and so are `Add` and `AddV2`."""
    return function.rpartition(".")[2].replace("_", "").lower().removesuffix("v2")


def steps(layer: Described, call: Call, shapes: Mapping[Ref, Shape], batch: int | None) -> list[Step]:
    """None at all for what changes nothing. Raises ModelError for what has no meaning here."""
    arguments, keywords = _called(layer, call)
    function = function_of(layer)
    return OPERATIONS[_plain(function)](Operation(layer.name, function, arguments, keywords, shapes, batch))


def no_kernel(name: str, layer: Described, kind: str) -> ModelError:
    """For an operation that would be a layer of that kind."""
    hint = "use layers of Keras: mcusim layers"
    return ModelError(f"layer {name!r} ({function_of(layer)}, a {kind}) has no kernel", hint=hint)


def _called(layer: Described, call: Call) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Arguments by position and by name."""
    keywords = {key: value for key, value in call.keywords.items() if key != "name"}
    if layer.kind == "TensorFlowOpLayer":
        return _node(layer, call)
    if layer.kind in KERAS_2:
        return call.arguments, keywords
    settings = {key: value for key, value in layer.config.items() if key not in ("name", "trainable")}
    return call.arguments, {**settings, **keywords}


def _node(layer: Described, call: Call) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """A node of TensorFlow's graph: constants have their places among the arguments."""
    node = layer.config["node_def"]
    tensors = list(call.arguments[0]) if isinstance(call.arguments[0], list) else list(call.arguments)
    constants = {int(place): value for place, value in (layer.config.get("constants") or {}).items()}
    given = [constants[i] if i in constants else tensors.pop(0) for i in range(len(tensors) + len(constants))]
    if node["op"] in ("Concat", "ConcatV2"):
        given = [given[:-1], given[-1]]
    keep = node.get("attr", {}).get("keep_dims", {}).get("b", False)
    return given, {"keepdims": keep} if keep else {}
