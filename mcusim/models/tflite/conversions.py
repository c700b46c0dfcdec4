"""TFLite's QUANTIZE and DEQUANTIZE -> layers of a Graph: reals to integers, and back, and from one scale to another."""

from collections.abc import Callable, Mapping

from mcusim.layers.convert import Convert
from mcusim.models.tflite.call import Call
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


CONVERTERS: Mapping[str, Callable[[Call], None]] = {"DEQUANTIZE": _dequantize, "QUANTIZE": _quantize}
