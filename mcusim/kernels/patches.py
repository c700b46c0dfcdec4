"""Convolution by patches: windows laid side by side, multiplied 2 filters x 4 positions at a time. For any window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import gaps, reading, window_fields
from mcusim.kernels.expand import copy_words, expand_bytes
from mcusim.kernels.finish import finish_of
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes, why_no_dsp
from mcusim.kernels.tile import interleaved, tile_routine
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

NAME = "patches"
SUMMARY = "convolutions of any window in int8 and int16: windows side by side, 2 filters x 4 positions (Cortex-M4)"
ANY_STORAGE = True
CODE_BYTES = 600  # of the C around the tile, about
POSITIONS = 4  # of a tile


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if why := why_no_dsp(core):
        return why
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if finish_of(layer) is None or layer.peak_sum > ACCUMULATOR_LIMIT:
        return "it is for integers with sums of 32 bits"
    if layer.shape[-1] // layer.groups < 2:
        return "it takes two filters of a group at a time"
    if _positions(layer) < POSITIONS:
        return f"it takes {POSITIONS} positions at a time"
    return None


def variants(layer: Layer, inputs: Inputs) -> tuple[Variant, ...]:
    return stripes(_positions(layer), POSITIONS)


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, wait_states: int = 0) -> float:
    assert isinstance(layer, Convolution)
    return 1.3 * layer.macs + 20 * layer.elements


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    assert isinstance(layer, Convolution)
    finish = finish_of(layer)
    assert finish is not None
    words, bytes_ = _words(layer), layer.kernel_numbers.dtype.itemsize  # type: ignore[union-attr]
    plan = interleaved(2, POSITIONS, words, layer.shape[-1], finish)
    tile = tile_routine(plan)
    weights = expand_bytes() if bytes_ == 1 else copy_words()
    window = window_fields(layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding)
    stripe = POSITIONS * math.ceil(_positions(layer) / POSITIONS / variant.stripes)
    fields: dict[str, Any] = {**window, **gaps(layer.dilation), "groups": layer.groups, **reading(inputs[0])}
    fields |= {"output_bytes": finish.store_bytes, "words": words, "end_bytes": plan.end_bytes, "stripe": stripe}
    fields |= {"weights": weights.name, "tile": tile.name}
    constants = (
        Constant("kernel", "number_t", _pairs(layer, words), layer.kernel_numbers),
        Constant("bias", "int32_t", layer.bias),
    )
    call = KernelCall("convolution_patches", ("input", "output", "scratch", "kernel", "bias"), fields)
    scratch = 8 * words + plan.end_bytes + 4 * words * stripe
    return LayerCode((call,), constants, scratch, routines=(tile, weights), code_bytes=CODE_BYTES)


def _positions(layer: Layer) -> int:
    return math.prod(layer.shape[:-1])


def _words(layer: Convolution) -> int:
    """Pairs of numbers of a patch."""
    return -(-int(np.prod(layer.kernel.shape[1:])) // 4) * 2


def _pairs(layer: Convolution, words: int) -> Array:
    """Filters two by two, as `weights` makes them [words][2 filters][2 numbers]; of an odd number one twice."""
    filters = layer.shape[-1] // layer.groups
    taps = layer.kernel.reshape(layer.groups, filters, -1)
    rows = np.pad(taps, ((0, 0), (0, 0), (0, 2 * words - taps.shape[-1])))
    chosen = [min(first + index, filters - 2 + index) for first in range(0, filters, 2) for index in range(2)]
    pairs = rows[:, chosen][:, :, _lanes(layer, words)].reshape(layer.groups, -1, 2, words, 2)
    order = (0, 1, 3, 4, 2) if rows.dtype.itemsize == 1 else (0, 1, 3, 2, 4)  # see expand_bytes
    return np.ascontiguousarray(pairs.transpose(order))


def _lanes(layer: Convolution, words: int) -> Array:
    """(words, 2): which numbers of a patch share a word. Of bytes that came four at a time 0 and 2, 1 and 3 do."""
    order = np.arange(2 * words).reshape(-1, 2)
    channels = plane(layer.input_shape)[2] // layer.groups
    if layer.kernel.dtype.itemsize == 1 and channels % 4 == 0:
        return order.reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1, 2)
    return order
