"""Convolutions with windows of 3 x 3 by exact two-dimensional Winograd: a quarter of the products, the same bits."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.assembly import LONGEST_OFFSET
from mcusim.kernels.calls import reading, weight_type, window_fields
from mcusim.kernels.finish import MOST_SHIFT, Ending, Finish, ending_of, known_ending
from mcusim.kernels.kernel import DEFAULT, STRIPES, Inputs, Variant, known
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.kernels.squares.inputs import timed_inputs
from mcusim.kernels.squares.plan import AROUND_BYTES, Plan, Routines, cycles, plan_of
from mcusim.kernels.squares.points import LEFT_BITS, OUTPUTS, POINTS, SQUARE, flat
from mcusim.kernels.squares.tile import timed_tile
from mcusim.kernels.squares.weights import timed_weights
from mcusim.kernels.straight import StraightFinish, added, ending_in, records_of
from mcusim.kernels.winograd.points import WINDOW, why_not
from mcusim.kernels.winograd.tile import Layout
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.numbers.integers import unless_zero
from mcusim.program import Constant, KernelCall, LayerCode, Turns

NAME = "squares"
SUMMARY = "convolutions of 3 x 3 in int8: exact Winograd F(4 x 4, 3 x 3), a quarter of the products (Cortex-M4)"
ANY_STORAGE = AFFINE = NEEDS_DSP = True
CODE_BYTES = 700  # of the C around, about


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    windows = layer.kernel.shape[1:3] == (WINDOW, WINDOW) and layer.strides == (1, 1)
    if not windows or layer.dilation != NO_DILATION or layer.groups > 1:
        return "it is for windows of 3 x 3, stride 1, without dilation or groups"
    finish = _ending(layer, inputs)
    if finish is None or inputs[0].numbers is None or layer.number_bytes != 1 or inputs[0].dtype.itemsize != 1:
        return "it is for integers of 8 bits"
    height, width, filters = plane(layer.shape)
    if min(height, width) < OUTPUTS or filters < 2:
        return f"it takes {OUTPUTS} rows of {OUTPUTS} positions, and two filters, at a time"
    return _why_no_room(layer, inputs) or _why_too_large(layer, finish)


def _why_no_room(layer: Convolution, inputs: Inputs) -> str | None:
    numbers = known(inputs[0].numbers)
    return why_not(SQUARE, numbers.minimum, numbers.maximum, flat(layer.kernel), layer.bias)


@lru_cache(maxsize=64)
def _ending(layer: Convolution, inputs: Inputs) -> Ending | None:
    """On lines, unless what they add to sums takes room that is not there."""
    found = ending_in(layer, inputs[0], doubled=False)
    if not isinstance(found, StraightFinish):
        return found
    moved = replace(layer, bias=layer.bias + added(found))
    return found if _why_no_room(moved, inputs) is None else ending_of(layer)


def _why_too_large(layer: Convolution, finish: Ending) -> str | None:
    plan = plan_of(layer, 1, in_flash=False)
    layout = _layout(layer, plan, finish)
    if max(2 * plan.point_bytes, (3 * layer.shape[-1] + 1) * finish.store_bytes) > LONGEST_OFFSET - 256:
        return "its channels or filters lie too far apart"
    if isinstance(finish, Finish) and finish.shift + LEFT_BITS > MOST_SHIFT:
        return "its outputs are shifted too far"
    mask, end_bytes = layout.mask, _end_bytes(layout)
    unending = plan.point_bytes % end_bytes or mask.bit_length() - (mask & -mask).bit_length() >= 8
    return "no address ends its sums" if unending else None


def _end_bytes(layout: Layout) -> int:
    """Where the numbers of the first tile at each point end: at a multiple of it."""
    return max(4, 1 << layout.mask.bit_length())


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    plans = {count: plan_of(layer, count, in_flash=False) for count in STRIPES}
    return tuple(Variant(count) for count, plan in plans.items() if plan.stripes == count)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    return cost_of(layer, inputs, plan_of(layer, variant.stripes, in_flash=False), memory)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    return code_of(layer, inputs, plan_of(layer, variant.stripes, in_flash=False))


def cost_of(layer: Convolution, inputs: Inputs, plan: Plan, memory: Memory) -> float:
    return cycles(layer, plan, _routines(layer, inputs, plan), memory)


def code_of(layer: Convolution, inputs: Inputs, plan: Plan) -> LayerCode:
    finish, made = known_ending(_ending(layer, inputs)), _routines(layer, inputs, plan)
    layout = _layout(layer, plan, finish)
    end_bytes, weights = _end_bytes(layout), made.weights
    fields: dict[str, Any] = window_fields(
        layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding
    )
    fields |= {"channels": plan.channels, "output_bytes": finish.store_bytes, "stripe": plan.stripe}
    fields |= {"fill": f"{(layer.zero & 255) * 0x01010101:#x}u"} if layer.zero else {}
    fields |= {"end_bytes": end_bytes, **unless_zero(begin=-2 * plan.channels % end_bytes)}
    fields |= {"transform": made.inputs.routine.name, **({"weights": weights.routine.name} if weights else {})}
    fields |= {"tile": made.tile.routine.name}
    call = KernelCall("convolution_squares", ("input", "output", "scratch", "kernel", "bias"), fields)
    constants = (_kernel(layer, plan), Constant("bias", "int32_t", records_of(layer, finish)))
    again = [each.routine for each in (made.tile, weights) if each]
    turns = Turns(plan.stripes * -(-layer.shape[-1] // 2), {each.name: 1.0 for each in again}, AROUND_BYTES)
    routines = (*again, made.inputs.routine)
    scratch = 2 * end_bytes + plan.scratch_bytes
    return LayerCode((call,), constants, scratch, routines=routines, code_bytes=CODE_BYTES, turns=(turns,))


def _routines(layer: Convolution, inputs: Inputs, plan: Plan) -> Routines:
    finish = known_ending(_ending(layer, inputs))
    layout = _layout(layer, plan, finish)
    return Routines(
        *timed_tile(layout, finish, in_flash=plan.in_flash),
        timed_inputs(plan.channels, bool(reading(inputs[0]))),
        None if plan.in_flash else timed_weights(plan.channels, layout.apart),
    )


def _layout(layer: Convolution, plan: Plan, finish: Ending) -> Layout:
    _, width, filters = plane(layer.shape)
    position = filters * finish.store_bytes
    steps = (2 * plan.channels, plan.point_bytes, POINTS * plan.point_bytes)
    return Layout(SQUARE, plan.words, *steps, position, width * position, 0, by_input=True)


def _kernel(layer: Convolution, plan: Plan) -> Constant:
    """Filters as they are, or U: for two at a time, of an odd number one twice."""
    extra = plan.channels - layer.kernel.shape[3]
    padded = np.pad(layer.kernel, ((0, 0), (0, 0), (0, 0), (0, extra)))
    if not plan.in_flash:
        return Constant("kernel", weight_type(layer), padded, layer.kernel_numbers)
    points = np.moveaxis(SQUARE.points_of(flat(padded))[:, 0], 1, 2)  # filters, points, channels
    firsts = [min(first, len(points) - 2) for first in range(0, len(points), 2)]
    pairs = np.stack([points[first : first + 2] for first in firsts])  # and the pairs of numbers that SXTB16 makes
    words = pairs.reshape(*pairs.shape[:3], -1, 2, 2).swapaxes(-1, -2).reshape(*pairs.shape[:3], plan.words, 2)
    return Constant("kernel", "int16_t", np.ascontiguousarray(words.transpose(0, 2, 3, 1, 4), np.int16))
