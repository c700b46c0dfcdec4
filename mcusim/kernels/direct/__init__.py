"""Direct convolution: windows are read where they lie, and each number that was loaded serves several taps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import reading, weight_type
from mcusim.kernels.direct.plan import Geometry, Plan, Region
from mcusim.kernels.direct.price import AROUND_BYTES, cheapest, cycles
from mcusim.kernels.direct.schedule import Timed, timed_tile
from mcusim.kernels.direct.tile import MOST_FILTERS
from mcusim.kernels.expand import expand_bytes, into_ram
from mcusim.kernels.finish import Ending, FactorFinish, Finish, ending_of, known_ending, less_zero
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.kernels.straight import StraightFinish, ending_in, records_of
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode, Routine, Turns
from mcusim.system.arrays import Array

NAME = "direct"
SUMMARY = (
    "convolutions in int8 and int16, windows up to 7 wide: every column is loaded once for several taps (Cortex-M4)"
)
ANY_STORAGE = AFFINE = NARROW_WEIGHTS = NEEDS_DSP = True
MOST_TAPS, MOST_STRIDE = 7, 2
MOST_FOLDED = 4  # channels, with which rows of a window may lie side by side
LOAD_CYCLES = 4  # of a filter's factor
CODE_BYTES = 700  # of the C around the tiles, about


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    finish = ending_in(layer, inputs[0])
    if finish is None:
        return "it is for integers that end with a shift, or with a factor that is rounded twice"
    if isinstance(finish, Finish) and _is_long(layer) and not _shortens(layer, finish.shift):
        return "its sums have more than 32 bits even after their shift"
    if layer.kernel.shape[2] > MOST_TAPS or max(layer.strides) > MOST_STRIDE or layer.dilation != NO_DILATION:
        return f"it is for windows up to {MOST_TAPS} wide, without gaps, and strides up to {MOST_STRIDE}"
    geometry = _geometry(layer, finish)
    if any(first >= end for first, end in map(geometry.window_rows, range(geometry.rows))):
        return "a window lies in the padding alone"
    if cheapest(geometry) is None:
        return "its columns or weights lie too far apart"
    return None


def _shortens(layer: Convolution, shift: int) -> bool:
    """Do 32 bits hold what a shift leaves?"""
    return 0 < shift < 32 and layer.peak_sum >> shift <= ACCUMULATOR_LIMIT


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    plan = _plan(layer, inputs, DEFAULT)
    geometry, tiles = plan.geometry, plan.tiling
    length, unit = (geometry.rows, 1) if geometry.rows > 1 else (geometry.columns, tiles.tile.window.positions)
    counts = (DEFAULT,) if geometry.in_place else stripes(length, unit)
    kinds = (False, True) if isinstance(ending_of(layer), Finish) and not _is_long(layer) else (False,)
    return tuple(variant._replace(compact=compact) for variant in counts for compact in kinds)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    plan = _plan(layer, inputs, variant)
    return cycles(plan, memory, _routines(layer, inputs, plan, variant))


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    finish = known_ending(ending_in(layer, inputs[0]))
    plan = _plan(layer, inputs, variant)
    tile = plan.tiling.tile
    bytes_ = layer.weight_bytes
    routines = [timed.routine for timed in _routines(layer, inputs, plan, variant)]
    make = into_ram(bytes_, doubled=finish.doubled).routine
    expand = expand_bytes(unsigned=bool(reading(inputs[0])), zero=layer.zero) if plan.geometry.by_fours else make
    kernel = _kernel(layer, plan)
    odd = bytes_ == 1 and tile.row_of_weights // 4 * _merged(plan) % 2
    weights_bytes = (plan.geometry.window[0] - 1) * tile.weights_pitch + tile.row_of_weights + (4 if odd else 0)
    fields: dict[str, Any] = {"input_width": plan.geometry.width, "input_channels": plan.geometry.all_channels}
    fields |= {"output_channels": layer.shape[-1], "groups": layer.groups, "together": tile.window.filters}
    fields |= {"column_bytes": plan.geometry.column_bytes, **reading(inputs[0]), "output_bytes": finish.store_bytes}
    fields |= {"parts": len(plan.parts), "pieces": kernel.shape[2], "piece_words": kernel.shape[3] * bytes_ // 4}
    fields |= {"piece_pitch": tile.weights_pitch, "piece_numbers": kernel.shape[3], "moved_bytes": tile.moved}
    fields |= {"end_bytes": tile.end_bytes, "weights_bytes": weights_bytes, "expand": expand.name, "make": make.name}
    fields |= {"input_zero": layer.zero} if layer.zero else {}
    if plan.geometry.fold:
        rows, stride, _, height = plan.geometry.fold
        fields |= {"fold": rows, "input_height": height, "stride_height": stride}
    fields |= {"tile": routines[0].name, "small_tile": routines[-1].name}
    shift = finish.shift if isinstance(finish, Finish) else 0
    arrays = {
        "parts": [(len(regions), len(blocks)) for regions, blocks in plan.parts],
        "regions": [region for regions, _ in plan.parts for region in regions] or [Region(*(0,) * 7)],
        "blocks": [block._replace(shift=shift) for _, blocks in plan.parts for block in blocks],
    }
    constants = (
        Constant("kernel", weight_type(layer), kernel, layer.kernel_numbers),
        Constant("bias", "accumulator_t", records_of(less_zero(layer), finish)),
        *(Constant(role, "int32_t", np.array(values, np.int32)) for role, values in arrays.items()),
    )
    arguments = ("input", "output", "scratch", "kernel", "bias", *arrays)
    call = KernelCall("convolution_direct", arguments, fields)
    scratch = tile.end_bytes - 4 + weights_bytes + plan.columns_bytes
    used = tuple({routine.name: routine for routine in (*routines, make, expand)}.values())
    turns = Turns(plan.turns, {make.name: kernel.shape[2], **_calls(plan, routines)}, AROUND_BYTES)
    return LayerCode((call,), constants, scratch, routines=used, code_bytes=CODE_BYTES, turns=(turns,))


def _calls(plan: Plan, routines: Sequence[Routine]) -> Mapping[str, float]:
    """Of each tile, in the turn of some filters."""
    called = [routines[-1 if block.tile else 0].name for _, blocks in plan.parts for block in blocks]
    return {name: times / len(plan.parts) for name, times in Counter(called).items()}


def _routines(layer: Convolution, inputs: Inputs, plan: Plan, variant: Variant) -> list[Timed]:
    """Of the tile, and of the small one."""
    finish = known_ending(ending_in(layer, inputs[0]))
    compact = variant.compact and not _is_long(layer)
    tiles = [each for each in (plan.tiling.tile, plan.tiling.small) if each]
    return [timed_tile(each, finish, rows=plan.has_rows(n), compact=compact) for n, each in enumerate(tiles)]


def _is_long(layer: Convolution) -> bool:
    """Do its sums take 64 bits? `peak_sum` bounds each of them, the bias included."""
    return layer.peak_sum > ACCUMULATOR_LIMIT


def _geometry(layer: Convolution, finish: Ending, *, compact: bool = False) -> Geometry:
    height, width, all_channels = plane(layer.input_shape)
    rows, columns, outputs = plane(layer.shape)
    bytes_, channels = layer.number_bytes, all_channels // layer.groups
    return Geometry(
        height,
        width,
        all_channels,
        len(_lanes(channels, bytes_)),
        rows,
        columns,
        outputs,
        outputs // layer.groups,
        (layer.kernel.shape[1], layer.kernel.shape[2]),
        layer.strides,
        layer.padding[0][0],
        layer.padding[1][0],
        bytes_ == 2 and channels % 2 == 0 and all_channels % 2 == 0,
        bytes_,
        layer.weight_bytes,
        finish.store_bytes,
        layer.groups,
        2 if _is_long(layer) else 1,
        _end_cycles(layer, finish, compact),
        finish.code_bytes if isinstance(finish, FactorFinish) else 0,
        finish.record_words,
        finish.doubled,
        layer.zero,
    )


def _end_cycles(layer: Convolution, finish: Ending, compact: bool) -> tuple[int, int]:
    """Of the end of a sum: saturation, store, the next one's bias; and of all else at the end of a tile."""
    if isinstance(finish, FactorFinish):
        filters = min(MOST_FILTERS, layer.shape[-1] // layer.groups)
        loads = len(finish.factor) * filters + 1 if isinstance(finish, StraightFinish) else LOAD_CYCLES * filters
        return 2 + finish.cycles, loads
    limit = 0 if finish.ceiling is None else 1 if finish.raised and not compact and not _is_long(layer) else 2
    if _is_long(layer):
        return 6 + limit, 1 + bool(limit)
    return 3 + limit + compact, bool(limit) + 2 * compact


def _plan(layer: Convolution, inputs: Inputs, variant: Variant) -> Plan:
    """The cheaper of what lies as the input does, and of all rows of the window side by side."""
    finish = known_ending(ending_in(layer, inputs[0]))
    geometry = _geometry(layer, finish, compact=variant.compact)
    channels = geometry.all_channels // geometry.groups
    ways = [geometry]
    if geometry.window[0] > 1 and channels <= MOST_FOLDED:
        ways.append(geometry.folded(channels))
    found = [one for way in ways if (one := cheapest(way, variant.stripes, single=variant.compact))]
    return min(found, key=lambda one: one.cycles).plan


def _lanes(channels: int, bytes_: int) -> Array:
    """(words, 2): which channels share a word; `channels` itself is a zero. Of bytes by fours 0 and 2, 1 and 3 do."""
    fours = channels // 4 * 4 if bytes_ == 1 else 0
    first = np.arange(fours).reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1, 2)
    return np.concatenate([first, np.arange(fours, channels + channels % 2).reshape(-1, 2)])


