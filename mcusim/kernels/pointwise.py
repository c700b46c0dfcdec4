"""Pointwise convolution: each position by itself. The map is read as it lies, in tiles of 2 filters x 3 or 4 positions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import reading
from mcusim.kernels.expand import copy_words, expand_bytes
from mcusim.kernels.finish import finish_of
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes, why_no_dsp
from mcusim.kernels.tile import CALL_CYCLES, MOST_POSITIONS, Tile, rows, tile_routine
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

NAME = "pointwise"
SUMMARY = "convolutions of one tap in int8 and int16: 2 filters x 4 positions (Cortex-M4)"
ANY_STORAGE = True
CODE_BYTES = 260  # of the C around the tile, about


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if why := why_no_dsp(core):
        return why
    if not isinstance(layer, Convolution) or layer.kernel.shape[1:3] != (1, 1) or layer.groups != 1:
        return "it is for convolutions of one tap, in one group"
    if any(map(any, layer.padding)):
        return "it knows no padding"
    if finish_of(layer) is None or layer.peak_sum > ACCUMULATOR_LIMIT:
        return "it is for integers with sums of 32 bits"
    even = 4 // layer.kernel.dtype.itemsize
    if _channels(layer) % even:
        return f"its channels are no multiple of {even}"
    return None if _tile(layer).fits else "it has too many channels"


def variants(layer: Layer, inputs: Inputs) -> tuple[Variant, ...]:
    return stripes(_positions(layer), _tile(layer).positions) if _copies(layer) else (DEFAULT,)


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, wait_states: int = 0) -> float:
    assert isinstance(layer, Convolution)
    return 1.3 * layer.macs


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    assert isinstance(layer, Convolution)
    tile, positions = _tile(layer), _positions(layer)
    routine, is_bytes = tile_routine(tile), layer.kernel.dtype.itemsize == 1
    weights = expand_bytes() if is_bytes else copy_words()
    routines = {weights.name: weights, routine.name: routine}
    fields = _places(layer)
    stripe = tile.positions * math.ceil(math.ceil(positions / tile.positions) / variant.stripes)
    if _copies(layer):
        bring = expand_bytes(unsigned=bool(reading(inputs[0]))) if is_bytes else copy_words()
        routines[bring.name] = bring
        fields |= {"bring": bring.name}
    fields |= {"words": tile.words, "filters": tile.filters, "tile_positions": tile.positions, "stripe": stripe}
    fields |= {"end_bytes": tile.end_bytes, "output_bytes": tile.finish.store_bytes}
    fields |= {"weights": weights.name, "tile": routine.name}
    constants = (
        Constant("kernel", "number_t", _pairs(layer, tile), layer.kernel_numbers),
        Constant("bias", "int32_t", layer.bias),
    )
    call = KernelCall("pointwise_tiles", ("input", "output", "scratch", "kernel", "bias"), fields)
    copies = 4 * tile.words * min(stripe, positions) if _copies(layer) else 0
    scratch = tile.weight_bytes + tile.end_bytes - 4 + copies
    return LayerCode((call,), constants, scratch, routines=tuple(routines.values()), code_bytes=CODE_BYTES)


def _channels(layer: Convolution) -> int:
    return plane(layer.input_shape)[2]


def _positions(layer: Layer) -> int:
    return math.prod(layer.shape[:-1])


def _copies(layer: Convolution) -> bool:
    """Does the map have to be brought into the scratch memory first?"""
    return layer.kernel.dtype.itemsize == 1 or layer.strides != (1, 1)


def _places(layer: Convolution) -> dict[str, Any]:
    height, width, channels = plane(layer.input_shape)
    rows_, columns, filters = plane(layer.shape)
    fields = {"input_width": width, "input_channels": channels, "output_width": columns, "output_channels": filters}
    return fields | {"stride_height": layer.strides[0], "stride_width": layer.strides[1], "positions": rows_ * columns}


def _tile(layer: Convolution) -> Tile:
    """The one that takes the least cycles for all positions, some of them twice where they do not divide."""
    finish, filters, channels = finish_of(layer), layer.shape[-1], _channels(layer)
    assert finish is not None
    positions = _positions(layer)
    tiles = [
        rows(min(filters, 2), count, channels // 2, filters, finish, 2 * channels)
        for count in range(1, min(positions, MOST_POSITIONS) + 1)
    ]
    return min(tiles, key=lambda tile: math.ceil(positions / tile.positions) * tile.cycles)


def _pairs(layer: Convolution, tile: Tile) -> Array:
    """[filters / 2][words][2 filters][2 numbers] once `weights` has brought them; an odd filter comes a second time."""
    filters, taps = layer.shape[-1], layer.kernel.reshape(layer.shape[-1], -1)
    if tile.filters == 1:
        return np.ascontiguousarray(taps)
    chosen = [min(first, filters - 2) + index for first in range(0, filters, 2) for index in range(2)]
    if taps.dtype.itemsize > 1:
        return np.ascontiguousarray(taps[chosen].reshape(-1, 2, tile.words, 2).transpose(0, 2, 1, 3))
    # Of bytes that came four at a time, numbers 0 and 2 and then 1 and 3 share a word; so the two filters do here.
    lanes = taps[chosen].reshape(-1, 2, tile.words // 2, 2, 2)
    return np.ascontiguousarray(lanes.transpose(0, 2, 4, 3, 1))
