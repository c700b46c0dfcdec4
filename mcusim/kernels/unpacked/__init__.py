"""Sums of products whose weights are part of the code: straight-line code for those that are not 0, and nothing else.

The operands of a layer are unpacked (Armeniakos et al., 2024): a pair of weights is a constant of two instructions, for
SMLAD, and a single one of one instruction, for SMLABB or SMLATB; what is 0 takes no time and no flash. The map is read
from a frame of 16 bits, with its padding, as by `patches`.
"""

import hashlib
from functools import lru_cache

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.calls import reading
from mcusim.kernels.finish import ending_of, known_ending
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.patches.frame import Frame, Stripe, frame_of
from mcusim.kernels.straight import ending_in, records_of
from mcusim.kernels.unpacked.plan import Plan, plans
from mcusim.kernels.unpacked.price import cycles_of, routine_bytes
from mcusim.kernels.unpacked.schedule import routine_of
from mcusim.kernels.widen import widen
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode, Turns

NAME = "unpacked"
SUMMARY = "weights of int8 as constants in the code, but for those of 0; where named, or half are 0 (Cortex-M4)"
ANY_STORAGE = AFFINE = OPT_IN = NEEDS_DSP = True
COMPACT = Variant(compact=True)  # the least code, where it is not the fastest as well
SPARSE = 0.5  # of the weights, that are 0 where it is worth a look: dense ones are faster on other kernels
C_CYCLES, LINE_CYCLES, C_BYTES = 22, 10, 170  # of the C: around all, of a line of positions; and its size
CACHED_BYTES = 1024  # of code that stays in a cache, about: the loop of some filters


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, (Convolution, Dense)):
        return "it is for convolutions and dense layers"
    if layer.kernel_numbers is None or layer.number_bytes > 1:
        return "it is for integers of 8 bits"
    if ending_of(layer) is None or layer.peak_sum > ACCUMULATOR_LIMIT:
        return "it is for integers with sums of 32 bits"
    return None if frame_of(_windowed(layer)).is_shared else "groups have an odd number of channels"


def offers_itself(layer: WeightedSum) -> bool:
    """May it run where nobody named it?"""
    return float((layer.kernel == 0).mean()) >= SPARSE


def variants(layer: WeightedSum, inputs: Inputs) -> tuple[Variant, ...]:
    return (DEFAULT, COMPACT) if _plan(layer, inputs, COMPACT) is not _plan(layer, inputs, DEFAULT) else (DEFAULT,)


def cost(layer: WeightedSum, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    frame = frame_of(_windowed(layer))
    plan = _plan(layer, inputs, variant)
    whole = Stripe(0, 0, frame.positions)
    return C_CYCLES + frame.cycles(whole) + plan.lines * (LINE_CYCLES + cycles_of(plan, memory))


def code(layer: WeightedSum, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    frame, plan = frame_of(_windowed(layer)), _plan(layer, inputs, variant)
    widening, routine = widen(frame.item_bytes, unsigned=bool(reading(inputs[0]))), routine_of(plan, _name(plan))
    rows, numbers = frame.rows(0, frame.positions), frame.numbers([Stripe(0, 0, frame.positions)])
    framed = {**frame.fields(), "input_zero": layer.zero, "widen": widening.name}
    fields = {"frame": framed, "rows": rows, "lines": plan.lines, "line_numbers": frame.strides[0] * frame.pitch}
    fields |= {"line_bytes": plan.length * plan.position_bytes, "unpacked": routine.name}
    call = KernelCall("convolution_unpacked", ("input", "output", "scratch", "bias"), fields)
    turns = plan.lines * (plan.tiles if routine.code_bytes > CACHED_BYTES * len(plan.spans) else 1)
    return LayerCode(
        (call,),
        (Constant("bias", "int32_t", plan.records),),
        2 * numbers,
        routines=(widening, routine),
        code_bytes=C_BYTES,
        turns=(Turns(turns, {routine.name: 1.0}),),
    )


def _plan(layer: WeightedSum, inputs: Inputs, variant: Variant) -> Plan:
    """The fastest tile, or the one of the least code."""
    every = _plans(layer, inputs)
    if variant.compact:
        return min(every, key=lambda plan: (routine_bytes(plan), cycles_of(plan, USUAL)))
    return min(every, key=lambda plan: (cycles_of(plan, USUAL), routine_bytes(plan)))


@lru_cache(maxsize=16)
def _plans(layer: WeightedSum, inputs: Inputs) -> tuple[Plan, ...]:
    ending = known_ending(ending_in(layer, inputs[0], doubled=False))
    frame = frame_of(_windowed(layer))
    records = np.asarray(records_of(layer, ending)).reshape(len(layer.kernel), -1)
    return tuple(plans(frame, _pairs(frame, layer), records.astype(np.int32), ending))


def _pairs(frame: Frame, layer: WeightedSum) -> np.ndarray:
    """(filters, words, 2)"""
    windows = _windowed(layer).kernel
    return frame.taps(windows).reshape(len(windows), -1, 2).astype(np.int64)


def _windowed(layer: WeightedSum) -> Convolution:
    """A dense layer is a convolution at one position."""
    if isinstance(layer, Convolution):
        return layer
    filters, inputs = layer.kernel.shape
    own = {**vars(layer), "kernel": layer.kernel.reshape(filters, 1, 1, inputs), "shape": (1, 1, filters)}
    return Convolution(**own, input_shape=(1, 1, inputs))


def _name(plan: Plan) -> str:
    """Of its code: equal for layers with equal weights, sums and shapes."""
    known_by = (plan.finish.key, plan.filters, plan.positions, plan.length, plan.step, plan.places, plan.groups)
    arrays = (plan.pairs.tobytes(), plan.records.tobytes())
    return f"nn_unpacked_{hashlib.sha256(repr((known_by, plan.pairs.shape, arrays)).encode()).hexdigest()[:12]}"
