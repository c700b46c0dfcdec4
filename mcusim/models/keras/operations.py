"""A function called on tensors (`x + y`, `ops.reshape(x, ..)`, `tf.nn.relu(x)`) -> layers of the same meaning.

Keras 3 writes operations, Keras 2 the names of TensorFlow's functions (TFOpLambda), or nodes of its graphs
(TensorFlowOpLayer). Each becomes steps: kinds of Keras layers with their settings, for the converters of those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.models.keras.description import Call, Described, Ref, shown
from mcusim.system.errors import ModelError

KERAS_2 = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


def is_operation(kind: str) -> bool:
    """In Keras 2, where operations are layers."""
    return kind in KERAS_2


@dataclass(frozen=True)
class Step:
    """A Keras layer. `inputs`: tensors that it reads; none for what the step before gives."""

    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Ref, ...] = ()


@dataclass(frozen=True)
class Operation:
    """`given`: arguments by position, then by name."""

    name: str
    function: str
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    shapes: Mapping[Ref, Shape]
    batch: int | None

    def get(self, position: int, *names: str, default: Any = None) -> Any:
        if position < len(self.arguments):
            return self.arguments[position]
        return next((self.keywords[name] for name in names if name in self.keywords), default)

    @property
    def x(self) -> Ref:
        x = self.get(0, "x", "x1", "a", "input", "inputs", "features", "tensor", "logits", "input_tensor", "value")
        if not isinstance(x, Ref):
            raise self.wrong("it is not called on a tensor")
        return x

    @property
    def shape(self) -> Shape:
        return self.shapes[self.x]

    def axes(self, value: Any, rank: int | None = None) -> tuple[int, ...]:
        """Axes of the tensor with its batch, from 0 on; all but the batch for None."""
        rank = rank or len(self.shape) + 1
        if value is None:
            return tuple(range(1, rank))
        axes = [value] if type(value) is int else value
        if not isinstance(axes, (list, tuple)) or any(type(a) is not int or not -rank <= a < rank for a in axes):
            raise self.wrong(f"axis is {value!r:.40}")
        found = tuple(sorted(axis % rank for axis in axes))
        if 0 in found:
            raise self.wrong("works along the batch")
        return found

    def wrong(self, why: str) -> ModelError:
        hint = "use a layer of Keras in its place"
        return ModelError(f"layer {shown(self.name)!r} ({self.function}): {why}", hint=hint)


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


# -- arithmetic ----------------------------------------------------------------------------------------------------


def _two(operation: Operation) -> tuple[Any, Any]:
    x = operation.get(0, "x", "x1")
    y = operation.get(1, "y", "x2")
    for value in (x, y):
        if not isinstance(value, Ref) and value is None:
            raise operation.wrong("lacks an argument")
    return x, y


def _constant(operation: Operation, value: Any, shape: Shape) -> Any:
    """A number, or one for each channel. Raises ModelError for what is neither."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise operation.wrong(f"{value!r:.40} is no number") from None
    if not np.isfinite(array).all():
        raise operation.wrong("is called with NaN or infinity")
    if array.size == 1 and array.ndim <= len(shape) + 1:
        return float(array.reshape(()))
    if array.size == array.shape[-1] == shape[-1] and array.ndim <= len(shape) + 1:
        return array.reshape(-1)
    raise operation.wrong(f"a constant of shape {array.shape} meets {shape}")


def _rescaling(scale: Any, offset: Any, *inputs: Ref) -> Step:
    plain = [value.tolist() if isinstance(value, np.ndarray) else value for value in (scale, offset)]
    return Step("Rescaling", {"scale": plain[0], "offset": plain[1]}, inputs)


def _binary(kind: str, constant: Callable[[Operation, Ref, Any, bool], list[Step]]) -> Callable[..., list[Step]]:
    """Of two tensors a layer of that kind; `constant` of a tensor and a number, told whether the number is first."""

    def made(operation: Operation) -> list[Step]:
        x, y = _two(operation)
        if isinstance(x, Ref) and isinstance(y, Ref):
            return [Step(kind, {}, (x, y))]
        tensor, number = (x, y) if isinstance(x, Ref) else (y, x)
        if not isinstance(tensor, Ref):
            raise operation.wrong("it is not called on a tensor")
        return constant(operation, tensor, _constant(operation, number, operation.shapes[tensor]), tensor is y)

    return made


