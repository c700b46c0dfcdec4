"""Merges of tensors, and their conversions -> ADD, SUB, MUL, MAXIMUM, MINIMUM, CONCATENATION, QUANTIZE, DEQUANTIZE."""

from collections.abc import Mapping
from functools import partial

from mcusim.layers import Add, BroadcastAdd, Concatenate, Convert, Maximum, Minimum, Multiply, Softmax, Subtract
from mcusim.layers.merge import Combined
from mcusim.models.tflite.writing.sheet import OTHER, REALS, Sheet, Writer
from mcusim.numbers.affine import Affine, FromReals, ToReals, addition, as_they_are, conversion, product
from mcusim.numbers.affine_softmax import TableOfExponentials
from mcusim.numbers.numbers import LINEAR

MOST_JOINED = 10  # inputs of a CONCATENATION that TFLM takes
OF_TWO = ("ADD", "SUB")  # whose scales of 16 bits are powers of two, unless a file says that they are not


def _exact(kind: str) -> dict[str, float]:
    return {"pot_scale_int16": False} if kind in OF_TWO else {}


def add(sheet: Sheet, layer: Add) -> None:
    """Of reals any number of addends, one after the other."""
    tensors = sheet.views([sheet.entry(index).shape for index in range(len(layer.inputs))])
    shape, out = sheet.shape(tensors[0]), sheet.out
    if out is not None:
        if len(tensors) != 2:
            raise sheet.refused(f"adds {len(tensors)} tensors of integers at once", "add them two by two")
        _demand_addition(sheet, layer.addition, out)
    tensor, *others = tensors
    for other in others[:-1]:
        tensor = sheet.op("ADD", (tensor, other), shape, out)
    sheet.end("ADD", (tensor, others[-1]), shape, layer.activation, **_exact("ADD"))


def _demand_addition(sheet: Sheet, own: object, out: Affine) -> None:
    """TFLM ends its process where a sum becomes larger when it is brought to the output's scale."""
    made = addition(_both(sheet), out)
    sheet.demand(own, made, "adds")
    if (made.rescale.factors.shifts > 0).any():
        raise sheet.refused("has an output that is too fine for its sums", OTHER)


def _both(sheet: Sheet) -> tuple[Affine, Affine]:
    first, second = sheet.numbers(0), sheet.numbers(1)
    assert first is not None and second is not None
    return first, second


def combined(kind: str, sheet: Sheet, layer: Combined) -> None:
    if sheet.out is not None:
        _demand_addition(sheet, layer.addition, sheet.out)
    inputs = sheet.views(layer.input_shapes)
    sheet.end(kind, inputs, _merged(sheet, inputs), layer.activation, **_exact(kind))


def extreme(kind: str, sheet: Sheet, layer: Combined) -> None:
    """Of stored numbers, which have to have one scale."""
    inputs = sheet.views(layer.input_shapes)
    out = sheet.out
    if out is not None:
        if set(_both(sheet)) != {out}:
            raise sheet.refused("compares numbers of two scales, and TFLite of one", REALS)
        sheet.demand(layer.addition, as_they_are(out), "compares")
    tensor = sheet.op(kind, inputs, _merged(sheet, inputs), out)
    sheet.done(sheet.limited(tensor, layer.activation))


def multiply(sheet: Sheet, layer: Multiply) -> None:
    if sheet.out is not None:
        sheet.demand(layer.product, product(*_both(sheet), sheet.out), "multiplies")
    inputs = sheet.views(layer.input_shapes)
    sheet.end("MUL", inputs, _merged(sheet, inputs), layer.activation)


def _merged(sheet: Sheet, inputs: list[int]) -> tuple[int, ...]:
    """The shape of the output: that of the inputs where they have one, as they lie in the file."""
    shapes = {sheet.shape(tensor) for tensor in inputs}
    return shapes.pop() if len(shapes) == 1 else (1, *sheet.layer.shape)


def concatenate(sheet: Sheet, layer: Concatenate) -> None:
    parts = []
    for index in range(len(layer.inputs)):
        entry, tensor = sheet.numbers(index), sheet.view(index, sheet.entry(index).shape)
        if entry is not None and sheet.out is not None and entry != sheet.out:
            told = layer.conversions[index] if layer.conversions else None
            sheet.demand(told, conversion(entry, sheet.out), "brings numbers to one scale")
            tensor = sheet.op("QUANTIZE", (tensor,), sheet.shape(tensor), sheet.out)
        parts.append(tensor)
    axis = layer.axis + 1 if layer.axis >= 0 else len(layer.shape) + 1 + layer.axis
    sheet.done(joined(sheet, parts, axis))


def joined(sheet: Sheet, parts: list[int], axis: int) -> int:
    """Of more than an operator takes, several at a time."""
    while len(parts) > 1:
        groups = [parts[start : start + MOST_JOINED] for start in range(0, len(parts), MOST_JOINED)]
        parts = [_joined(sheet, group, axis) if len(group) > 1 else group[0] for group in groups]
    return parts[0]


def _joined(sheet: Sheet, parts: list[int], axis: int) -> int:
    first = sheet.shape(parts[0])
    length = sum(sheet.shape(part)[axis] for part in parts)
    return sheet.moved("CONCATENATION", parts, (*first[:axis], length, *first[axis + 1 :]), axis=axis)


def convert(sheet: Sheet, layer: Convert) -> None:
    entry, out = sheet.numbers(), sheet.out
    tensor = sheet.tensor()
    if (entry is None and out is None) or _is_inside(sheet, entry, out):
        sheet.places[layer.name] = tensor
    elif entry is None and out is not None:
        sheet.demand(layer.conversion, FromReals(out), "makes integers of reals")
        sheet.end("QUANTIZE", (tensor,), sheet.shape(tensor), LINEAR)
    elif entry is not None and out is None:
        sheet.demand(layer.conversion, ToReals(entry), "makes reals of integers")
        sheet.end("DEQUANTIZE", (tensor,), sheet.shape(tensor), LINEAR)
    elif entry is not None and out is not None:
        sheet.demand(layer.conversion, conversion(entry, out), "converts numbers")
        sheet.end("QUANTIZE", (tensor,), sheet.shape(tensor), LINEAR)


def _is_inside(sheet: Sheet, entry: Affine | None, out: Affine | None) -> bool:
    """Does it but widen numbers for softmaxes, which TFLite's operator does itself?"""
    name, graph = sheet.layer.name, sheet.graph
    if entry is None or out is None or (out.bits, out.scale, out.zero) != (16, entry.scale, entry.zero):
        return False
    readers = graph.consumers(name)
    tabled = [isinstance(one, Softmax) and isinstance(one.softmaxing, TableOfExponentials) for one in readers]
    return bool(readers) and all(tabled) and name not in {end.name for end in graph.ends}


WRITERS: Mapping[type, Writer] = {
    Add: add,
    BroadcastAdd: partial(combined, "ADD"),
    Concatenate: concatenate,
    Convert: convert,
    Maximum: partial(extreme, "MAXIMUM"),
    Minimum: partial(extreme, "MINIMUM"),
    Multiply: multiply,
    Subtract: partial(combined, "SUB"),
}
