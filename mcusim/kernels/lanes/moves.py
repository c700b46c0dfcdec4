"""Numbers that go elsewhere or change one by one, side by side in words: concatenation and ReLU."""

from __future__ import annotations

import math

from mcusim.graph import Layer
from mcusim.kernels.calls import Fields, reading
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.copies import cached, copy_cycles, placed
from mcusim.kernels.lanes.costs import MOVES, Counts, storage_of, total, words_of
from mcusim.kernels.lanes.nests import Moving
from mcusim.kernels.lanes.pairs import MOST_PAIR, WORD_BYTES, end_fields, pairs_end
from mcusim.kernels.lanes.streams import Activating, stream, stream_cycles
from mcusim.kernels.lanes.words import words_of_layer
from mcusim.kernels.memory import Memory
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.relu import ReLU
from mcusim.numbers.affine import ScaledConversion
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
    rows = rows_of(layer)
    for index, part in enumerate(inputs):
        conversion = _conversion(layer, index, part)
        if conversion is None:
            return "it brings no input to a finer scale"
        if conversion and part.elements // rows * part.dtype.itemsize < WORD_BYTES:
            return "it converts a word of channels at a time"
    return None


def concatenate(layer: Concatenate, inputs: Inputs) -> LayerCode:
    calls, routines, offset, rows = [], [], 0, rows_of(layer)
    for index, part in enumerate(inputs):
        channels = part.elements // rows
        if converted := _conversion(layer, index, part):
            fields: Fields = {"rows": rows, "channels": channels, "output_channels": layer.elements // rows}
            fields |= {"offset": offset, **reading(part), **converted}
            calls.append(KernelCall("concatenate_lanes", (f"inputs[{index}]", "output"), fields))
        else:
            routine = _placing(layer, part, offset).routine
            calls.append(KernelCall("moved", (f"inputs[{index}]", "output"), {"move": routine.name}))
            routines.append(routine)
        offset += channels
    return LayerCode(tuple(calls), routines=tuple(routines))


def concatenation_cost(layer: Concatenate, inputs: Inputs, memory: Memory) -> float:
    counts: Counts = {"rows": 0, "words": 0, "instructions": 0}
    rows, copied, offset = rows_of(layer), 0.0, 0
    for index, part in enumerate(inputs):
        channels = part.elements // rows
        if fields := _conversion(layer, index, part):
            words = rows * words_of(channels, layer)
            pairs = 5 + ("pair_zero" in fields) + 2 * ("pair_shift" in fields) if "pair_bits" in fields else 0
            counts["rows"] += rows
            counts["words"] += words
            counts["instructions"] += words * (pairs or 7)
        else:
            copied += copy_cycles(_placing(layer, part, offset), memory)
        offset += channels
    return copied + total(counts, MOVES[storage_of(layer)])


def _placing(layer: Concatenate, part: Layer, offset: int) -> Moving:
    """An input whose numbers stay as they are."""
    rows, size = rows_of(layer), layer.dtype.itemsize
    channels, whole = part.elements // rows, layer.elements // rows
    fields = {"rows": rows, "channels": channels, "output_channels": whole, "offset": offset}
    parts = placed(rows, channels * size, whole * size, offset * size)
    return cached(size, parts, "concatenate", tuple(fields.items()))


def rows_of(layer: Concatenate) -> int:
    return math.prod(layer.shape[: layer.axis])


def _conversion(layer: Concatenate, index: int, part: Layer) -> Fields | None:
    """Nothing where numbers stay as they are; None where they become larger."""
    if not layer.conversions or part.numbers is None:
        return {}
    conversion = layer.conversions[index]
    if isinstance(conversion, ScaledConversion) and part.numbers == layer.numbers:
        return {}
    if not isinstance(conversion, ShiftConversion) or conversion.shift < 0:
        return None
    if conversion.shift == 0 and part.numbers == layer.numbers:
        return {}
    if part.dtype.itemsize > 1:
        return conversion.fields()
    end = pairs_end(layer, conversion.shift)
    if end is None:
        return None
    start = conversion.rounding + end.offset
    fits = start + part.numbers.maximum <= MOST_PAIR
    return {**conversion.fields(), "start": start, **end_fields(end)} if fits else None
