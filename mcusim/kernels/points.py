"""Convolution in float32 by Winograd's F(4,3): half of the products, but other bits than plain C's. Where named."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import bias_of, window_fields
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes, why_no_dsp
from mcusim.kernels.tiles import TYPICAL_WAIT_STATES
from mcusim.kernels.tiles.edges import Window
from mcusim.kernels.tiles.plan import (
    CALL,
    MISS,
    row_cycles,
    rows_between,
    rows_seen,
    tap_stalls,
    tile_cycles,
    tile_sizes,
)
from mcusim.kernels.tiles.tile import FloatTile, float_tile
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.numbers.numbers import LINEAR, Activation
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

NAME = "points"
SUMMARY = "convolutions 3 wide in float32 by Winograd's F(4,3): half of the products, other bits; only where named"
OPT_IN = True
CODE_BYTES = 1500  # of the C around the tile, about
POINTS, OUTPUTS = 6, 4
COMPUTED, FLASH_ROW = 42.0, 6.0  # cycles of a weight at all points; of a row of weights in flash, once more
# Cycles: of a number of the input, more at an edge, and of a group; of four outputs, of their limits, and of a group
TO_POINTS, AT_EDGE, TO_GROUP = 44.0, 20.0, 62.0
FROM_POINTS, RELU, CEILING, FROM_GROUP = 17.0, 36.0, 11.0, 38.0
# Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks": points 0, 1, -1, 2, -2 and infinity
_FILTER = np.array(
    [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6]]
    + [[1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]
)
_INPUT = np.array([[4, 5, 1], [4, 4, 1, 1], [4, 4, 1, 1], [2, 1, 2, 1], [2, 1, 2, 1], [4, 5, 1]], dtype=object)
_OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, 1, 2, 2, 0], [0, 1, 1, 4, 4, 0], [0, 1, 1, 8, 8, 1]])
_ROUNDING = 2.0**-24


@dataclass(frozen=True)
class Plan:
    """`groups` of four outputs in a row. `rows`, `width`: of outputs and groups, in memory at a time.
    `computed`: the weights at the points are, which takes half of the flash.
    """

    window: Window
    activation: Activation
    tile: FloatTile
    computed: bool
    groups: int
    rows: int
    width: int

    @property
    def weights(self) -> int:
        """Of a tile at a point."""
        return self.window.size[0] * self.tile.taps * self.tile.filters

    @property
    def stripes(self) -> tuple[tuple[int, int], ...]:
        """Rows of outputs, first and end."""
        rows = self.window.output[0]
        return tuple((start, min(start + self.rows, rows)) for start in range(0, rows, self.rows))

    @property
    def scratch_bytes(self) -> int:
        numbers = max(rows_between(self.window, *stripe) for stripe in self.stripes) * self.window.input[2]
        sums = self.rows * self.tile.filters
        weights = self.tile.filters + self.computed * POINTS * self.weights
        return 4 * (weights + POINTS * self.width * (numbers + sums))


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if core is not None and (why := why_no_dsp(core)):
        return why
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if layer.kernel_numbers is not None:
        return "it is for float32"
    if layer.groups > 1 or layer.dilation != NO_DILATION or layer.strides != (1, 1) or layer.kernel.shape[2] != 3:
        return "it is for windows 3 wide, with strides of 1, without groups and dilation"
    return None if _window(layer).sees_every_row else "windows lie wholly in the padding"


def variants(layer: Layer, inputs: Inputs) -> tuple[Variant, ...]:
    assert isinstance(layer, Convolution)
    plan = _plan(layer, DEFAULT)
    several = stripes(plan.window.output[0], 1) if plan.rows > 1 else stripes(plan.groups, plan.tile.positions)
    return tuple(variant._replace(compact=compact) for variant in several for compact in (False, True))


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, wait_states: int = 0) -> float:
    assert isinstance(layer, Convolution)
    return cycles(_plan(layer, variant), wait_states)


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    assert isinstance(layer, Convolution)
    plan = _plan(layer, variant)
    tile = float_tile(plan.tile)
    constants = (
        Constant("kernel", "number_t", _weights(layer, plan)),
        Constant("bias", "accumulator_t", bias_of(layer)),
    )
    window = plan.window
    fields = window_fields(window.input, window.output, window.size, window.strides, window.padding)
    del fields["stride_height"], fields["stride_width"]  # they are 1
    fields |= {"filters": plan.tile.filters, "positions": plan.tile.positions, "computed": int(plan.computed)}
    fields |= {"stripe": plan.rows, "stripe_width": plan.width, "tile": tile.name}
    call = KernelCall(
        "convolution_points",
        ("input", "output", "scratch", "kernel", "bias"),
        {**fields, **layer.activation.fields(None)},
    )
    return LayerCode((call,), constants, plan.scratch_bytes, routines=(tile,), code_bytes=CODE_BYTES)


def largest_error(layer: Convolution, largest: float) -> float:
    """How far an output may be from the exact sum, for inputs up to `largest`: a bound from the rounding of each step.

    Every sum of n terms, each of m products, is off by n + m roundings of the sum of their magnitudes, at most.
    """
    taps = int(np.prod(layer.kernel.shape[1:2])) * layer.kernel.shape[3]
    values = np.abs(layer.kernel.astype(np.float64)) @ np.eye(layer.kernel.shape[3])
    points = np.einsum("pk,frkc->pf", np.abs(_FILTER), values)
    inputs = np.array([float(sum(row)) for row in _INPUT]) * largest
    magnitudes = points * inputs[:, None]
    magnitudes[1] += np.abs(layer.bias.astype(np.float64))
    return float((_OUTPUT @ magnitudes).max() * _ROUNDING * 1.01 * (taps + 20))


def _weights(layer: Convolution, plan: Plan) -> Array:
    """[tiles][points][rows][channels][filters of a tile], or [tiles][rows][columns][channels][filters] to be computed.

    The last tile may have some filters of the one before.
    """
    points = np.einsum("pk,frkc->fprc", _FILTER, layer.kernel.astype(np.float64)).astype(np.float32)
    values, several = layer.kernel if plan.computed else points, plan.tile.filters
    starts = [min(first, len(values) - several) for first in range(0, len(values), several)]
    return np.ascontiguousarray([np.moveaxis(values[start : start + several], 0, -1) for start in starts])


def _window(layer: Convolution) -> Window:
    return Window(plane(layer.input_shape), plane(layer.shape), layer.kernel.shape[1:3], layer.strides, layer.padding)


def _plan(layer: Convolution, variant: Variant) -> Plan:
    return best_plan(_window(layer), layer.activation, variant.stripes, variant.compact)


@lru_cache(maxsize=1024)
def best_plan(window: Window, activation: Activation, stripes: int, computed: bool) -> Plan:
    """Stripes are of rows where there are several, else of groups."""
    groups, rows, channels = -(-window.output[1] // OUTPUTS), window.output[0], window.input[2]
    if stripes > 1:
        whole = best_plan(window, activation, 1, computed)
        width = groups if rows > 1 else max(whole.tile.positions, -(-groups // stripes))
        return replace(whole, rows=-(-rows // stripes), width=width)
    several, finish = window.size[0] > 1, FloatFinish(LINEAR)
    plans = []
    for f, p, unroll in tile_sizes(window.output[2], groups, channels):
        tile = FloatTile(f, p, unroll, channels, 4, 4 * channels, 4 * channels * p, several, f, finish)
        plans += [Plan(window, activation, tile, computed, groups, rows, groups)] if tile.fits else []
    return min(plans, key=lambda plan: cycles(plan, TYPICAL_WAIT_STATES))


def cycles(plan: Plan, wait_states: int) -> float:
    window, tile = plan.window, plan.tile
    parts, filter_tiles = math.ceil(plan.groups / plan.width), math.ceil(window.output[2] / tile.filters)
    rest = plan.width % tile.positions > 0
    runs = parts * filter_tiles * POINTS
    tiles = plan.width // tile.positions + rest
    flash = 0.0 if plan.computed else tap_stalls(tile, wait_states) + FLASH_ROW * (window.size[0] > 1) / tile.taps
    inner = (
        runs * tiles * (window.output[0] * tile_cycles(tile, wait_states) + rows_seen(window) * row_cycles(tile, flash))
    )
    inner += runs * window.output[0] * (1 + rest) * CALL
    if plan.computed:
        inner += parts * filter_tiles * len(plan.stripes) * plan.weights * (COMPUTED + 3 * MISS * wait_states)
    return inner + _transforms(plan, parts, filter_tiles)


def _transforms(plan: Plan, parts: int, filter_tiles: int) -> float:
    """Cycles of what becomes points, and of what they become."""
    window, channels = plan.window, plan.window.input[2]
    rows = sum(rows_between(window, *stripe) for stripe in plan.stripes)
    edges = 2 if any(map(any, window.padding)) else int(window.output[1] % OUTPUTS > 0)
    groups = rows * parts * plan.width
    there = groups * (TO_GROUP + channels * TO_POINTS) + rows * edges * channels * AT_EDGE
    relu, ceiling = plan.activation.relu, plan.activation.ceiling is not None
    outputs = plan.tile.filters * (FROM_POINTS + relu * RELU + ceiling * CEILING) + FROM_GROUP
    return there + window.output[0] * parts * plan.width * filter_tiles * outputs
