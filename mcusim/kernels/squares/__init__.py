"""Convolutions with windows of 3 x 3 by exact two-dimensional Winograd: a quarter of the products, the same bits."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.assembly import LONGEST_OFFSET
from mcusim.kernels.calls import reading, weight_type, window_fields
from mcusim.kernels.finish import MOST_SHIFT, Ending, Finish, ending_of
from mcusim.kernels.kernel import DEFAULT, STRIPES, Inputs, Variant, known, why_no_dsp
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
from mcusim.program import Constant, KernelCall, LayerCode, Turns
from mcusim.system.arrays import Array

NAME = "squares"
SUMMARY = "convolutions of 3 x 3 in int8: exact Winograd F(4 x 4, 3 x 3), a quarter of the products (Cortex-M4)"
ANY_STORAGE = AFFINE = True
CODE_BYTES = 700  # of the C around, about


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if why := why_no_dsp(core):
        return why
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


def _known_ending(layer: Convolution, inputs: Inputs) -> Ending:
    finish = _ending(layer, inputs)
    assert finish is not None
    return finish


def _why_too_large(layer: Convolution, finish: Ending) -> str | None:
    plan = plan_of(layer, 1)
    layout = _layout(layer, plan, finish)
    if max(2 * plan.point_bytes, (3 * layer.shape[-1] + 1) * finish.store_bytes) > LONGEST_OFFSET - 256:
        return "its channels or filters lie too far apart"
    if isinstance(finish, Finish) and finish.shift + LEFT_BITS > MOST_SHIFT:
        return "its outputs are shifted too far"
    mask = layout.mask
    return "no address ends its sums" if mask.bit_length() - (mask & -mask).bit_length() >= 8 else None


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    plans = {count: plan_of(layer, count) for count in STRIPES}
    return tuple(Variant(count) for count, plan in plans.items() if plan.stripes == count)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    plan = plan_of(layer, variant.stripes)
    return cycles(layer, plan, _routines(layer, inputs, plan), memory)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    finish, plan = _known_ending(layer, inputs), plan_of(layer, variant.stripes)
    layout = _layout(layer, plan, finish)
    found = _routines(layer, inputs, plan)
    tile, transform, weights = (each.routine for each in (found.tile, found.inputs, found.weights))
    fields: dict[str, Any] = window_fields(
        layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding
    )
    fields |= {"channels": plan.channels, "output_bytes": finish.store_bytes, "stripe": plan.stripe}
    fields |= {"fill": f"{(layer.zero & 255) * 0x01010101:#x}u"} if layer.zero else {}
    fields |= {"end_bytes": layout.end_bytes, "apart": layout.apart, "begin": layout.begin}
    fields |= {"transform": transform.name, "weights": weights.name, "tile": tile.name}
    call = KernelCall("convolution_squares", ("input", "output", "scratch", "kernel", "bias"), fields)
    constants = (
        Constant("kernel", weight_type(layer), _kernel(layer, plan), layer.kernel_numbers),
        Constant("bias", "int32_t", records_of(layer, finish)),
    )
    turns = Turns(plan.stripes * -(-layer.shape[-1] // 2), {weights.name: 1.0, tile.name: 1.0}, AROUND_BYTES)
    scratch = layout.end_bytes + layout.begin + POINTS * layout.apart + plan.scratch_bytes
    return LayerCode(
        (call,), constants, scratch, routines=(tile, transform, weights), code_bytes=CODE_BYTES, turns=(turns,)
    )


def _routines(layer: Convolution, inputs: Inputs, plan: Plan) -> Routines:
    finish = _known_ending(layer, inputs)
    layout = _layout(layer, plan, finish)
    return Routines(
        *timed_tile(layout, finish),
        timed_inputs(plan.channels, bool(reading(inputs[0]))),
        timed_weights(plan.channels, layout.apart),
    )


def _layout(layer: Convolution, plan: Plan, finish: Ending) -> Layout:
    _, width, filters = plane(layer.shape)
    position = filters * finish.store_bytes
    group = POINTS * plan.point_bytes
    return Layout(SQUARE, plan.channels // 2, 2 * plan.channels, plan.point_bytes, group, position, width * position, 0)


def _kernel(layer: Convolution, plan: Plan) -> Array:
    """Channels in the order in which SXTB16 makes pairs of them: numbers 0 and 2, 1 and 3 of a word."""
    extra = plan.channels - layer.kernel.shape[3]
    return np.pad(layer.kernel, ((0, 0), (0, 0), (0, 0), (0, extra)))
