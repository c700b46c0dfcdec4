"""Depthwise convolution of small windows: a few channels at a time, read where they lie beside the others."""

from functools import lru_cache
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.abreast import floats, integers
from mcusim.kernels.abreast.strip import ENTRY_BYTES, Strip
from mcusim.kernels.abreast.writer import Timed
from mcusim.kernels.calls import bias_of, reading
from mcusim.kernels.finish import FactorFinish, ending_of, known_ending
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.rows.parts import Part, cycles_of, parts_of, rows_of
from mcusim.kernels.straight import ending_in, records_of
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

NAME = "abreast"
SUMMARY = "depthwise convolutions of small windows: a few channels at a time, where they lie (Cortex-M4F)"
ANY_STORAGE = AFFINE = NARROW_WEIGHTS = NEEDS_DSP = True
CODE_BYTES = 60  # of the C around, about
AROUND = 20  # cycles of it


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution) or layer.groups != plane(layer.input_shape)[2]:
        return "it is for depthwise convolutions"
    if layer.groups != layer.shape[-1] or layer.dilation != NO_DILATION:
        return "it is for a filter for each channel, whose taps lie side by side"
    if any(map(any, layer.padding)) and layer.zero:
        return "its padding is zeros"
    if layer.kernel_numbers is not None:
        ending = ending_of(layer)
        if ending is None or layer.peak_sum > ACCUMULATOR_LIMIT:
            return "it is for sums of 32 bits"
        if isinstance(ending, FactorFinish) and ending.is_special:
            return "its factors are too large, or limits too wide"
    strip = _strip(layer, inputs)
    if not strip.sees_something:
        return "windows lie wholly in the padding"
    return None if next(_numbers(strip).fitting(strip), None) else "its weights have no room in registers"


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    parts = _parts(_strip(layer, inputs))
    again = (_fetches(part.blocks, part.block.code_bytes, memory, again=True) for part in parts)
    return AROUND + cycles_of(parts, memory) + sum(again)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    strip = _strip(layer, inputs)
    parts = _parts(strip)
    packed = [_packed(layer, strip, rows).reshape(-1) for rows in rows_of(parts, layer.groups)]
    fields: dict[str, Any] = {
        "second_channel": layer.groups - parts[-1].units,
        "output_bytes": strip.finish.store_bytes,
    }
    for name, part, own in zip(("first", "second"), parts, packed, strict=False):
        fields[name] = {"run": part.block.routine.name, "blocks": part.blocks, "words": own.size}
    call = KernelCall("convolution_abreast", ("input", "output", "kernel"), fields)
    routines = {part.block.routine.name: part.block.routine for part in parts}
    ctype = "float" if layer.kernel_numbers is None else "int32_t"
    kernel = Constant("kernel", ctype, np.concatenate(packed), layer.kernel_numbers)
    return LayerCode((call,), (kernel,), routines=tuple(routines.values()), code_bytes=CODE_BYTES)


def _packed(layer: Convolution, strip: Strip, rows: Array) -> Array:
    """(blocks, words)"""
    kernel = layer.kernel.reshape(layer.groups, -1)[rows]
    if isinstance(strip.finish, FloatFinish):
        return floats.packed(kernel, bias_of(layer)[rows])
    records = records_of(layer, strip.finish).reshape(layer.groups, -1)
    return integers.packed(kernel, records[rows][..., : integers.record_words(strip.finish)])


def _strip(layer: Convolution, inputs: Inputs) -> Strip:
    (height, input_width, channels), (rows, width, _) = plane(layer.input_shape), plane(layer.shape)
    size, strides, padding = layer.kernel.shape[1:3], layer.strides, layer.padding
    if input_width == width == size[1] == 1:  # a column is as well a row
        height, input_width, rows, width = input_width, height, width, rows
        size, strides, padding = size[::-1], strides[::-1], padding[::-1]
    item, unsigned = layer.number_bytes, bool(reading(inputs[0]))
    is_real = layer.rescale is None
    finish = FloatFinish(layer.activation) if is_real else known_ending(ending_in(layer, inputs[0], doubled=False))
    return Strip(size, strides, padding, rows, width, (height, input_width, channels), item, unsigned, finish)


def _numbers(strip: Strip) -> Any:
    return floats if isinstance(strip.finish, FloatFinish) else integers


def _fetches(blocks: int, size: float, memory: Memory, *, again: bool = False) -> float:
    """Cycles of bringing so many bytes of code: once, and for each block where not all stays. `again`: these alone."""
    return ((not again) + (blocks - 1) * memory.crowding(size)) * memory.fetched(size)


@lru_cache(maxsize=256)
def _parts(strip: Strip) -> tuple[Part[Timed], ...]:
    """For each group what is best with all others of its size."""
    numbers = _numbers(strip)

    def about(one: Strip) -> float:
        blocks = strip.channels // one.group
        size = ENTRY_BYTES + sum(numbers.band_bytes(one, band) for band in one.bands)
        return float(blocks * numbers.about(one) + _fetches(blocks, size, USUAL))

    best = {one.group: one for one in sorted(numbers.fitting(strip), key=about, reverse=True)}
    blocks = {group: numbers.strip_of(one) for group, one in best.items()}
    return parts_of(lambda group, _: blocks[group], tuple(blocks), strip.channels)
