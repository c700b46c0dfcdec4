"""Two arrays of affine numbers in words: the call of a routine, for rows of which one may be the same throughout."""

from dataclasses import replace
from typing import NamedTuple

from mcusim.kernels.kernel import Inputs, known
from mcusim.kernels.lanes.scaled_merges import ScaledMultiplying
from mcusim.kernels.lanes.scaled_sums import ScaledSumming, scaled_summing
from mcusim.kernels.lanes.streams import stream
from mcusim.kernels.lanes.wide_sums import WideSumming
from mcusim.kernels.lanes.words import WORD_BYTES, fetched, unaligned
from mcusim.kernels.memory import Memory
from mcusim.layers.merge import Combined, Merge, Subtract, blocks
from mcusim.numbers.affine import ScaledAddition
from mcusim.program import KernelCall, LayerCode

# Fitted: cycles of the C around the routine; of a row, and of what its words leave over, beside the routine; of code
# for this, the first time, where it is bytes
LAYER, ROW, REST, FIRST_REST = 25.0, 9.0, 14.0, 135.0
COPIED, COPIED_WORD = 7.0, 6.0  # of a number that is laid beside others, and of four at once
LONGEST_JOINED = 128  # numbers of short rows, side by side

Combining = ScaledSumming | WideSumming | ScaledMultiplying
LEAST_ROW = 8  # numbers: below, calls cost more than they save
NOT_LINEAR = "it is for two arrays whose sums are linear, or of 16 bits"


class Rows(NamedTuple):
    """Of so many numbers. `repeated`: which input is the same in all of them. `times`: so many are one, for which the
    repeated input lies side by side in scratch memory as often, so that words are full.
    """

    rows: int
    numbers: int
    repeated: int | None = None
    times: int = 1

    @property
    def joined(self) -> "Rows":
        return Rows(self.rows // self.times, self.numbers * self.times, self.repeated)

    @property
    def y(self) -> int:
        """Which input is the second in the routine."""
        return 1 if self.repeated is None else self.repeated


def combined(work: Combining, over: Rows) -> LayerCode:
    routine = stream(work).routine
    if over.times > 1:
        own = {"rows": over.rows, "numbers": over.numbers, "times": over.times, "y": over.y, "combine": routine.name}
        call = KernelCall("combined_rows", ("inputs", "output", "scratch"), own)
        return LayerCode((call,), scratch_bytes=over.numbers * over.times, routines=(routine,))
    repeated = {} if over.repeated is None else {"repeated": 1}
    fields = {"rows": over.rows, "numbers": over.numbers, **repeated, "y": over.y, "combine": routine.name}
    return LayerCode((KernelCall("combined_lanes", ("inputs", "output"), fields),), routines=(routine,))


def combined_cycles(work: Combining, over: Rows, memory: Memory) -> float:
    if over.times > 1:
        many = over.numbers * over.times
        copied = COPIED * many if over.numbers % WORD_BYTES else COPIED_WORD * many / WORD_BYTES
        return copied + combined_cycles(work, over.joined, memory)
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
    if why := why_no_rows(over):
        return why
    return None if over and _combining(layer, inputs, over) else NOT_LINEAR


def why_no_rows(over: Rows | None) -> str | None:
    if over is None or (over.joined.rows > 1 and over.joined.numbers < LEAST_ROW):
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
            numbers = int(one[0][1])
            rows = layer.elements // numbers
            return Rows(rows, numbers, index, _times(rows, numbers) if layer.dtype.itemsize == 1 else 1)
    return None


def _times(rows: int, numbers: int) -> int:
    """How many short rows are one: as many as fill whole words, and come out even."""
    if numbers % WORD_BYTES == 0 and numbers >= LEAST_ROW:
        return 1
    even = [many for many in range(1, LONGEST_JOINED // numbers + 1) if rows % many == 0]
    return max((many for many in even if many * numbers % WORD_BYTES == 0), default=1)


def _both(layer: Combined, inputs: Inputs) -> tuple[Combining, Rows]:
    over = known(rows_of(layer))
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
    if isinstance(layer, Subtract):
        return scaled_summing(addition, inputs, layer.activation, (-1, 1) if swapped else (1, -1))
    return scaled_summing(addition, inputs, layer.activation)
