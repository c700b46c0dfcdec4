"""Convolution in float32 by Winograd's F(4,3): half of the products, but other bits than plain C's. Where named."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import bias_of, window_fields
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.tiles.edges import Window
from mcusim.kernels.tiles.plan import rows_between, rows_seen, tile_sizes
from mcusim.kernels.tiles.price import Tiles, tiles_cycles
from mcusim.kernels.tiles.tile import FloatTile, float_tile
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.numbers.numbers import LINEAR, Activation
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

NAME = "points"
SUMMARY = "convolutions 3 wide in float32 by Winograd's F(4,3): half of the products, other bits; only where named"
LOADS = 0.1  # of its cycles, from RAM
OPT_IN = NEEDS_DSP = AND_ANYWHERE = True
CODE_BYTES = 1500  # of the C around the tile, about
POINTS, OUTPUTS = 6, 4
# Cycles of the C, by the timing model. The compiler knows all sizes: a loop of one turn is none, a column that is ever
# the same is not compared with the edges, and what lies further apart than loads and stores reach takes more.
PART, TURN, CALL = 17.0, 111.0, 6.8  # of rows and groups at a time, of a tile of filters there, of a call
COMPUTED, FLASH_WEIGHT, FAR_WEIGHT = 33.7, 1.5, 0.8  # of a weight at all points, from flash, for each point far away
GROUP, ONE_CHANNEL = 28.0, -25.0  # of six numbers in a row, for all channels
INSIDE, FAR, OF_STRIPES = 37.8, 1.7, 4.7  # of a group at a channel, for each point far away, or as they vary
EDGE, THERE, ONE_GROUP = 39.5, 3.0, -13.5  # likewise at an edge, of each number there, where there is one group
FROM_GROUP, LOOP, SEVERAL_ROWS, ONE_FILTER = -24.0, 38.0, 36.0, -12.6  # of four outputs
FILTER, OUTPUT, RELU, CEILING = 19.1, 3.9, 4.5, 4.5  # of these at a filter, of each output
REACH = 1020  # bytes of a load or store of the FPU
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


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if layer.kernel_numbers is not None:
        return "it is for float32"
    if layer.groups > 1 or layer.dilation != NO_DILATION or layer.strides != (1, 1) or layer.kernel.shape[2] != 3:
        return "it is for windows 3 wide, with strides of 1, without groups and dilation"
    return None if _window(layer).sees_every_row else "windows lie wholly in the padding"


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    plan = _plan(layer, DEFAULT)
    several = stripes(plan.window.output[0], 1) if plan.rows > 1 else stripes(plan.groups, plan.tile.positions)
    return tuple(variant._replace(compact=compact) for variant in several for compact in (False, True))


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    return cycles(_plan(layer, variant), memory)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
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
    return min(plans, key=lambda plan: cycles(plan, USUAL, about=True))


def cycles(plan: Plan, memory: Memory, *, about: bool = False) -> float:
    window, tile = plan.window, plan.tile
    parts, filter_tiles = math.ceil(plan.groups / plan.width), math.ceil(window.output[2] / tile.filters)
    rest = plan.width % tile.positions > 0
    runs, whole = parts * filter_tiles * POINTS, plan.width // tile.positions
    rows, tiles = runs * window.output[0], runs * (whole + rest)
    calls, height = rows * ((whole > 0) + rest), window.size[0]
    of_weights = filter_tiles * POINTS * height
    done = Tiles(calls, tiles * window.output[0], tiles * rows_seen(window), of_weights, height)
    inner = tiles_cycles(tile, done, memory, in_flash=not plan.computed, about=about)
    turns = parts * filter_tiles * len(plan.stripes)
    if plan.computed:
        each = COMPUTED + FLASH_WEIGHT * memory.miss + FAR_WEIGHT * _far(plan.weights)
        inner += turns * plan.weights * each
    inner += len(plan.stripes) * parts * PART + turns * TURN + done.calls * CALL
    return inner + _to_points(plan) + filter_tiles * _from_points(plan)


def _far(numbers: int) -> int:
    """How many points lie out of reach from the first one, so many numbers from each to the next."""
    return sum(4 * point * numbers > REACH for point in range(1, POINTS))


def _firsts(plan: Plan) -> list[int]:
    """Of each group: its first output of a row. The last part of them may have some again."""
    starts = (min(start, plan.groups - plan.width) for start in range(0, plan.groups, plan.width))
    return [OUTPUTS * (start + group) for start in starts for group in range(plan.width)]


def _to_points(plan: Plan) -> float:
    """Cycles of what becomes points."""
    _, width, channels = plan.window.input
    firsts = [first - plan.window.padding[1][0] for first in _firsts(plan)]
    edges = [first for first in firsts if first < 0 or first + POINTS > width]
    there = sum(max(0, min(first + POINTS, width) - max(first, 0)) for first in edges)
    rows = [rows_between(plan.window, *stripe) for stripe in plan.stripes]
    inside = INSIDE + (FAR * _far(rows[0] * plan.width * channels) if len(rows) == 1 else OF_STRIPES)
    numbers = (len(firsts) - len(edges)) * inside + there * THERE
    numbers += len(edges) * (EDGE + ONE_GROUP * (len(firsts) == 1))
    return sum(rows) * (len(firsts) * (GROUP + ONE_CHANNEL * (channels == 1)) + channels * numbers)


def _from_points(plan: Plan) -> float:
    """Of what points become, for a tile of filters."""
    rows, columns, _ = plan.window.output
    firsts, activation = _firsts(plan), plan.activation
    outputs = sum(min(OUTPUTS, columns - first) for first in firsts)
    each = OUTPUT + activation.relu * RELU + (activation.ceiling is not None) * CEILING
    group = FROM_GROUP + LOOP * (rows > 1 or plan.width > 1) + SEVERAL_ROWS * (rows > 1)
    group += plan.tile.filters * FILTER + ONE_FILTER * (plan.tile.filters == 1)
    return rows * (len(firsts) * group + plan.tile.filters * outputs * each)
