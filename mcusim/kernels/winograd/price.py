"""Cycles of a Winograd convolution: its routines as they are written, the C around them, and what waits for flash."""

from typing import NamedTuple

from mcusim.kernels.assembly import WORD_BYTES, Timed
from mcusim.kernels.memory import Memory
from mcusim.kernels.winograd.plan import Plan, Runs, runs_of
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane

# Cycles of the C, by the timing model: around a block of V, a pair of filters of a stripe, a call of the tile
BLOCK, PAIR, CALL = 40, 21, 7.5
COPIED_WORD = 15.0  # of a tile that hangs over, channels in whole words
# Of a position of a tile whose channels are no whole words: in loops, or unrolled by the compiler; a word of it, and
# how much more where something is padded, so that each is asked whether it is there; a number of the last word
LOOPED, WORD, PADDED_WORD, PADDED, LAST = 14.4, 7.3, 3.0, 2.75, 2.3
UNROLLED = 4  # words, at most
AROUND_BYTES, EDGE_BYTES = 60, 100  # of code between two calls; how far what lies in the cache may be off


class Routines(NamedTuple):
    tile: Timed
    inputs: Timed
    weights: Timed


def cycles(layer: Convolution, plan: Plan, routines: Routines, memory: Memory) -> float:
    """Of a layer, for one sample."""
    _, width, _ = plane(layer.shape)
    pairs, calls, runs = -(-layer.shape[-1] // 2), plan.calls(width), runs_of(layer, plan)
    made = BLOCK * plan.blocks + runs.calls * routines.inputs.call + runs.tiles * routines.inputs.each
    of_a_pair = plan.stripes * (PAIR + routines.weights.call + _from_flash(layer, plan, memory))
    of_a_pair += calls * (CALL + routines.tile.call) + plan.groups * routines.tile.each
    return made + _copied(layer, plan, runs) + pairs * of_a_pair + _fetches(routines, pairs * plan.stripes, memory)


def _copied(layer: Convolution, plan: Plan, runs: Runs) -> float:
    """Of tiles that do not lie in the input as they are transformed."""
    _, _, channels = plane(layer.input_shape)
    size = layer.number_bytes
    words = plan.channels * size // WORD_BYTES
    padded = any(map(any, layer.padding))
    if plan.channels == channels:
        position = COPIED_WORD * words
    elif words > UNROLLED:
        position = LOOPED + (WORD + PADDED_WORD * padded) * words
    else:
        position = WORD * words + PADDED * padded + LAST * (channels * size % WORD_BYTES)
    return runs.copied * plan.scheme.points * position


def _from_flash(layer: Convolution, plan: Plan, memory: Memory) -> float:
    """Weights of two filters: words of three taps in turn, which lie apart."""
    return memory.scattered(2 * 3 * int(layer.kernel.shape[1]) * plan.channels * layer.weight_bytes)


def _fetches(routines: Routines, turns: int, memory: Memory) -> float:
    """Cycles of bringing code: once, and again for each pair of filters where it does not stay."""
    code = routines.tile.routine.code_bytes + routines.weights.routine.code_bytes
    again = (turns - 1) * memory.crowding(code + AROUND_BYTES, EDGE_BYTES)
    return (1 + again) * memory.fetched(code) + memory.fetched(routines.inputs.routine.code_bytes)
