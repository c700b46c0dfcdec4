"""Numbers that go elsewhere or change one by one, side by side in words: concatenation and ReLU."""

import math

from mcusim.graph import Layer
from mcusim.kernels.calls import Fields, reading
from mcusim.kernels.kernel import Inputs, known
from mcusim.kernels.lanes.conversions import Converting, converting
from mcusim.kernels.lanes.copies import cached, copy_cycles, placed
from mcusim.kernels.lanes.nests import Moving
from mcusim.kernels.lanes.streams import Activating, stream, stream_cycles
from mcusim.kernels.lanes.words import words_of_layer
from mcusim.kernels.memory import Memory
from mcusim.layers import Concatenate, ReLU
from mcusim.numbers.power_of_two import ShiftConversion
from mcusim.program import KernelCall, LayerCode


def relu(layer: ReLU, inputs: Inputs) -> LayerCode:
    routine = stream(Activating(words_of_layer(layer, inputs))).routine
    fields = {"elements": layer.elements, **reading(inputs[0]), **layer.activation.fields(layer.numbers)}
    call = KernelCall("relu_lanes", ("input", "output"), {**fields, "limited": routine.name})
    return LayerCode((call,), routines=(routine,))


def relu_cost(layer: ReLU, inputs: Inputs, memory: Memory) -> float:
    return stream_cycles(stream(Activating(words_of_layer(layer, inputs))), layer, memory)


def why_no_concatenation(layer: Concatenate, inputs: Inputs) -> str | None:
    if any(_conversion(layer, index, part) is None for index, part in enumerate(inputs)):
        return "it brings no input to a scale finer by 2^n, and no other where two roundings are no line"
    return None


def concatenate(layer: Concatenate, inputs: Inputs) -> LayerCode:
    routines = [made.routine for made in _placings(layer, inputs)]
    calls = [
        KernelCall("moved", (f"inputs[{index}]", "output"), {"move": routine.name})
        for index, routine in enumerate(routines)
    ]
    return LayerCode(tuple(calls), routines=tuple(routines))


def concatenation_cost(layer: Concatenate, inputs: Inputs, memory: Memory) -> float:
    return sum(copy_cycles(made, memory) for made in _placings(layer, inputs))


def _placings(layer: Concatenate, inputs: Inputs) -> list[Moving]:
    """Of each input."""
    rows, size, offset, placings = rows_of(layer), layer.dtype.itemsize, 0, []
    whole = layer.elements // rows
    for index, part in enumerate(inputs):
        channels, (own, change) = part.elements // rows, known(_conversion(layer, index, part))
        fields: Fields = {"rows": rows, "channels": channels, "output_channels": whole, "offset": offset, **own}
        parts = placed(rows, channels * size, whole * size, offset * size)
        placings.append(cached(size, parts, "concatenate", fields, change))
        offset += channels
    return placings


def rows_of(layer: Concatenate) -> int:
    return math.prod(layer.shape[: layer.axis])


def _conversion(layer: Concatenate, index: int, part: Layer) -> tuple[Fields, Converting | None] | None:
    """What its twin is told, and what happens to its numbers; None where nothing here does it."""
    if not layer.conversions or part.numbers is None:
        return {}, None
    conversion = layer.conversions[index]
    shift = conversion.shift if isinstance(conversion, ShiftConversion) else 0
    if part.numbers == layer.numbers and shift == 0:
        return {}, None
    change = converting(conversion, layer, part.numbers, 8 * part.dtype.itemsize)
    return None if change is None else ({**reading(part), **conversion.fields()}, change)
