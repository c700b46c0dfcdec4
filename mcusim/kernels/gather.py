"""Convolution in float32 by tiles whose windows are gathered first: for gaps, groups and any padding."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from mcusim.graph import Layer
from mcusim.kernels.assembly import Assembly, add_constant, at, imm, several
from mcusim.kernels.calls import bias_of, gaps, window_fields
from mcusim.kernels.expand import copy_cycles, copy_words
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.tiles import CODE_BYTES, copy_field, tiles_of_filters
from mcusim.kernels.tiles.plan import tile_sizes
from mcusim.kernels.tiles.price import Tiles, call_crowding, tiles_cycles
from mcusim.kernels.tiles.tile import FloatTile, float_tile
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane
from mcusim.program import Constant, KernelCall, LayerCode, Routine

NAME = "gather"
SUMMARY = "convolutions of any window in float32: windows side by side, then as tiles (Cortex-M4F)"
NEEDS_DSP = True
LOADS = 0.15  # of its cycles, from RAM
# Cycles of the C, by the timing model
CALL, GATHERING = 19.9, -20.4  # of a tile, less for the first one of those that read the same windows
WINDOW, PLANE, OF_STRIPES = 17.6, -4.2, 6.1  # of each, where it has rows and columns, where tiles vary
EDGES, OF_STRIPES_EDGES, CUT = 13.2, 14.2, -8.1  # more where numbers may be missing, likewise; and where some are
ROW, EDGE_ROWS, EDGE_ROW = 14.5, 26.0, 10.9  # of a row of a window that has several; where columns may be missing
ZERO, ZERO_ALONE = 5.4, 3.0  # of each, and where tiles have one position
GATHER_BYTES = 300  # of code that brings windows
LEAST_CHANNELS = 4  # of a group
# Of the routine that lays columns apart
AT_A_TIME = 4  # words
SAVED = ("r4", "r5", "r6")
CALL_CYCLES = 12  # what is not of a column


class Windows(NamedTuple):
    """Of a group, all positions together: `runs` of columns, a row of a window each; `cut` windows have zeros."""

    number: int
    runs: int
    columns: int
    zeros: int  # numbers
    cut: int
    several_rows: bool
    padded: bool
    padded_columns: bool
    is_plane: bool  # positions lie in rows and columns
    apart: bool  # do columns lie further apart than their channels?


@dataclass(frozen=True)
class Plan:
    """`filters` of each group. `tiles`: of positions, whose windows are in memory at a time."""

    tile: FloatTile
    copied: bool
    tiles: int
    groups: int
    filters: int
    windows: Windows
    channels: int

    @property
    def scratch_bytes(self) -> int:
        return 4 * self.tile.taps * (self.copied * self.tile.filters + self.tiles * self.tile.positions)


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if layer.kernel_numbers is not None:
        return "it is for float32"
    few = layer.groups > 1 and layer.kernel.shape[-1] < LEAST_CHANNELS
    return f"groups have less than {LEAST_CHANNELS} channels" if few else None


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    plan = _plan(layer, DEFAULT)
    return stripes(plan.windows.number, plan.tile.positions)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    return cycles(_plan(layer, variant), memory)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
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
    filters, finish = layer.shape[-1] // layer.groups, FloatFinish(layer.activation)
    return best_plan(finish, layer.groups, filters, windows_of(layer), layer.kernel.shape[1:], variant.stripes)


def windows_of(layer: Convolution) -> Windows:
    (height, width, all_channels), (rows, columns, _) = plane(layer.input_shape), plane(layer.shape)
    (window_height, window_width, channels), padding = layer.kernel.shape[1:], layer.padding
    seen_rows = _seen(rows, layer.strides[0], padding[0][0], window_height, layer.dilation[0], height)
    seen_columns = _seen(columns, layer.strides[1], padding[1][0], window_width, layer.dilation[1], width)
    taken = sum(seen_rows) * sum(seen_columns)
    whole = seen_rows.count(window_height) * seen_columns.count(window_width)
    return Windows(
        rows * columns,
        sum(seen_rows) * sum(map(bool, seen_columns)),
        taken,
        (rows * columns * window_height * window_width - taken) * channels,
        rows * columns - whole,
        window_height > 1,
        any(map(any, padding)),
        any(padding[1]),
        rows > 1 and columns > 1,
        layer.dilation[1] * all_channels > channels,
    )


def _seen(outputs: int, stride: int, before: int, size: int, dilation: int, inputs: int) -> list[int]:
    """Of each output along an axis: how many taps of its window lie in the input."""
    starts = [output * stride - before for output in range(outputs)]
    return [sum(0 <= start + tap * dilation < inputs for tap in range(size)) for start in starts]


@lru_cache(maxsize=1024)
def best_plan(
    finish: FloatFinish, groups: int, filters: int, windows: Windows, size: tuple[int, int, int], stripes: int
) -> Plan:
    plans = (
        Plan(tile, copied, tiles, groups, filters, windows, size[2])
        for tile in _tiles(finish, groups, filters, windows.number, math.prod(size))
        for tiles in [-(-(windows.number // tile.positions) // stripes)]
        for copied in (False, True)
    )
    return min(plans, key=lambda plan: cycles(plan, USUAL, about=True))


@lru_cache(maxsize=64)
def _tiles(finish: FloatFinish, groups: int, filters: int, windows: int, taps: int) -> tuple[FloatTile, ...]:
    """That registers have room for: the same for all stripes of a layer."""
    every = (
        FloatTile(f, p, unroll, taps, 4 * p, 4, 4 * p * taps, False, groups * filters, finish)
        for f, p, unroll in tile_sizes(filters, windows, taps)
    )
    return tuple(tile for tile in every if tile.fits)


def cycles(plan: Plan, memory: Memory, *, about: bool = False) -> float:
    tile, count = plan.tile, plan.windows.number
    rest = count % tile.positions > 0
    tiles, stripes = count // tile.positions + rest, -(-(count // tile.positions) // plan.tiles) + rest
    times = plan.groups * -(-plan.filters // tile.filters)
    done = Tiles(times * stripes, times * tiles, times * tiles, times)
    total = tiles_cycles(tile, done, memory, in_flash=not plan.copied, about=about) + done.calls * CALL
    if plan.copied:
        total += done.calls * copy_cycles(tile.taps * tile.filters, memory)
    gathered = _gathered(plan, striped=plan.tiles < count // tile.positions)
    total += plan.groups * (tiles * tile.positions / count * gathered + stripes * GATHERING)
    again = call_crowding(tile, memory, GATHER_BYTES)
    anew = again * memory.fetched(tile.code_bytes + GATHER_BYTES)
    anew -= again * call_crowding(tile, memory) * memory.fetched(tile.code_bytes)  # counted as a call
    return total + memory.fetched(GATHER_BYTES) + (plan.groups * stripes - 1) * anew


def _gathered(plan: Plan, *, striped: bool) -> float:
    """Cycles until all windows of a group lie side by side."""
    w = plan.windows
    each = WINDOW + PLANE * w.is_plane + OF_STRIPES * striped
    if w.padded:
        each += EDGES + OF_STRIPES_EDGES * striped + EDGE_ROWS * (w.several_rows and w.padded_columns)
    runs = CALL_CYCLES + (ROW + EDGE_ROW * w.padded_columns) * w.several_rows
    zeros = w.zeros * (ZERO if plan.tile.positions > 1 else ZERO_ALONE)
    return (
        w.number * each + w.runs * runs + w.columns * column_cycles(plan.channels, apart=w.apart) + w.cut * CUT + zeros
    )


def spread(channels: int, column: int, step: int) -> Routine:
    """Of each column `channels` words; the next one lies `column` words behind. Each goes `step` words further."""
    name = f"nn_spread_{channels}_{column}_{step}"
    a = Assembly(
        name,
        [
            f"{name}: columns of {channels} words, {column} words apart, go where words lie {step} words apart.",
            "",
            "to, from, number of columns (at least 1)",
        ],
    )
    a.register("to", "r0")
    a.register("from", "r1")
    a.register("columns", "r2", "left")
    a.register("fours", "r3", "left of a column")
    words = ("r4", "r5", "r6", "r12")
    fours, rest = divmod(channels, AT_A_TIME)
    a("push", several([*SAVED, "lr"]))
    with a.counted("column", "A column", "columns"):
        if fours:
            with a.counted("four", f"{AT_A_TIME} words", "fours", fours):
                _some(a, words, step)
        if rest:
            a.block("The rest of the column")
            _some(a, words[:rest], step)
        add_constant(a, "from", 4 * (column - channels), "fours")
    a("pop", several([*SAVED, "pc"]))
    twin = KernelCall("spread", ("to", "from", "columns"), {"channels": channels, "column": column, "step": step})
    return a.routine("float *to, const float *from, int columns", twin)


def _some(a: Assembly, words: tuple[str, ...], step: int) -> None:
    for index, word in enumerate(words):
        a("ldr", word, at("from", 4 * index))
    a("add", "from", "from", imm(4 * len(words)))
    for index, word in enumerate(words):
        a("str", word, at("to", 4 * step * index))
    a("add", "to", "to", imm(4 * step * len(words)))


def column_cycles(channels: int, *, apart: bool) -> int:
    """`apart`: from a column to the next there are more words than these."""
    fours, rest = divmod(channels, AT_A_TIME)
    loop = fours * (2 * AT_A_TIME + 3) + (3 * fours if fours > 1 else 0)
    return loop + (2 * rest + 3 if rest else 0) + apart + 3
