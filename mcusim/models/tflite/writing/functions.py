"""Functions of one number, and softmax -> LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU and their kin.

Those of integers are written where TFLite's operator gives the very same numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcusim.layers import Pointwise, ReLU, Softmax
from mcusim.models.tflite.activations import NEAR, ON_INTEGERS, ON_REALS, OUTPUT_OF_SOFTMAX, WIDE, TabledOf
from mcusim.models.tflite.writing.sheet import REALS, Sheet, Writer, alike
from mcusim.numbers import affine_functions, affine_softmax, affine_wide, affine_wide_softmax
from mcusim.numbers.affine import Affine
from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import Activation
from mcusim.numbers.tables import Lookup

ZEROS = {"LOGISTIC": -128, "TANH": 0}  # of outputs of 8 bits, which TFLM demands or takes for granted
Written = Callable[[Sheet, int], int]  # a tensor -> that of the function


@dataclass(frozen=True)
class Operator:
    """`narrow`, `wide`: what it makes of integers of 8 and of 16 bits; None where TFLM has none."""

    kind: str
    options: dict[str, float]
    narrow: TabledOf | None = None
    wide: TabledOf | None = None


def operator_of(function: Function) -> Operator | None:
    """None where TFLite has none."""
    for kind, own in ON_REALS.items():
        if function == own:
            return Operator(kind, {}, ON_INTEGERS.get(kind), WIDE.get(kind))
    if function.name in ("gelu", "gelu_tanh"):
        return Operator("GELU", {"approximate": function.name == "gelu_tanh"})
    if function.name == "leaky_relu":
        slope = float(np.float32(function.parameters[0]))
        if slope == 0:
            return Operator("RELU", {}, affine_functions.relu, affine_wide.relu)
        made, wide = (partial(of.leaky_relu, slope=slope) for of in (affine_functions, affine_wide))
        return Operator("LEAKY_RELU", {"alpha": slope}, made, wide)
    return None


def pointwise(sheet: Sheet, layer: Pointwise) -> None:
    operator, entry, out, tensor = operator_of(layer.function), sheet.numbers(), sheet.out, sheet.tensor()
    if entry is None or out is None:
        made = OF_SEVERAL.get(layer.function.name) if operator is None else None
        if operator is None and made is None:
            raise sheet.refused("is no operator of TFLite", "use another activation")
        if made is not None:
            sheet.done(made(sheet, tensor))
            return
    elif operator is None or not _computes(operator, layer.lookup, entry, out):
        raise sheet.refused("gives other integers than TFLite has an operator for", f"use ReLU, or {REALS}")
    assert operator is not None
    sheet.done(sheet.op(operator.kind, (tensor,), sheet.shape(tensor), out, **operator.options))


def _computes(operator: Operator, lookup: Lookup | None, entry: Affine, out: Affine) -> bool:
    """The same of every number?"""
    make = operator.narrow if entry.bits == 8 else operator.wide
    if make is None or lookup is None or (entry.bits == 8 and ZEROS.get(operator.kind, out.zero) != out.zero):
        return False
    made = make(entry, out)
    if made is None or type(made) is not type(lookup) or made.kernel != lookup.kernel:
        return False
    return alike(made.table, lookup.table) and made.fields() == lookup.fields()


def relu(sheet: Sheet, layer: ReLU) -> None:
    sheet.done(sheet.limited(sheet.tensor(), layer.activation))


def softmax(sheet: Sheet, layer: Softmax) -> None:
    entry, out = sheet.numbers(), sheet.out
    beta, tensor = 1.0, sheet.tensor()
    if entry is not None and out is not None:
        bits = 8 if sheet.file.tensors[tensor].dtype == "int8" else 16  # it may be widened inside, see `widens`
        scale, zero = OUTPUT_OF_SOFTMAX.get((bits, out.bits), (0.0, 0))
        if abs(out.scale - scale) > NEAR * scale * (out.bits == 16) or out.zero != zero:
            raise sheet.refused(f"gives numbers of the scale {out.scale:.6g}", REALS)
        beta = getattr(layer.softmaxing, "beta", beta)
        made = (affine_softmax if bits == 8 else affine_wide_softmax).softmax(entry, out, beta)
        sheet.demand(layer.softmaxing, made, "computes")
    if sheet.shape(tensor)[-1] != layer.shape[-1]:
        tensor = sheet.view(0, layer.shape)
    sheet.end("SOFTMAX", (tensor,), sheet.shape(tensor), beta=beta)


# -- of reals, of several operators ------------------------------------------------------------------------------------


def _silu(sheet: Sheet, tensor: int) -> int:
    shape = sheet.shape(tensor)
    return sheet.op("MUL", (tensor, sheet.op("LOGISTIC", (tensor,), shape)), shape)


def _hard_sigmoid(sheet: Sheet, tensor: int) -> int:
    layer, shape = sheet.layer, sheet.shape(tensor)
    assert isinstance(layer, Pointwise)
    line = sheet.op("MUL", (tensor, sheet.number(layer.function.parameters[0], tensor)), shape)
    line = sheet.op("ADD", (line, sheet.number(0.5, tensor)), shape)
    return sheet.limited(line, Activation(relu=True, ceiling=1.0))


OF_SEVERAL: Mapping[str, Written] = {
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda sheet, tensor: sheet.op("MUL", (tensor, _hard_sigmoid(sheet, tensor)), sheet.shape(tensor)),
    "hard_tanh": lambda sheet, tensor: sheet.limited(tensor, Activation(relu=True, ceiling=1.0, floor=-1.0)),
    "silu": _silu,
}
WRITERS: Mapping[type, Writer] = {Pointwise: pointwise, ReLU: relu, Softmax: softmax}
