"""Convolution in float32 by tiles whose windows are gathered first: for gaps, groups and any padding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mcusim.graph import Layer
from mcusim.kernels.calls import bias_of, gaps, window_fields
from mcusim.kernels.expand import copy_words
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes, why_no_dsp
from mcusim.kernels.tiles import CODE_BYTES, TYPICAL_WAIT_STATES, copy_field, tiles_of_filters
from mcusim.kernels.tiles.plan import CALL, COPIED_WORD, COPY, MISS, row_cycles, tap_stalls, tile_cycles, tile_sizes
from mcusim.kernels.tiles.spread import column_cycles, spread
from mcusim.kernels.tiles.tile import FloatTile, float_tile
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane
from mcusim.program import Constant, KernelCall, LayerCode

NAME = "gather"
SUMMARY = "convolutions of any window in float32: windows side by side, then as tiles (Cortex-M4F)"
# Cycles, by the timing model
RUN, EDGES = 20.0, 28.0  # of a row of a window, what is not of its columns; and where rows and columns may be missing
REFETCH = 120  # of code from flash after other code, for each wait state
LEAST_CHANNELS = 4  # of a group


@dataclass(frozen=True)
class Plan:
    """`filters` of each group, `windows` of `rows`, in which lie `columns` of `channels`. `tiles`: of positions,
    in memory at a time.
    """

    tile: FloatTile
    copied: bool
    tiles: int
    groups: int
    filters: int
    windows: int
    rows: int
    columns: int
    channels: int
    padded: bool

    @property
    def scratch_bytes(self) -> int:
        return 4 * self.tile.taps * (self.copied * self.tile.filters + self.tiles * self.tile.positions)


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if why := why_no_dsp(core):
        return why
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if layer.kernel_numbers is not None:
        return "it is for float32"
    few = layer.groups > 1 and layer.kernel.shape[-1] < LEAST_CHANNELS
    return f"groups have less than {LEAST_CHANNELS} channels" if few else None


def variants(layer: Layer, inputs: Inputs) -> tuple[Variant, ...]:
    assert isinstance(layer, Convolution)
    plan = _plan(layer, DEFAULT)
    return stripes(plan.windows, plan.tile.positions)


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, wait_states: int = 0) -> float:
    assert isinstance(layer, Convolution)
    return cycles(_plan(layer, variant), wait_states)


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    assert isinstance(layer, Convolution)
    plan = _plan(layer, variant)
    tile, copies = float_tile(plan.tile), (copy_words(),) if plan.copied else ()
    column = layer.dilation[1] * plane(layer.input_shape)[2]
    spreading = spread(plan.channels, column, plan.tile.positions)
    constants = (
        Constant("kernel", "number_t", tiles_of_filters(layer, plan.tile.filters)),
        Constant("bias", "accumulator_t", bias_of(layer)),
    )
    window = window_fields(layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding)
    fields: dict[str, Any] = {**window, **gaps(layer.dilation), "groups": layer.groups}
    fields |= {"filters": plan.tile.filters, "positions": plan.tile.positions, "copied": int(plan.copied)}
    fields |= {"stripe": plan.tiles, "spread": spreading.name, **copy_field(copies), "tile": tile.name}
    call = KernelCall("convolution_gather", ("input", "output", "scratch", "kernel", "bias"), fields)
    return LayerCode((call,), constants, plan.scratch_bytes, routines=(tile, spreading, *copies), code_bytes=CODE_BYTES)


def _plan(layer: Convolution, variant: Variant) -> Plan:
    filters, windows = layer.shape[-1] // layer.groups, math.prod(layer.shape[:-1])
    finish = FloatFinish(layer.activation)
    return best_plan(
        finish, layer.groups, filters, windows, layer.kernel.shape[1:], any(map(any, layer.padding)), variant.stripes
    )


@lru_cache(maxsize=1024)
def best_plan(
    finish: FloatFinish,
    groups: int,
    filters: int,
    windows: int,
    size: tuple[int, int, int],
    padded: bool,
    stripes: int,
) -> Plan:
    columns = size[0] * size[1]
    plans = (
        Plan(tile, copied, tiles, groups, filters, windows, size[0], columns, size[2], padded)
        for tile in _tiles(finish, groups, filters, windows, math.prod(size))
        for tiles in [-(-(windows // tile.positions) // stripes)]
        for copied in (False, True)
    )
    return min(plans, key=lambda plan: cycles(plan, TYPICAL_WAIT_STATES))


@lru_cache(maxsize=64)
def _tiles(finish: FloatFinish, groups: int, filters: int, windows: int, taps: int) -> tuple[FloatTile, ...]:
    """That registers have room for: the same for all stripes of a layer."""
    every = (
        FloatTile(f, p, unroll, taps, 4 * p, 4, 4 * p * taps, False, groups * filters, finish)
        for f, p, unroll in tile_sizes(filters, windows, taps)
    )
    return tuple(tile for tile in every if tile.fits)


def cycles(plan: Plan, wait_states: int) -> float:
    tile = plan.tile
    tiles = -(-plan.windows // tile.positions)
    calls = -(-(tiles - (plan.windows % tile.positions > 0)) // plan.tiles) + (plan.windows % tile.positions > 0)
    run = RUN + EDGES * (plan.padded and plan.rows > 1)
    gathered = tiles * tile.positions * (run * plan.rows + plan.columns * column_cycles(plan.channels))
    flash = 0.0 if plan.copied else tap_stalls(tile, wait_states)
    inner = tiles * (tile_cycles(tile, wait_states) + row_cycles(tile, flash)) + calls * CALL
    if plan.copied:
        inner += calls * (COPY + tile.taps * tile.filters * (COPIED_WORD + MISS * wait_states))
    gathered += calls * REFETCH * wait_states
    return plan.groups * (gathered + -(-plan.filters // tile.filters) * inner)
