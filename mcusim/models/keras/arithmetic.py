"""Sums, products, bounds and activations of tensors -> steps. A number in place of a tensor becomes a Rescaling."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.models.keras.description import Ref
from mcusim.models.keras.operation import Make, Operation, Step


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


def rescaling(scale: Any, offset: Any, *inputs: Ref) -> Step:
    plain = [value.tolist() if isinstance(value, np.ndarray) else value for value in (scale, offset)]
    return Step("Rescaling", {"scale": plain[0], "offset": plain[1]}, inputs)


def _binary(kind: str, constant: Callable[[Operation, Ref, Any, bool], list[Step]]) -> Make:
    """Of two tensors a layer of that kind; `constant` of a tensor and a number, told whether the number is first."""

    def made(operation: Operation) -> list[Step]:
        x, y = _two(operation)
        if isinstance(x, Ref) and isinstance(y, Ref):
            ranks = {len(operation.shapes[tensor]) for tensor in (x, y)}
            if len(ranks) > 1:  # NumPy aligns the last axes: a batch would meet an axis of a sample
                raise operation.wrong("is called on tensors of a different number of axes")
            return [Step(kind, {}, (x, y))]
        tensor, number = (x, y) if isinstance(x, Ref) else (y, x)
        if not isinstance(tensor, Ref):
            raise operation.wrong("it is not called on a tensor")
        return constant(operation, tensor, _constant(operation, number, operation.shapes[tensor]), tensor is y)

    return made


def _subtract(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    return [rescaling(-1.0, c, x) if first else rescaling(1.0, -c, x)]


def _divide(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    if first or not np.all(c):
        raise operation.wrong("divides by a tensor" if first else "divides by zero")
    return [rescaling(1.0 / c, 0.0, x)]


def _minimum(operation: Operation, x: Ref, c: Any, first: bool) -> list[Step]:
    """min(x, c) = c - relu(c - x)"""
    return [rescaling(-1.0, c, x), Step("ReLU", {}), rescaling(-1.0, c)]


def _clipped(x: Ref, low: Any, high: float | None) -> list[Step]:
    relu = {} if high is None else {"max_value": high - low}
    if not np.any(low):
        return [Step("ReLU", relu, (x,))]
    return [rescaling(1.0, -low, x), Step("ReLU", relu), rescaling(1.0, low)]


def _clip(operation: Operation) -> list[Step]:
    low = _constant(operation, operation.get(1, "x_min", "clip_value_min", "min"), (1,))
    high = _constant(operation, operation.get(2, "x_max", "clip_value_max", "max"), (1,))
    if not low < high:
        raise operation.wrong(f"clips to {low} .. {high}")
    return _clipped(operation.x, low, high)


def _absolute(operation: Operation) -> list[Step]:
    """|x| = max(x, -x)"""
    return [rescaling(-1.0, 0.0, operation.x), Step("Maximum", {}, (operation.x, 0))]


def _identity(operation: Operation) -> list[Step]:
    dtype = str(operation.get(1, "dtype", default="float32"))
    if operation.x and not dtype.startswith(("float", "bfloat", "half")):
        raise operation.wrong(f"casts to {dtype}")
    return []


# -- activations -----------------------------------------------------------------------------------------------------


def _named(name: str) -> Make:
    return lambda operation: [Step("Activation", {"activation": name}, (operation.x,))]


def _relu(operation: Operation) -> list[Step]:
    known = ("negative_slope", "max_value", "threshold", "alpha")
    settings = {key: operation.keywords[key] for key in known if operation.keywords.get(key) is not None}
    return [Step("ReLU", settings, (operation.x,))]


def _leaky_relu(operation: Operation) -> list[Step]:
    slope = operation.get(1, "negative_slope", "alpha", default=0.2)
    return [Step("LeakyReLU", {"negative_slope": slope}, (operation.x,))]


def _softmax(operation: Operation) -> list[Step]:
    axis = operation.get(1, "axis")
    return [Step("Softmax", {"axis": -1 if axis is None else axis}, (operation.x,))]


def _gelu(operation: Operation) -> list[Step]:
    approximate = bool(operation.get(1, "approximate", default=operation.function == "Gelu"))
    function = {"class_name": "Gelu", "config": {"approximate": approximate}}
    return [Step("Activation", {"activation": function}, (operation.x,))]


def _celu(operation: Operation) -> list[Step]:
    if operation.get(1, "alpha", default=1.0) != 1.0:
        raise operation.wrong("has another alpha than 1")
    return _named("celu")(operation)


ARITHMETIC: Mapping[str, Make] = {
    **dict.fromkeys(("add", "biasadd"), _binary("Add", lambda operation, x, c, first: [rescaling(1.0, c, x)])),
    **dict.fromkeys(("subtract", "sub"), _binary("Subtract", _subtract)),
    **dict.fromkeys(("multiply", "mul"), _binary("Multiply", lambda operation, x, c, first: [rescaling(c, 0.0, x)])),
    **dict.fromkeys(("truedivide", "divide", "truediv", "realdiv", "div"), _binary("Divide", _divide)),
    "maximum": _binary("Maximum", lambda operation, x, c, first: _clipped(x, c, None)),  # max(x, c) = relu(x - c) + c
    "minimum": _binary("Minimum", _minimum),
    **dict.fromkeys(("clip", "clipbyvalue"), _clip),
    "square": lambda operation: [Step("Multiply", {}, (operation.x, operation.x))],
    **dict.fromkeys(("absolute", "abs"), _absolute),
    **dict.fromkeys(("negative", "neg"), lambda operation: [rescaling(-1.0, 0.0, operation.x)]),
    **dict.fromkeys(("identity", "cast", "stopgradient", "copy"), _identity),
    "relu": _relu,
    **{name: _named(name) for name in ("relu6", "sigmoid", "tanh", "softplus", "softsign", "selu", "exponential")},
    **dict.fromkeys(("silu", "swish"), _named("silu")),
    "hardsigmoid": _named("hard_sigmoid"),
    **dict.fromkeys(("hardsilu", "hardswish"), _named("hard_silu")),
    "leakyrelu": _leaky_relu,
    "elu": lambda operation: [Step("ELU", {"alpha": operation.get(1, "alpha", default=1.0)}, (operation.x,))],
    "softmax": _softmax,
    "gelu": _gelu,
    "celu": _celu,
    "exp": _named("exponential"),
    "hardtanh": _named("hard_tanh"),
    "mish": _named("mish"),
}
