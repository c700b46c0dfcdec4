"""Convolutions with windows of three columns by exact Winograd: half of the products, the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.assembly import LONGEST_OFFSET
from mcusim.kernels.calls import window_fields
from mcusim.kernels.finish import MOST_SHIFT, finish_of
from mcusim.kernels.kernel import DEFAULT, STRIPES, Inputs, Variant, why_no_dsp
from mcusim.kernels.winograd_points import BIAS_FACTOR, EIGHT_BITS, OUTPUTS_OF_A_TILE, POINTS, WINDOW, why_not
from mcusim.kernels.winograd_tile import TILES, Layout, winograd_tile
from mcusim.kernels.winograd_transforms import input_transform, weight_transform
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

NAME = "winograd"
SUMMARY = "convolutions with windows 3 wide in int8 to int12: exact Winograd F(4,3), half of the products (Cortex-M4)"
ANY_STORAGE = True
CODE_BYTES = 900  # of the C around, about
ROW_TILES = OUTPUTS_OF_A_TILE * TILES  # positions of a block in a row
MOST_WORDS = 512  # that a sum is over: as far as stores of U are laid out


@dataclass(frozen=True)
class Plan:
    """How a layer is cut into blocks of `cells` tiles: `rows` of outputs of a column of tiles, 0 for four in a row."""

    channels: int
    words: int
    rows: int
    cells: int
    blocks: int
    stripe: int

    @property
    def block_bytes(self) -> int:
        return POINTS * self.point_bytes

    @property
    def point_bytes(self) -> int:
        """From point to point of V."""
        return self.cells * 2 * self.channels

    @property
    def stripes(self) -> int:
        return -(-self.blocks // self.stripe)


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if why := why_no_dsp(core):
        return why
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if layer.kernel.shape[2] != WINDOW or layer.strides != (1, 1) or layer.dilation != NO_DILATION or layer.groups > 1:
        return "it is for windows of three columns, stride 1, without dilation or groups"
    finish, numbers = finish_of(layer), inputs[0].numbers
    if finish is None or numbers is None or inputs[0].dtype.itemsize != layer.kernel.dtype.itemsize:
        return "it is for integers"
    if why := why_not(numbers.minimum, numbers.maximum, layer.kernel, layer.peak_sum):
        return why
    return _why_too_large(layer, finish.shift, finish.store_bytes) or _why_too_small(layer)


def _why_too_small(layer: Convolution) -> str | None:
    height, width, filters = plane(layer.shape)
    if filters < 2:
        return "it takes two filters at a time"
    if height == 1 == layer.kernel.shape[1]:
        return None if width >= ROW_TILES else f"it takes {ROW_TILES} positions at a time"
    if height < TILES or width < OUTPUTS_OF_A_TILE:
        return f"it takes {TILES} rows of {OUTPUTS_OF_A_TILE} positions at a time"
    return None


def _why_too_large(layer: Convolution, shift: int, output_bytes: int) -> str | None:
    channels, size = _channels(layer), layer.kernel.dtype.itemsize
    words = layer.kernel.shape[1] * channels // 2
    too_far = max(
        2 * channels * (TILES + layer.kernel.shape[1] - 1),  # a point of V in a block of the fewest rows
        (POINTS - 1) * channels * size,
        3 * layer.shape[-1] * output_bytes + output_bytes,
    )
    if words > MOST_WORDS or too_far > LONGEST_OFFSET - 256:
        return "its channels or filters lie too far apart"
    if shift + EIGHT_BITS > MOST_SHIFT:
        return "its outputs are shifted too far"
    mask = _layout(layer, _plan(layer, DEFAULT), output_bytes).mask
    return "no address ends its sums" if mask.bit_length() - (mask & -mask).bit_length() >= 8 else None


def variants(layer: Layer, inputs: Inputs) -> tuple[Variant, ...]:
    assert isinstance(layer, Convolution)
    plans = {_plan(layer, Variant(count)).stripes for count in STRIPES}
    counts = sorted(count for count in plans if _plan(layer, Variant(count)).stripes == count)
    return tuple(Variant(count, compact) for count in counts for compact in (False, True))


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, wait_states: int = 0) -> float:
    """What runs, counted: tiles of V, filters for each stripe, groups of four tiles for each pair of filters."""
    assert isinstance(layer, Convolution)
    plan, pairs = _plan(layer, variant), -(-layer.shape[-1] // 2)
    calls = plan.stripes
    if plan.rows:
        calls = plan.blocks * (1 + (plan.rows > TILES and plan.rows % TILES > 0))
    groups = plan.blocks * max(1, -(-plan.rows // TILES))
    of_a_pair = plan.stripes * _cycles_of_u(layer, plan, wait_states) + calls * 65
    of_a_pair += groups * _cycles_of_m(layer, plan, variant.compact)
    return 100.0 + _cycles_of_v(layer, plan) + pairs * of_a_pair


def _cycles_of_v(layer: Convolution, plan: Plan) -> int:
    """Tiles that the assembly transforms, those that C copies before, and those above and below, that are zeros."""
    channels, size = layer.kernel.shape[3], layer.kernel.dtype.itemsize
    height, width, _ = plane(layer.input_shape)
    words = plan.channels * size // 4
    cells = [cell for block in range(plan.blocks) for cell in _cells(layer, plan, block)]
    seen = [column for row, column in cells if 0 <= row < height]
    edges = [plan.channels != channels or not 0 <= column <= width - POINTS for column in seen].count(True)
    copied = 60 + POINTS * (10 + 6 * words if plan.channels == channels else 4 + 9 * channels)
    transformed = 20 + (79 if size == 1 else 41) * words
    zeros = POINTS * (100 + plan.channels) * (len(cells) - len(seen))
    return 60 * plan.blocks + transformed * len(seen) + copied * edges + zeros


def _cells(layer: Convolution, plan: Plan, block: int) -> list[tuple[int, int]]:
    """Where in the input the tiles of a block begin: (row, column), as nn_convolution_winograd.h has it."""
    height, width, _ = plane(layer.shape)
    top, left = layer.padding[0][0], layer.padding[1][0]
    if not plan.rows:
        first = min(block * ROW_TILES, width - ROW_TILES) - left
        return [(0, first + OUTPUTS_OF_A_TILE * cell) for cell in range(TILES)]
    columns = -(-width // OUTPUTS_OF_A_TILE)
    column = min(block % columns * OUTPUTS_OF_A_TILE, width - OUTPUTS_OF_A_TILE) - left
    row = min(block // columns * plan.rows, height - plan.rows) - top
    return [(row + cell, column) for cell in range(plan.cells)]


def _cycles_of_u(layer: Convolution, plan: Plan, wait_states: int) -> float:
    """Of two filters. Weights come from flash, and lie in it in three rows side by side."""
    size, rows = layer.kernel.dtype.itemsize, int(layer.kernel.shape[1])
    apart = _layout(layer, plan, 1).apart
    far = 12 if 2 * apart > LONGEST_OFFSET else 5 if POINTS * apart > LONGEST_OFFSET else 0
    per_word = (43 if size == 1 else 25) + far + 2.5 * wait_states
    return 60 + 2 * rows * (7 + plan.channels * size / 4 * per_word)


def _cycles_of_m(layer: Convolution, plan: Plan, compact: bool) -> int:
    """Of 2 filters x 4 tiles: 16 cycles for 8 SMLAD."""
    return POINTS * _layout(layer, plan, 1).point_cycles + (350 if compact else 295)


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    assert isinstance(layer, Convolution)
    finish, numbers = finish_of(layer), inputs[0].numbers
    assert finish is not None and numbers is not None
    plan, size = _plan(layer, variant), layer.kernel.dtype.itemsize
    layout = _layout(layer, plan, finish.store_bytes)
    tile = winograd_tile(layout, finish, compact=variant.compact)
    _, width, channels = plane(layer.input_shape)
    unsigned, beside = size == 1 and numbers.minimum == 0, width * channels if plan.rows else 4 * channels
    transform = input_transform(plan.channels, size, unsigned, beside * size, plan.point_bytes)
    weights = weight_transform(plan.channels, size, layer.kernel.shape[1], layout.apart)
    fields: dict[str, Any] = window_fields(
        layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding
    )
    fields |= {"channels": plan.channels, "output_bytes": finish.store_bytes, "rows": plan.rows, "cells": plan.cells}
    fields |= {"stripe": plan.stripe, "shift": finish.shift}
    fields |= {"end_bytes": layout.end_bytes, "apart": layout.apart, "offset": layout.offset}
    fields |= {"transform": transform.name, "weights": weights.name, "tile": tile.name}
    call = KernelCall("convolution_winograd", ("input", "output", "scratch", "kernel", "bias"), fields)
    constants = (
        Constant("kernel", "number_t", _kernel(layer, plan), layer.kernel_numbers),
        Constant("bias", "int32_t", _bias(layer)),
    )
    return LayerCode(
        (call,), constants, _scratch(plan, layout, size), routines=(tile, transform, weights), code_bytes=CODE_BYTES
    )


def _scratch(plan: Plan, layout: Layout, size: int) -> int:
    """U with what aligns it, V of a stripe, and a tile at an edge."""
    u = layout.end_bytes + layout.offset + POINTS * layout.apart
    return u + plan.stripe * plan.block_bytes + POINTS * plan.channels * size


def _channels(layer: Convolution) -> int:
    """As many as fill words."""
    of_a_word = 4 // layer.kernel.dtype.itemsize
    return -(-int(layer.kernel.shape[3]) // of_a_word) * of_a_word


def _plan(layer: Convolution, variant: Variant) -> Plan:
    channels, window = _channels(layer), layer.kernel.shape[1]
    words = window * channels // 2
    height, width, _ = plane(layer.shape)
    if height == 1 == window:
        blocks = -(-width // ROW_TILES)
        return Plan(channels, words, 0, TILES, blocks, -(-blocks // variant.stripes))
    columns = -(-width // OUTPUTS_OF_A_TILE)
    most = (LONGEST_OFFSET - 256) // (2 * channels) - (window - 1)  # rows, so that stores reach the next point
    groups = -(-height // TILES)
    parts = next(
        (
            parts
            for parts in range(1, groups + 1)
            if _rows(height, parts) <= most and columns * parts >= variant.stripes
        ),
        groups,
    )
    rows = _rows(height, parts)
    blocks = columns * -(-height // rows)
    return Plan(channels, words, rows, rows + window - 1, blocks, -(-blocks // variant.stripes))


def _rows(height: int, parts: int) -> int:
    """Of outputs in a block, where a column of tiles is cut into so many."""
    return height if parts == 1 else TILES * -(-height // (TILES * parts))


def _layout(layer: Convolution, plan: Plan, output_bytes: int) -> Layout:
    _, width, filters = plane(layer.shape)
    tile = 2 * plan.channels
    position = filters * output_bytes
    if not plan.rows:
        group, output_tile = POINTS * plan.point_bytes, OUTPUTS_OF_A_TILE * position
    else:
        group, output_tile = TILES * tile, width * position
    return Layout(plan.words, tile, plan.point_bytes, group, position, output_tile, TILES * output_tile)


def _kernel(layer: Convolution, plan: Plan) -> Array:
    extra = plan.channels - layer.kernel.shape[3]
    return np.pad(layer.kernel, ((0, 0), (0, 0), (0, 0), (0, extra)))


def _bias(layer: Convolution) -> Array:
    """Modulo 2**32, as all of the last sums are."""
    return (layer.bias.astype(np.int64) * BIAS_FACTOR).astype(np.uint32).astype(np.int32)
