"""Two arrays of affine numbers in words: the call of a routine, for rows of which one may be the same throughout."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from mcusim.kernels.calls import reading_all
from mcusim.kernels.finish import limits_of
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.scaled_merges import Extreme, ScaledMultiplying
from mcusim.kernels.lanes.scaled_sums import ScaledSumming, scaled_summing
from mcusim.kernels.lanes.streams import stream
from mcusim.kernels.lanes.wide_sums import WideSumming
from mcusim.kernels.lanes.words import WORD_BYTES, fetched, unaligned
from mcusim.kernels.memory import Memory
from mcusim.layers.merge import Combined, Maximum, Merge, Minimum, Subtract, blocks
from mcusim.numbers.affine import ScaledAddition
from mcusim.program import KernelCall, LayerCode

# Fitted: cycles of the C around the routine; of a row, and of what its words leave over, beside the routine; of code
# for this, the first time, where it is bytes
LAYER, ROW, REST, FIRST_REST = 25.0, 9.0, 14.0, 135.0

Combining = ScaledSumming | WideSumming | ScaledMultiplying | Extreme
LEAST_ROW = 8  # numbers: below, calls cost more than they save
NOT_LINEAR = "it is for two arrays whose sums are linear, or of 16 bits"


class Rows(NamedTuple):
    """Of so many numbers. `repeated`: which input is the same in all of them."""

    rows: int
    numbers: int
    repeated: int | None = None

    @property
    def y(self) -> int:
        """Which input is the second in the routine."""
        return 1 if self.repeated is None else self.repeated


def combined(work: Combining, over: Rows) -> LayerCode:
    routine = stream(work).routine
    repeated = {} if over.repeated is None else {"repeated": 1}
    fields = {"rows": over.rows, "numbers": over.numbers, **repeated, "y": over.y, "combine": routine.name}
    return LayerCode((KernelCall("combined_lanes", ("inputs", "output"), fields),), routines=(routine,))


def combined_cycles(work: Combining, over: Rows, memory: Memory) -> float:
    made = stream(work)
    size = work.words.number_bytes
    words, rest = divmod(over.numbers * size, WORD_BYTES)
    row = ROW * (over.rows > 1) + (made.cycles(words) if words else 0) + (REST + made.cycles(1) if rest else 0)
    askew = words * unaligned(over.numbers * size) * (1 if over.repeated is None else 0.5) * 2 if over.rows > 1 else 0.0
    return LAYER + FIRST_REST * (rest > 0 and size == 1) + over.rows * (row + askew) + fetched((made.routine,), memory)


def why_not(layer: Combined, inputs: Inputs) -> str | None:
    over = rows_of(layer)
    if not isinstance(layer.addition, ScaledAddition):
        return "it is for affine numbers"
    if over is None or (over.rows > 1 and over.numbers < LEAST_ROW):
        return f"it repeats one input in each row of {LEAST_ROW} numbers, and in no other way"
    return None if _combining(layer, inputs, over) else NOT_LINEAR


def why_no_rows(over: Rows | None) -> str | None:
    if over is None or (over.rows > 1 and over.numbers < LEAST_ROW):
        return f"it repeats one input in each row of {LEAST_ROW} numbers, and in no other way"
    return None


def combine(layer: Combined, inputs: Inputs) -> LayerCode:
    return combined(*_both(layer, inputs))


def cost(layer: Combined, inputs: Inputs, memory: Memory) -> float:
    return combined_cycles(*_both(layer, inputs), memory)


def rows_of(layer: Merge) -> Rows | None:
    """None where an input is repeated in another way than whole, in each row."""
    found = [blocks(shape, layer.shape) for shape in layer.input_shapes]
    if found == [None, None]:
        return Rows(1, layer.elements)
    for index, one in enumerate(found):
        if one is not None and found[1 - index] is None and len(one) == 1 and one[0][0] == 1:
            return Rows(layer.elements // one[0][1], one[0][1], index)
    return None


def _both(layer: Combined, inputs: Inputs) -> tuple[Combining, Rows]:
    over = rows_of(layer)
    assert over is not None
    made = _combining(layer, inputs, over)
    assert made is not None
    return made, over


def _combining(layer: Combined, inputs: Inputs, over: Rows) -> Combining | None:
    """What is x, and what y, is as the rows have it."""
    addition = layer.addition
    assert isinstance(addition, ScaledAddition)
    swapped = over.repeated == 0
    if swapped:
        inputs = inputs[::-1]
        addition = replace(addition, zeros=addition.zeros[::-1], factors=addition.factors[::-1])
    if isinstance(layer, Maximum | Minimum):
        return _extreme(layer, inputs, addition)
    if isinstance(layer, Subtract):
        return scaled_summing(addition, inputs, layer.activation, (-1, 1) if swapped else (1, -1))
    return scaled_summing(addition, inputs, layer.activation)


def _extreme(layer: Combined, inputs: Inputs, addition: ScaledAddition) -> Extreme | None:
    """None where numbers differ."""
    if layer.dtype.itemsize > 1 or any(entry.numbers != layer.numbers for entry in inputs):
        return None
    fields = {"operation": layer.OPERATION, **reading_all(inputs), **addition.fields(layer.activation)}
    limits = limits_of(layer.activation, addition.numbers)
    return Extreme(isinstance(layer, Maximum), not addition.numbers.signed, limits, fields)
