"""Convolutions with windows of three columns by exact Winograd: half of the products, the same bits."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.assembly import LONGEST_OFFSET
from mcusim.kernels.calls import reading, weight_type, window_fields
from mcusim.kernels.finish import MOST_SHIFT, Ending, FactorFinish, Finish, ending_of, known_ending
from mcusim.kernels.kernel import DEFAULT, STRIPES, Inputs, Variant, known
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.kernels.straight import StraightFinish, added, ending_in, records_of
from mcusim.kernels.winograd.inputs import timed_inputs
from mcusim.kernels.winograd.plan import AROUND_BYTES, Plan, Routines, cycles
from mcusim.kernels.winograd.points import WINDOW, Scheme, scheme_for
from mcusim.kernels.winograd.tile import TILES, Layout, timed_tile
from mcusim.kernels.winograd.weights import timed_weights
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode, Turns
from mcusim.system.arrays import Array

NAME = "winograd"
SUMMARY = "convolutions with windows 3 wide in integers: exact Winograd F(4,3) or F(2,3), fewer products (Cortex-M4)"
ANY_STORAGE = AFFINE = NARROW_WEIGHTS = NEEDS_DSP = True
FACTOR_STEPS = 2
CODE_BYTES = 900  # of the C around, about
MOST_WORDS = 512  # that a sum is over: as far as stores of U are laid out


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if layer.kernel.shape[2] != WINDOW or layer.strides != (1, 1) or layer.dilation != NO_DILATION or layer.groups > 1:
        return "it is for windows of three columns, stride 1, without dilation or groups"
    finish = _ending(layer, inputs)
    if finish is None or inputs[0].numbers is None or inputs[0].dtype.itemsize != layer.number_bytes:
        return "it is for integers"
    if layer.peak_sum > ACCUMULATOR_LIMIT:
        return "it is for sums of 32 bits"
    scheme = _scheme(layer, inputs)
    if isinstance(scheme, str):
        return scheme
    return _why_too_small(layer, scheme) or _why_too_large(layer, scheme, finish)


def _scheme(layer: Convolution, inputs: Inputs) -> Scheme | str:
    """F(2,3) where F(4,3) has no room; of inputs that no activation lets be negative even for all 16 bits."""
    numbers = known(inputs[0].numbers)
    minimum = numbers.zero if inputs[0].nonnegative((False,) * len(inputs[0].inputs)) else numbers.minimum
    return scheme_for(minimum, numbers.maximum, layer.kernel, layer.bias)


@lru_cache(maxsize=64)
def _ending(layer: Convolution, inputs: Inputs) -> Ending | None:
    """On lines, unless what they add to sums takes room that the scheme has not."""
    found = ending_in(layer, inputs[0], doubled=False)
    if not isinstance(found, StraightFinish):
        return found
    moved = replace(layer, bias=layer.bias + added(found))
    return found if _scheme(moved, inputs) == _scheme(layer, inputs) else ending_of(layer)


def _known_scheme(layer: Convolution, inputs: Inputs) -> Scheme:
    scheme = _scheme(layer, inputs)
    assert isinstance(scheme, Scheme)
    return scheme


def _why_too_small(layer: Convolution, scheme: Scheme) -> str | None:
    height, width, filters = plane(layer.shape)
    outputs = scheme.outputs_of_a_tile
    if filters < 2:
        return "it takes two filters at a time"
    if height == 1 == layer.kernel.shape[1]:
        return None if width >= outputs * TILES else f"it takes {outputs * TILES} positions at a time"
    if height < TILES or width < outputs:
        return f"it takes {TILES} rows of {outputs} positions at a time"
    return None


def _why_too_large(layer: Convolution, scheme: Scheme, finish: Ending) -> str | None:
    channels, size = _channels(layer), layer.number_bytes
    if channels * layer.weight_bytes % 4:
        return "weights of its channels do not fill words"
    words = layer.kernel.shape[1] * channels // 2
    too_far = max(
        2 * channels * (TILES + layer.kernel.shape[1] - 1),  # a point of V in a block of the fewest rows
        (scheme.points - 1) * channels * size,
        (3 * layer.shape[-1] + 1) * finish.store_bytes,
    )
    if words > MOST_WORDS or too_far > LONGEST_OFFSET - 256:
        return "its channels or filters lie too far apart"
    if isinstance(finish, Finish) and finish.shift + scheme.left_bits > MOST_SHIFT:
        return "its outputs are shifted too far"
    mask = _layout(layer, _plan(layer, scheme, DEFAULT), finish).mask
    return "no address ends its sums" if mask.bit_length() - (mask & -mask).bit_length() >= 8 else None


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    scheme = _known_scheme(layer, inputs)
    plans = {_plan(layer, scheme, Variant(count)).stripes for count in STRIPES}
    counts = sorted(count for count in plans if _plan(layer, scheme, Variant(count)).stripes == count)
    compacts = (False, True) if isinstance(ending_of(layer), Finish) else (False,)  # no code knows a factor
    return tuple(Variant(count, compact) for count in counts for compact in compacts)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    plan = _plan(layer, _known_scheme(layer, inputs), variant)
    return cycles(layer, plan, _routines(layer, inputs, plan, variant), memory)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    finish = known_ending(_ending(layer, inputs))
    scheme = _known_scheme(layer, inputs)
    plan, size = _plan(layer, scheme, variant), layer.number_bytes
    layout = _layout(layer, plan, finish)
    tile, transform, weights = (each.routine for each in _routines(layer, inputs, plan, variant))
    fields: dict[str, Any] = window_fields(
        layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding
    )
    fields |= {"outputs": scheme.outputs_of_a_tile}
    fields |= {"channels": plan.channels, "output_bytes": finish.store_bytes, "rows": plan.rows, "cells": plan.cells}
    fields |= {"stripe": plan.stripe, **({"shift": finish.shift} if isinstance(finish, Finish) else {})}
    fields |= {"fill": f"{(layer.zero & 255) * 0x01010101:#x}u"} if layer.zero else {}
    fields |= {"end_bytes": layout.end_bytes, "apart": layout.apart, "begin": layout.begin}
    fields |= {"transform": transform.name, "weights": weights.name, "tile": tile.name}
    call = KernelCall("convolution_winograd", ("input", "output", "scratch", "kernel", "bias"), fields)
    constants = (
        Constant("kernel", weight_type(layer), _kernel(layer, plan), layer.kernel_numbers),
        Constant("bias", "int32_t", _records(layer, finish, scheme)),
    )
    each = {weights.name: 1.0, tile.name: plan.calls(plane(layer.shape)[1]) / plan.stripes}
    return LayerCode(
        (call,),
        constants,
        _scratch(plan, layout, size),
        routines=(tile, transform, weights),
        code_bytes=CODE_BYTES,
        turns=(Turns(plan.stripes * -(-layer.shape[-1] // 2), each, AROUND_BYTES),),
    )


def _records(layer: Convolution, finish: Ending, scheme: Scheme) -> Array:
    """Biases as the scheme has them, of what a line adds to sums as well."""
    more = added(finish)  # once more by `records_of`
    return records_of(replace(layer, bias=scheme.bias(layer.bias + more, layer.kernel) - more), finish)


def _routines(layer: Convolution, inputs: Inputs, plan: Plan, variant: Variant) -> Routines:
    finish = known_ending(_ending(layer, inputs))
    size = layer.number_bytes
    layout = _layout(layer, plan, finish)
    _, width, channels = plane(layer.input_shape)
    unsigned = size == 1 and bool(reading(inputs[0]))
    beside = channels * (width if plan.rows else plan.scheme.outputs_of_a_tile)
    return Routines(
        timed_tile(layout, finish, compact=variant.compact),
        timed_inputs(plan.scheme, plan.channels, size, unsigned, beside * size, plan.point_bytes),
        timed_weights(plan.scheme, plan.channels, layer.weight_bytes, layer.kernel.shape[1], layout.apart),
    )


def _scratch(plan: Plan, layout: Layout, size: int) -> int:
    """U with what aligns it, V of a stripe, and a tile at an edge."""
    u = layout.end_bytes + layout.begin + plan.scheme.points * layout.apart
    return u + plan.stripe * plan.block_bytes + plan.scheme.points * plan.channels * size


def _channels(layer: Convolution) -> int:
    """As many as fill words."""
    of_a_word = 4 // layer.number_bytes
    return -(-int(layer.kernel.shape[3]) // of_a_word) * of_a_word


def _plan(layer: Convolution, scheme: Scheme, variant: Variant) -> Plan:
    channels, window = _channels(layer), layer.kernel.shape[1]
    words = window * channels // 2
    height, width, _ = plane(layer.shape)
    if height == 1 == window:
        blocks = -(-width // (scheme.outputs_of_a_tile * TILES))
        return Plan(scheme, channels, words, 0, TILES, blocks, -(-blocks // variant.stripes))
    columns = -(-width // scheme.outputs_of_a_tile)
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
    return Plan(scheme, channels, words, rows, rows + window - 1, blocks, -(-blocks // variant.stripes))


def _rows(height: int, parts: int) -> int:
    """Of outputs in a block, where a column of tiles is cut into so many."""
    return height if parts == 1 else TILES * -(-height // (TILES * parts))


def _layout(layer: Convolution, plan: Plan, finish: Ending) -> Layout:
    _, width, filters = plane(layer.shape)
    tile = 2 * plan.channels
    position = filters * finish.store_bytes
    end_steps = FACTOR_STEPS if isinstance(finish, FactorFinish) else 0
    if not plan.rows:
        group, output_tile = plan.block_bytes, plan.scheme.outputs_of_a_tile * position
    else:
        group, output_tile = TILES * tile, width * position
    return Layout(
        plan.scheme, plan.words, tile, plan.point_bytes, group, position, output_tile, TILES * output_tile, end_steps
    )


def _kernel(layer: Convolution, plan: Plan) -> Array:
    extra = plan.channels - layer.kernel.shape[3]
    padded = np.pad(layer.kernel, ((0, 0), (0, 0), (0, 0), (0, extra)))
    if layer.weight_bytes == layer.number_bytes:
        return padded
    fours = padded.reshape(*padded.shape[:3], -1, 2, 2)  # SXTB16 makes pairs of numbers 0 and 2, 1 and 3
    return np.ascontiguousarray(fours.swapaxes(4, 5)).reshape(padded.shape)
