"""Functions of one number of 16 bits: straight lines between the entries of a table, and beyond both of its ends."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.calls import Fields
from mcusim.kernels.lanes.streams import Work
from mcusim.kernels.lanes.words import Words
from mcusim.numbers.numbers import LINEAR
from mcusim.numbers.tables import Interpolation, Line

TOGETHER, LANES = 2, 2  # words of a turn, and numbers of a word
# Registers: what stays, and what is lost
START, LENGTH, PAIR, ONE, HALF = "r6", "r7", "r10", "r11", "r12"
PLACE, WEIGHTS, ENTRIES = "r8", "r9", "lr"
MOST_SHIFT = 14  # that a weight of 1 has 16 bits with a sign
NOT_TAKEN, UNALIGNED = -1.0, 0.5  # cycles: a branch against one that is taken, a load of two entries in the mean
LEAST_INSIDE = 0.7  # of all numbers: a line beyond takes longer


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
