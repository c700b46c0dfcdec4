"""Functions of one number: of 8 bits look-ups in a table of all results; of 16 bits lines between some of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.calls import Fields
from mcusim.kernels.kernel import Inputs, known
from mcusim.kernels.lanes.streams import Work, stream, stream_cycles
from mcusim.kernels.lanes.words import Words
from mcusim.kernels.memory import Memory
from mcusim.layers.pointwise import Pointwise
from mcusim.numbers.numbers import LINEAR
from mcusim.numbers.tables import Interpolation, Line
from mcusim.program import Constant, KernelCall, LayerCode
from mcusim.system.arrays import Array

TOGETHER, LANES = 2, 2  # words of a turn, and numbers of a word of 16 bits
# Registers of lines: what stays, and what is lost
START, LENGTH, PAIR, ONE, HALF = "r6", "r7", "r10", "r11", "r12"
PLACE, WEIGHTS, ENTRIES = "r8", "r9", "lr"
MOST_SHIFT = 14  # that a weight of 1 has 16 bits with a sign
NOT_TAKEN, UNALIGNED = -1.0, 0.5  # cycles: a branch against one that is taken, a load of two entries in the mean
LEAST_INSIDE = 0.7  # of all numbers: a line beyond takes longer
BYTES = 4  # numbers of a word of 8 bits
FROM_FLASH = 1.0  # a look-up that waits: the table is in the cache of the flash
OF_LINES = 0.9  # one of 16 bits, whose table is larger than the cache
FIRST = 25.0  # until it is there


@dataclass(frozen=True)
class Lining(Work):
    """y = (left * (one - rest) + right * rest + half) >> shift: two products of 16 bits with what one load brings."""

    below: Line
    above: Line
    shift: int
    bits: int
    fields: Fields = field(compare=False)  # as C has them

    inputs = 1
    tables = ("table",)
    twin_kernel = "line_words"

    @property
    def words(self) -> Words:
        return Words(16, False, LINEAR, None, TOGETHER)

    @property
    def key(self) -> str:
        lines = (self.below, self.above)
        spelled = "_".join(f"{number % 2**32:x}" for line in lines for number in _numbers(line))
        return f"lines_{self.bits}_{self.shift}_{spelled}"

    @property
    def summary(self) -> Sequence[str]:
        return (
            "a function of numbers of 16 bits.",
            "",
            f"table    results every {1 << self.shift} numbers from {self.below.origin} on",
            "",
            f"Below, and from {self.above.origin} on, a line goes on. No sum has more than 31 bits: both weights are",
            f"{1 << self.shift} together.",
        )

    def prepare(self, a: Assembly) -> None:
        constant(a, START, -self.below.origin)
        constant(a, LENGTH, self.above.origin - self.below.origin)
        constant(a, PAIR, 0xFFFF)
        constant(a, ONE, 1 << self.shift)
        constant(a, HALF, 1 << self.shift >> 1)
        begin = f".L{a.name}_begin"
        a("b", begin)
        since = a.cycles
        for number in range(LANES * (TOGETHER + 1)):
            self._beyond(a, number)
        a.waits(since - a.cycles)  # few numbers come there
        a.place("begin")

    def _beyond(self, a: Assembly, number: int) -> None:
        a.block(f"Number {number} of the loops: beyond the table")
        a.place(f"beyond_{number}")
        a("cmp", PLACE, imm(0))
        a("blt", f".L{a.name}_below_{number}")
        a("sub", PLACE, PLACE, LENGTH)
        self._line(a, self.above)
        a("b", f".L{a.name}_done_{number}")
        a.place(f"below_{number}")
        self._line(a, self.below)
        a("b", f".L{a.name}_done_{number}")

    def _line(self, a: Assembly, line: Line) -> None:
        """From a place, counted from where the line begins."""
        if line.factor == 0:
            constant(a, PLACE, line.base)
        else:
            constant(a, WEIGHTS, line.factor)
            constant(a, ENTRIES, 1 << line.shift >> 1)
            a("mla", PLACE, PLACE, WEIGHTS, ENTRIES)
            constant(a, ENTRIES, line.base)
            a("add", PLACE, ENTRIES, PLACE, *([f"asr #{line.shift}"] if line.shift else []))
        a("ssat", PLACE, imm(self.bits), PLACE)

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        # Those of the loop over turns come first, then those of the one over words.
        first = 0 if len(x) > 1 else LANES * TOGETHER
        for index, word in enumerate(x):
            for lane in range(LANES):
                self._number(a, word, lane, first + LANES * index + lane)

    def _number(self, a: Assembly, word: str, lane: int, number: int) -> None:
        if lane:
            a("add", PLACE, START, word, "asr #16")
        else:
            a("sxtah", PLACE, START, word)
        a("cmp", PLACE, LENGTH)
        a("bhs", f".L{a.name}_beyond_{number}")
        a.waits(NOT_TAKEN)
        a("lsr", ENTRIES, PLACE, imm(self.shift))
        a("ubfx", WEIGHTS, PLACE, imm(0), imm(self.shift))
        a("ldr", ENTRIES, f"[table, {ENTRIES}, lsl #1]")
        a.waits(UNALIGNED)
        a("mla", WEIGHTS, WEIGHTS, PAIR, ONE)
        a("smlad", ENTRIES, ENTRIES, WEIGHTS, HALF)
        a("ssat", PLACE, imm(self.bits), ENTRIES, f"asr #{self.shift}")
        a.place(f"done_{number}")
        a(*(("pkhbt", word, word, PLACE, "lsl #16") if lane else ("pkhtb", word, word, PLACE)))


def lining(lookup: Interpolation) -> Lining | None:
    """None for a function without a table, or with one for few of the numbers."""
    length = lookup.above.origin - lookup.below.origin
    if not lookup.table.size or not 0 < lookup.shift <= MOST_SHIFT:
        return None
    if length < LEAST_INSIDE * (lookup.entry.maximum - lookup.entry.minimum):
        return None
    return Lining(lookup.below, lookup.above, lookup.shift, lookup.numbers.bits, lookup.fields())


def _numbers(line: Line) -> tuple[int, ...]:
    return (line.origin, line.base, line.factor, line.shift) if line.factor else (line.origin, line.base)


@dataclass(frozen=True)
class LookingUp(Work):
    """One routine for all tables."""

    inputs = 1
    tables = ("table",)
    twin_kernel, fields = "look_up_words", ()

    @property
    def words(self) -> Words:
        return Words(8, True, LINEAR, None)

    @property
    def key(self) -> str:
        return "look_up_bytes"

    @property
    def summary(self) -> Sequence[str]:
        return ("a function of numbers of 8 bits.", "", "table    its results, by numbers as if they had no sign")

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        numbers = self.words.second  # of a word, and what is made of them
        for word in x:
            for index in range(BYTES):
                a("ubfx", numbers[index], word, imm(8 * index), imm(8))
            for number in numbers:
                a("ldrb", number, f"[table, {number}]")
            a("orr", word, numbers[0], numbers[1], "lsl #8")
            a("orr", word, word, numbers[2], "lsl #16")
            a("orr", word, word, numbers[3], "lsl #24")


def why_not(layer: Pointwise, inputs: Inputs) -> str | None:
    sizes = {layer.dtype.itemsize, inputs[0].dtype.itemsize}
    if layer.lookup is not None and sizes == {1}:
        return None
    if isinstance(layer.lookup, Interpolation) and sizes == {2} and lining(layer.lookup):
        return None
    return "it looks up numbers of 8 bits, or of 16 bits nearly all of which lie between the ends of a table"


def cost(layer: Pointwise, inputs: Inputs, memory: Memory) -> float:
    each = OF_LINES if isinstance(layer.lookup, Interpolation) else FROM_FLASH
    waits = (layer.elements * each + FIRST) * (memory.wait_states > 0)
    return stream_cycles(stream(_work(layer)), layer, memory) + waits


def _work(layer: Pointwise) -> Work:
    if not isinstance(layer.lookup, Interpolation):
        return LookingUp()
    return known(lining(layer.lookup))


def look_up(layer: Pointwise, inputs: Inputs) -> LayerCode:
    routine = stream(_work(layer)).routine
    kernel, fields = "pointwise_lanes", {"elements": layer.elements, "look_up": routine.name}
    if isinstance(layer.lookup, Interpolation):
        kernel, fields = "pointwise_lines", fields | layer.lookup.fields()
        table = layer.lookup.table
    else:
        table = _every_byte(layer).view(np.int8)
    call = KernelCall(kernel, ("input", "output", "table"), fields)
    return LayerCode((call,), (Constant("table", "number_t", table, layer.numbers),), routines=(routine,))


def _every_byte(layer: Pointwise) -> Array:
    """Results for bytes from 0 to 255; those that no number is stored as are never asked for."""
    lookup = known(layer.lookup)
    entry = lookup.entry
    byte = np.arange(256)
    number = byte if entry.minimum == 0 else byte.astype(np.uint8).view(np.int8)
    return lookup.apply(np.clip(number, entry.minimum, entry.maximum))
