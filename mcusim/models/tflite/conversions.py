"""TFLite's QUANTIZE and DEQUANTIZE -> layers of a Graph: reals to integers, and back, and from one scale to another."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from mcusim.layers.convert import Convert
from mcusim.models.tflite.call import Call
from mcusim.models.tflite.description import Model
from mcusim.numbers.affine import WIDE_BITS, FromReals, ToReals, conversion


def _quantize(call: Call) -> None:
    entry, out, shape = call.numbers(), call.out, call.own_shape()
    if out is None:
        raise call.refused("gives reals", "leave it out")
    if entry is not None and entry.bits > WIDE_BITS:
        raise call.refused("takes integers of 32 bits", "use int8, int16 or float32")
    made = FromReals(out) if entry is None else conversion(entry, out)
    call.add(Convert(**call.own(shape, call.view(0, shape)), conversion=made))


def _dequantize(call: Call) -> None:
    entry, shape = call.numbers(), call.own_shape()
    if entry is None or call.out is not None or entry.bits > WIDE_BITS:
        raise call.refused("takes reals, or gives integers", "leave it out")
    call.add(Convert(**call.own(shape, call.view(0, shape)), conversion=ToReals(entry)))


def with_plain_inputs(model: Model) -> Model:
    """Whole numbers without a scale that a model is fed, and casts to reals, are reals in steps of 1."""
    fed = {one for one in model.inputs if model.tensors[one].dtype != "float32" and not model.tensors[one].quantized}
    for operation in model.operations:
        if operation.kind != "CAST" or {model.tensors[one].dtype for one in operation.outputs} != {"float32"}:
            fed -= {*operation.inputs}
    one, zero = np.ones(1, np.float32), np.zeros(1, np.int64)
    tensors = [replace(it, scales=one, zero_points=zero) if it.index in fed else it for it in model.tensors]
    operations = [replace(it, kind="DEQUANTIZE") if fed & {*it.inputs} else it for it in model.operations]
    return replace(model, tensors=tuple(tensors), operations=tuple(operations))


CONVERTERS: Mapping[str, Callable[[Call], None]] = {"DEQUANTIZE": _dequantize, "QUANTIZE": _quantize}