def _add(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    return [_rescaling(1.0, c, x)]


def _subtract(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    return [_rescaling(-1.0, c, x) if first else _rescaling(1.0, -c, x)]


def _multiply(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    return [_rescaling(c, 0.0, x)]


def _divide(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    if first or not np.all(c):
        raise operation.wrong("divides by a tensor" if first else "divides by zero")
    return [_rescaling(1.0 / c, 0.0, x)]


def _maximum(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    """max(x, c) = relu(x - c) + c"""
    return _clipped(x, c, None)


def _minimum(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    """min(x, c) = c - relu(c - x)"""
    return [_rescaling(-1.0, c, x), Step("ReLU", {}), _rescaling(-1.0, c)]


def _clipped(x: Ref, low: Any, high: float | None) -> list[Step]:
    relu = {} if high is None else {"max_value": high - low}
    if not np.any(low):
        return [Step("ReLU", relu, (x,))]
    return [_rescaling(1.0, -low, x), Step("ReLU", relu), _rescaling(1.0, low)]


def _clip(operation: Operation) -> list[Step]:
    low = _constant(operation, operation.get(1, "x_min", "clip_value_min", "min"), (1,))
    high = _constant(operation, operation.get(2, "x_max", "clip_value_max", "max"), (1,))
    if not low < high:
        raise operation.wrong(f"clips to {low} .. {high}")
    return _clipped(operation.x, low, high)


def _square(operation: Operation) -> list[Step]:
    return [Step("Multiply", {}, (operation.x, operation.x))]


def _negative(operation: Operation) -> list[Step]:
    return [_rescaling(-1.0, 0.0, operation.x)]


def _identity(operation: Operation) -> list[Step]:
    dtype = str(operation.get(1, "dtype", default="float32"))
    if operation.x and not dtype.startswith(("float", "bfloat", "half")):
        raise operation.wrong(f"casts to {dtype}")
    return []


# -- activations -----------------------------------------------------------------------------------------------------


def _named(name: str) -> Callable[[Operation], list[Step]]:
    return lambda operation: [Step("Activation", {"activation": name}, (operation.x,))]


def _relu(operation: Operation) -> list[Step]:
    known = ("negative_slope", "max_value", "threshold", "alpha")
    settings = {key: operation.keywords[key] for key in known if operation.keywords.get(key) is not None}
    return [Step("ReLU", settings, (operation.x,))]


def _leaky_relu(operation: Operation) -> list[Step]:
    slope = operation.get(1, "negative_slope", "alpha", default=0.2)
    return [Step("LeakyReLU", {"negative_slope": slope}, (operation.x,))]


def _elu(operation: Operation) -> list[Step]:
    return [Step("ELU", {"alpha": operation.get(1, "alpha", default=1.0)}, (operation.x,))]


def _softmax(operation: Operation) -> list[Step]:
    axis = operation.get(1, "axis")
    return [Step("Softmax", {"axis": -1 if axis is None else axis}, (operation.x,))]


def _gelu(operation: Operation) -> list[Step]:
    if operation.get(1, "approximate", default=operation.function == "Gelu"):
        raise operation.wrong("approximates GELU by a hyperbolic tangent")
    return _named("gelu")(operation)


# -- shapes ------------------------------------------------------------------------------------------------------------


def _to_shape(operation: Operation, shape: Sequence[int]) -> list[Step]:
    return [Step("Reshape", {"target_shape": list(shape)}, (operation.x,))]


def _reshape(operation: Operation) -> list[Step]:
    target = operation.get(1, "newshape", "shape", "target_shape")
    if not isinstance(target, (list, tuple)) or any(a is not None and type(a) is not int for a in target) or not target:
        raise operation.wrong(f"reshapes to {target!r:.60}")
    batch, *rest = target
    elements, product = math.prod(operation.shape), math.prod(rest)
    if batch in (-1, None) and -1 not in rest and None not in rest and product != elements:
        raise operation.wrong(f"turns {operation.shape} into {tuple(rest)} with another batch")
    if batch not in (-1, None) and batch != operation.batch:
        raise operation.wrong(f"reshapes to a batch of {batch}")
    return _to_shape(operation, [-1 if axis is None else axis for axis in rest])


def _squeeze(operation: Operation) -> list[Step]:
    axis = operation.get(1, "axis", "squeeze_dims")
    whole = (0, *operation.shape)
    given = [i for i in range(1, len(whole)) if whole[i] == 1] if axis in (None, []) else operation.axes(axis)
    if any(whole[i] != 1 for i in given):
        raise operation.wrong(f"squeezes {operation.shape} along {axis}")
    return _to_shape(operation, [whole[i] for i in range(1, len(whole)) if i not in given])


def _expand_dims(operation: Operation) -> list[Step]:
    (axis,) = operation.axes(operation.get(1, "axis"), len(operation.shape) + 2)
    return _to_shape(operation, [*operation.shape[: axis - 1], 1, *operation.shape[axis - 1 :]])


def _flatten(operation: Operation) -> list[Step]:
    return _to_shape(operation, [-1])


def _transpose(operation: Operation) -> list[Step]:
    return _permuted(operation, operation.get(1, "axes", "perm"))


def _permuted(operation: Operation, axes: Any) -> list[Step]:
    rank = len(operation.shape) + 1
    if not isinstance(axes, (list, tuple)) or sorted(axes) != list(range(rank)) or axes[0] != 0:
        raise operation.wrong(f"transposes {operation.shape} and its batch by {axes!r:.40}")
    return [Step("Permute", {"dims": list(axes[1:])}, (operation.x,))] if list(axes) != list(range(rank)) else []


def _swapaxes(operation: Operation) -> list[Step]:
    (a,), (b,) = (operation.axes(operation.get(i, name)) for i, name in ((1, "axis1"), (2, "axis2")))
    axes = list(range(len(operation.shape) + 1))
    axes[a], axes[b] = axes[b], axes[a]
    return _permuted(operation, axes)


def _concatenate(operation: Operation) -> list[Step]:
    tensors, axis = operation.get(0, "values", "xs"), operation.get(1, "axis", default=-1)
    if not isinstance(tensors, list) or not all(isinstance(tensor, Ref) for tensor in tensors):
        raise operation.wrong("joins what is no tensor")
    return [Step("Concatenate", {"axis": axis}, tuple(tensors))]


def _pad(operation: Operation) -> list[Step]:
    widths = operation.get(1, "pad_width", "paddings")
    mode = str(operation.get(2, "mode", default="constant")).lower()
    value = operation.get(3, "constant_values", default=0) or 0
    rank = len(operation.shape) - 1
    if mode != "constant" or value or not isinstance(widths, list) or len(widths) != rank + 2 or rank not in (1, 2):
        raise operation.wrong("pads in a way that has no kernel")
    if any(widths[0]) or any(widths[-1]):
        raise operation.wrong("pads the batch or the channels")
    padding = widths[1] if rank == 1 else widths[1:3]
    return [Step(f"ZeroPadding{rank}D", {"padding": padding}, (operation.x,))]


def _get_item(operation: Operation) -> list[Step]:
    """A part of each axis but the last is cut out; an index leaves its axis out."""
    key = operation.get(1, "key", "slice_spec")
    parts = [_slice(operation, part) for part in (key if isinstance(key, list) else [key])]
    shape = operation.shape
    if len(parts) > len(shape) + 1 or parts[0] != (None, None):
        raise operation.wrong("cuts out a part of the batch")
    cuts, kept = [], []
    for axis, part in zip(shape, [*parts[1:], *[(None, None)] * (len(shape) + 1 - len(parts))], strict=True):
        start, stop, _ = (
            slice(*part).indices(axis) if isinstance(part, tuple) else slice(part, part + 1 or None).indices(axis)
        )
        if stop <= start or (not isinstance(part, tuple) and not -axis <= part < axis):
            raise operation.wrong(f"cuts nothing out of {shape}")
        cuts.append((start, axis - stop))
        kept.extend([stop - start] if isinstance(part, tuple) else [])
    return _cropped(operation, cuts, kept)


def _cropped(operation: Operation, cuts: list[tuple[int, int]], kept: list[int]) -> list[Step]:
    if not any(map(any, cuts)):
        return _to_shape(operation, kept) if tuple(kept) != operation.shape else []
    rank = len(cuts) - 1
    if not kept or (rank and any(cuts[-1])):
        raise operation.wrong("cuts out a part of the channels")
    if rank == 0:
        width = [Step("Reshape", {"target_shape": [-1, 1]}, (operation.x,)), Step("Cropping1D", {"cropping": cuts[0]})]
        return [*width, Step("Reshape", {"target_shape": kept})]
    cropping = cuts[0] if rank == 1 else tuple(cuts[:2])
    cut = [Step(f"Cropping{rank}D", {"cropping": cropping}, (operation.x,))]
    return [*cut, Step("Reshape", {"target_shape": kept})] if len(kept) < len(cuts) else cut


def _slice(operation: Operation, value: Any) -> Any:
    """(start, stop), or an index."""
    config = value.get("config", value) if isinstance(value, Mapping) else None
    if isinstance(config, Mapping) and set(config) >= {"start", "stop"}:
        start, stop, step = (config.get(key) for key in ("start", "stop", "step"))
        if step not in (None, 1) or any(end is not None and type(end) is not int for end in (start, stop)):
            raise operation.wrong("takes every other number")
        return (start, stop)
    if type(value) is not int:
        raise operation.wrong(f"is indexed with {value!r:.40}")
    return value


# -- means and maxima ----------------------------------------------------------------------------------------------


def _reduced(kind: str, factor: bool = False) -> Callable[[Operation], list[Step]]:
    """Along rows, columns or both by pooling; along the channels by pooling after a permutation."""

    def made(operation: Operation) -> list[Step]:
        shape, keep = operation.shape, bool(operation.get(2, "keepdims", default=False))
        axes = operation.axes(operation.get(1, "axis"))
        rank, count = len(shape) - 1, math.prod(shape[axis - 1] for axis in axes)
        left = [1 if i + 1 in axes else size for i, size in enumerate(shape) if keep or i + 1 not in axes]
        found = _pooled(operation, kind, axes, rank)
        if not left or found is None:
            raise operation.wrong(f"goes along axes {axes} of {shape}")
        found.append(Step("Reshape", {"target_shape": left}))
        return [*found, _rescaling(float(count), 0.0)] if factor else found

    return made


def _pooled(operation: Operation, kind: str, axes: tuple[int, ...], rank: int) -> list[Step] | None:
    shape = operation.shape
    if rank in (1, 2) and axes == tuple(range(1, rank + 1)):
        return [Step(f"Global{kind}Pooling{rank}D", {}, (operation.x,))]
    if rank == 2 and len(axes) == 1 and axes[0] < 3:
        size = (shape[0], 1) if axes == (1,) else (1, shape[1])
        return [Step(f"{kind}Pooling2D", {"pool_size": size, "strides": size, "padding": "valid"}, (operation.x,))]
    if axes == (rank + 1,) and rank:
        flat = Step("Reshape", {"target_shape": [-1, shape[-1]]}, (operation.x,))
        return [flat, Step("Permute", {"dims": [2, 1]}), Step(f"Global{kind}Pooling1D", {})]
    return None


OPERATIONS: Mapping[str, Callable[[Operation], list[Step]]] = {
    **dict.fromkeys(("add", "addv2", "biasadd"), _binary("Add", _add)),
    **dict.fromkeys(("subtract", "sub"), _binary("Subtract", _subtract)),
    **dict.fromkeys(("multiply", "mul"), _binary("Multiply", _multiply)),
    **dict.fromkeys(("truedivide", "divide", "truediv", "realdiv", "div"), _binary("Divide", _divide)),
    "maximum": _binary("Maximum", _maximum),
    "minimum": _binary("Minimum", _minimum),
    **dict.fromkeys(("clip", "clipbyvalue"), _clip),
    "square": _square,
    **dict.fromkeys(("negative", "neg"), _negative),
    **dict.fromkeys(("identity", "cast", "stopgradient", "copy"), _identity),
    "relu": _relu,
    **{name: _named(name) for name in ("relu6", "sigmoid", "tanh", "softplus", "softsign", "selu", "exponential")},
    **dict.fromkeys(("silu", "swish"), _named("silu")),
    "hardsigmoid": _named("hard_sigmoid"),
    **dict.fromkeys(("hardsilu", "hardswish"), _named("hard_silu")),
    "leakyrelu": _leaky_relu,
    "elu": _elu,
    **dict.fromkeys(("softmax", "softmaxv2"), _softmax),
    "gelu": _gelu,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expanddims": _expand_dims,
    **dict.fromkeys(("flatten", "ravel"), _flatten),
    "transpose": _transpose,
    "swapaxes": _swapaxes,
    **dict.fromkeys(("concatenate", "concat"), _concatenate),
    **dict.fromkeys(("pad", "padv2"), _pad),
    "getitem": _get_item,
    **dict.fromkeys(("mean", "reducemean"), _reduced("Average")),
    **dict.fromkeys(("max", "reducemax"), _reduced("Max")),
    **dict.fromkeys(("sum", "reducesum"), _reduced("Average", factor=True)),
}
