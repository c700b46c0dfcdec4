"""Functions of each number, and arithmetic of PyTorch -> nodes of ONNX."""

from collections.abc import Mapping
from functools import partial

from mcusim.models.pytorch.call import Call, Translate


def _plain(kind: str, call: Call) -> None:
    call.end(kind, call.x)


def _clamp(call: Call) -> None:
    low, high = (call.get(*names) for names in (("min", "min_val"), ("max", "max_val")))
    if call.kind == "aten.hardtanh":
        low, high = call.real("min_val", -1.0), call.real("max_val", 1.0)
    call.end("Clip", call.x, *(None if bound is None else call.constant(bound) for bound in (low, high)))


def _elu(call: Call) -> None:
    if call.real("scale", 1.0) != 1.0 or call.real("input_scale", 1.0) != 1.0:
        call.end("Selu", call.x, alpha=call.real("alpha", 1.0), gamma=call.real("scale", 1.0))
        return
    call.end("Elu", call.x, alpha=call.real("alpha", 1.0))


def _softplus(call: Call) -> None:
    if call.real("beta", 1.0) != 1.0:
        raise call.refused("has another beta than 1", "use beta=1")
    call.end("Softplus", call.x)


def _prelu(call: Call) -> None:
    """Slopes of the channels, which are the second axis."""
    slopes = call.array(call.tensor("weight")).reshape(-1)
    rank = max(len(call.shape) - 2, 0)
    call.end("PRelu", call.x, call.constant(slopes.reshape(-1, *(1,) * rank)))


def _along(kind: str, call: Call) -> None:
    """An axis."""
    call.end(kind, call.x, axis=call.whole("dim", -1))


def _binary(kind: str, call: Call) -> None:
    """Of two tensors, or of one and a number; `alpha` times the second."""
    other, alpha = call.get("other"), call.real("alpha", 1.0)
    if isinstance(other, (int, float)):
        other, alpha = call.constant(float(other) * alpha), 1.0
    if not isinstance(other, str):
        raise call.refused("lacks its second number", "export it again")
    if alpha != 1.0:
        other = call.add("Mul", other, call.constant(alpha))
    call.end(kind, call.x, other)


def _reversed(call: Call) -> None:
    """other - x"""
    other = call.get("other")
    given = call.constant(float(other)) if isinstance(other, (int, float)) else str(other)
    call.end("Sub", given, call.x)


def _same(call: Call) -> None:
    """Types of real numbers are one here; whole ones would be cut."""
    dtype = call.get("dtype")
    if dtype is not None and dtype not in REALS:
        raise call.refused("turns reals into whole numbers", "leave it out: what is computed stays real")
    call.end("Identity", call.x)


REALS = (6, 7, 8, 13)  # types: half, float, double, bfloat16
PLAIN = {
    **{"abs": "Abs", "exp": "Exp", "hardswish": "HardSwish", "mish": "Mish", "neg": "Neg", "relu": "Relu"},
    **{"selu": "Selu", "sigmoid": "Sigmoid", "silu": "Swish", "softsign": "Softsign", "tanh": "Tanh"},
}
EXTREMES = ("maximum", "minimum")
SAME = ("alias", "clone", "contiguous", "detach", "dropout", "feature_dropout", "lift_fresh_copy", "to", "_to_copy")
TRANSLATORS: Mapping[str, Translate] = {
    **{f"aten.{name}": partial(_plain, kind) for name, kind in PLAIN.items()},
    **{f"aten.{name}": partial(_binary, name[:3].capitalize()) for name in ("add", "sub", "mul", "div", *EXTREMES)},
    **dict.fromkeys((f"aten.{name}" for name in SAME), _same),
    **dict.fromkeys(("aten.clamp", "aten.hardtanh"), _clamp),
    "aten.relu6": lambda call: call.end("Clip", call.x, call.constant(0.0), call.constant(6.0)),
    "aten.leaky_relu": lambda call: call.end("LeakyRelu", call.x, alpha=call.real("negative_slope", 0.01)),
    "aten.elu": _elu,
    "aten.celu": lambda call: call.end("Celu", call.x, alpha=call.real("alpha", 1.0)),
    "aten.gelu": lambda call: call.end("Gelu", call.x, approximate=call.get("approximate") or "none"),
    "aten.softplus": _softplus,
    "aten.prelu": _prelu,
    "aten.hardsigmoid": lambda call: call.end("HardSigmoid", call.x, alpha=1 / 6, beta=0.5),
    "aten.pow": lambda call: call.end("Pow", call.x, call.constant(call.real("exponent", 1.0))),
    "aten.square": lambda call: call.end("Mul", call.x, call.x),
    "aten.rsub": _reversed,
    **dict.fromkeys(("aten.softmax", "aten._softmax"), partial(_along, "Softmax")),
    **dict.fromkeys(("aten.log_softmax", "aten._log_softmax"), partial(_along, "LogSoftmax")),
    # At the end of a model, where it is left out: elsewhere there is no kernel.
    "aten.argmax": partial(_along, "ArgMax"),
}
