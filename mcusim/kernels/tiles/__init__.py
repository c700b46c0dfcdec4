"""Convolution in float32 by tiles of filters x positions, as many sums as the FPU has registers for."""

from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import bias_of, window_fields
from mcusim.kernels.expand import copy_words
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, known, stripes
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.tiles.edges import window_of
from mcusim.kernels.tiles.plan import Plan, best_plan, cycles
from mcusim.kernels.tiles.price import AROUND_BYTES
from mcusim.kernels.tiles.tile import float_tile
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION
from mcusim.program import Constant, KernelCall, LayerCode, Routine, Turns
from mcusim.system.arrays import Array

NAME = "tiles"
SUMMARY = "convolutions in float32, up to 24 sums at a time in the order of plain C: the same bits (Cortex-M4F)"
NEEDS_DSP = True
LOADS = 0.16  # of its cycles, from RAM
CODE_BYTES = 500  # of the C around the tile, about


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if layer.kernel_numbers is not None:
        return "it is for float32"
    if layer.groups > 1 or layer.dilation != NO_DILATION:
        return "its windows have no gaps, and see all channels"
    if not window_of(layer).sees_every_row:
        return "windows lie wholly in the padding"
    if _plan(layer, DEFAULT) is None:
        return "its inputs lie too far apart"
    return None


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    plan = _plan(layer, DEFAULT)
    return (DEFAULT,) if plan is None or not plan.bands else stripes(plan.window.output[0], 1)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    return cycles(known(_plan(layer, variant)), memory)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    plan = known(_plan(layer, variant))
    tile, copies = float_tile(plan.tile), (copy_words(),) if plan.copied or plan.bands else ()
    constants = (
        Constant("kernel", "number_t", tiles_of_filters(layer, plan.tile.filters)),
        Constant("bias", "accumulator_t", bias_of(layer)),
    )
    fields = {**_fields(plan), **copy_field(copies), "tile": tile.name}
    call = KernelCall("convolution_tiles", ("input", "output", "scratch", "kernel", "bias"), fields)
    turns = Turns(plan.calls, {tile.name: 1.0}, AROUND_BYTES + plan.more_bytes)
    return LayerCode(
        (call,), constants, max(4, plan.scratch_bytes), routines=(tile, *copies), code_bytes=CODE_BYTES, turns=(turns,)
    )


def _plan(layer: Convolution, variant: Variant) -> Plan | None:
    return best_plan(window_of(layer), FloatFinish(layer.activation), variant.stripes, USUAL)


def _fields(plan: Plan) -> dict[str, Any]:
    window, row = plan.window, plan.row
    fields = window_fields(window.input, window.output, window.size, window.strides, window.padding)
    fields |= {"filters": plan.tile.filters, "positions": plan.tile.positions}
    fields |= {"copied": int(plan.copied), "stripe": plan.stripe}
    fields |= {"left": row.left, "right": row.right, "middle": row.middle, "first": row.first, "rest": row.rest}
    return fields


def copy_field(copies: tuple[Routine, ...]) -> dict[str, Any]:
    """What copies words, where something is copied."""
    return {"copy": copies[0].name} if copies else {}


def tiles_of_filters(layer: Convolution, filters: int) -> Array:
    """[groups][tiles][taps][filters of a tile]. The last tile may have some filters of the one before."""
    rows = layer.kernel.reshape(layer.groups, len(layer.kernel) // layer.groups, -1)
    several = rows.shape[1]
    starts = [min(first, several - filters) for first in range(0, several, filters)]
    return np.ascontiguousarray([[group[start : start + filters].T for start in starts] for group in rows])