def _merged(plan: Plan) -> int:
    """Rows of the window whose weights lie side by side in scratch, so that they are made ready at once."""
    tile = plan.tiling.tile
    return plan.geometry.window[0] if tile.weights_pitch == tile.row_of_weights else 1


def _kernel(layer: Convolution, plan: Plan) -> Array:
    """(groups, turns of filters, pieces, numbers): as `make` wants them."""
    rows, taps, channels = layer.kernel.shape[1:]
    taps_first = layer.kernel
    fours = True
    if plan.geometry.fold:
        taps_first, fours = taps_first.swapaxes(1, 2), False
        rows, channels = 1, rows * channels
    filters, together = layer.shape[-1] // layer.groups, plan.tiling.tile.window.filters
    own = taps_first.reshape(layer.groups, filters, rows, taps, channels)
    lanes = np.pad(own, ((0, 0),) * 4 + ((0, 1),))[..., _lanes(channels, layer.number_bytes if fours else 2)]
    chosen = [
        min(first, filters - together) + index for first in range(0, filters, together) for index in range(together)
    ]
    sets = lanes[:, chosen].reshape(layer.groups, -1, together, *lanes.shape[2:]).swapaxes(2, 3)
    pieces = sets.reshape(*sets.shape[:2], rows // _merged(plan), -1, 2)
    if layer.weight_bytes == 1:  # two words come from four bytes: numbers 0 and 2, then 1 and 3
        pieces = np.pad(pieces, ((0, 0),) * 3 + ((0, pieces.shape[3] % 2), (0, 0)))
        pieces = pieces.reshape(*pieces.shape[:3], -1, 2, 2).swapaxes(4, 5)
    return np.ascontiguousarray(pieces.reshape(*sets.shape[:2], rows // _merged(plan), -1))
