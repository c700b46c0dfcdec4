"""An average in instructions: words are summed up in lanes, and sums become means as `means.py` proves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.lanes.means import ANY_STEEPER, FACTOR_BITS, SUM_BITS, AnyLine, Line, Saturation, Twice
from mcusim.kernels.lanes.pairs import PAIR_BYTES, PairsEnd, end_pairs
from mcusim.kernels.lanes.words import FAR, SPARE, Words, packed

SUMS, SEEN = ("r4", "r5", "r6", "r7"), ("r8", "r9")  # registers of integers: two words at a time
FACTOR, START = "factor", "start"  # stay, in r10 and r11
COUNT = "s15"  # of a window of any size, as a real number


@dataclass(frozen=True)
class Shifted:
    """(start + sum) >> shift: of 2^n taps, in 32 bits."""

    start: int
    shift: int


@dataclass(frozen=True)
class InPairs:
    """Sums of 2^n taps in 16 bits, which stay two in a word; they begin with `start`."""

    start: int
    end: PairsEnd


@dataclass(frozen=True)
class Quotient:
    """Of real numbers. `count`: None where code has it in COUNT."""

    count: int | None


Ending = Line | AnyLine | Twice | Shifted | InPairs | Quotient


@dataclass(frozen=True)
class Mean:
    """`words`: of the output. `unsigned`: have inputs no sign? `wide`: do bytes need sums of 32 bits?

    `fields`: of its twin.
    """

    words: Words
    unsigned: bool
    wide: bool
    ending: Ending
    saturation: Saturation | None
    fields: tuple[tuple[str, Any], ...] = field(hash=False)

    @property
    def key(self) -> str:
        """What two routines have in common, as a part of their names."""
        own = "".join(f"_{_told(value)}" for name, value in self.fields if name not in ("activation", "storage"))
        saturation = f"_{self.saturation.key}" if self.saturation else ""
        line = self.ending.key if isinstance(self.ending, Line | AnyLine) else ""
        return f"{self.words.key}{'_wide' * self.wide}{'_of_unsigned' * self.unsigned}{saturation}{own}{line}"

    @property
    def together(self) -> int:
        """Words whose sums are in registers at once."""
        return self.words.several if self.words.real else 1 if self.wide else 2

    def prepare(self, a: Assembly) -> None:
        """What stays in registers while windows pass, of those that are whole."""
        ending = self.ending
        if isinstance(ending, Line | Twice):
            constant(a, FACTOR, ending.factor)
            constant(a, START, ending.start)
        elif isinstance(ending, Shifted):
            constant(a, START, ending.start)
        elif isinstance(ending, InPairs):
            constant(a, FACTOR, PAIR_BYTES)
            constant(a, START, ending.start * 0x00010001)

    def prepare_any(self, a: Assembly, rows: str, columns: str) -> None:
        """Likewise, of a window of `rows` x `columns` taps."""
        line = self.ending
        a("mul", SPARE, rows, columns)
        if isinstance(line, Quotient):
            a("vmov", COUNT, SPARE)
            a("vcvt.f32.s32", COUNT, COUNT)
            return
        assert isinstance(line, AnyLine)
        a("mov", FACTOR, imm(1 << FACTOR_BITS))
        a("udiv", FACTOR, FACTOR, SPARE)
        if not line.away:
            if line.nearest:
                a("orr", START, SPARE, imm(1))
                a("mul", START, START, FACTOR)
            a("lsr", START, START if line.nearest else FACTOR, imm(line.cut - line.left + 1))
            return
        a("add", FACTOR, FACTOR, FACTOR, f"lsr #{ANY_STEEPER}")
        constant(a, START, 2 * line.middle + 1 << line.shift - 1)
        if line.middle:
            a("mov", FAR, imm(line.middle << line.cut - line.left))
            a("mul", FAR, FAR, SPARE)
            a("smmul", FAR, FAR, FACTOR)
            a("sub", START, START, FAR)

    # ---- sums

    def load(self, a: Assembly, base: str, offset: int, places: Sequence[int], *, first: bool) -> None:
        """Words of a tap, to be added: of real numbers the first ones are sums themselves."""
        names = SEEN if not self.words.real else self.words.first if first else self.words.second
        self.words.load(a, names[: len(places)], base, offset, places)

    def add(self, a: Assembly, words: int, *, first: bool) -> None:
        """What was loaded."""
        if self.words.real:
            if not first:
                for one, other in zip(self.words.first[:words], self.words.second, strict=False):
                    a("vadd.f32", one, one, other)
            return
        for seen, sums in zip(SEEN[:words], self._sums(words), strict=True):
            if self.wide or self.words.number_bytes == 1:
                self._add_bytes(a, sums, seen, first)
            else:
                self._add_halfwords(a, sums, seen, first)

    def _sums(self, words: int) -> list[tuple[str, ...]]:
        """Registers of each word's."""
        each = 4 if self.wide else 2
        return [SUMS[each * word : each * (word + 1)] for word in range(words)]

    @property
    def _extend(self) -> str:
        return "uxt" if self.unsigned else "sxt"

    @property
    def _begin(self) -> str | None:
        """What sums begin with."""
        return START if isinstance(self.ending, Shifted | InPairs) and self.ending.start else None

    def _add_bytes(self, a: Assembly, sums: Sequence[str], seen: str, first: bool) -> None:
        """One in a sum, or two in a word of sums."""
        together = "" if self.wide else "16"
        for name, turned in zip(sums, ((), ("ror #8",), ("ror #16",), ("ror #24",)), strict=False):
            to = self._begin if first else name
            a(f"{self._extend}{'a' if to else ''}b{together}", name, *([to] if to else []), seen, *turned)

    def _add_halfwords(self, a: Assembly, sums: Sequence[str], seen: str, first: bool) -> None:
        low, high = sums
        to_low, to_high = (self._begin, self._begin) if first else (low, high)
        a(f"{self._extend}{'a' if to_low else ''}h", low, *([to_low] if to_low else []), seen)
        how = "lsr" if self.unsigned else "asr"
        if to_high:
            a("add", high, to_high, seen, f"{how} #16")
        else:
            a(how, high, seen, imm(16))

    # ---- means

    def end(self, a: Assembly, words: int) -> tuple[str, ...]:
        """Means of so many words -> the registers that they are in."""
        if self.words.real:
            return self._divide(a, self.words.first[:words])
        ended = []
        for sums in self._sums(words):
            if isinstance(self.ending, InPairs):
                end_pairs(a, sums[0], sums[1], self.ending.end, FACTOR)
            else:
                assert self.saturation is not None
                self._pack(a, self._limited(a, sums))
                self.words.keep_within(a, sums[0], self.saturation.limits, FAR)
            ended.append(sums[0])
        return tuple(ended)

    def _divide(self, a: Assembly, sums: Sequence[str]) -> tuple[str, ...]:
        """A sum in plain C begins with 0, which makes 0 of -0; to add it at the end does so, too."""
        assert isinstance(self.ending, Quotient)
        zero, divisor = self.words.second[0], COUNT
        a("mov", FAR, imm(0))
        a("vmov", zero, FAR)
        for name in sums:
            a("vadd.f32", name, name, zero)
        count = self.ending.count
        is_power = count is not None and count & (count - 1) == 0
        if count is not None:
            divisor = self.words.second[1]
            constant(a, FAR, int(np.float32(1 / count if is_power else count).view(np.uint32)))
            a("vmov", divisor, FAR)
        for name in sums:
            if count != 1:
                a("vmul.f32" if is_power else "vdiv.f32", name, name, divisor)
        self.words.limit(a, sums, zero)
        return tuple(sums)

    def _limited(self, a: Assembly, sums: Sequence[str]) -> tuple[str, ...]:
        """Each mean in a register of its own, in the order in which they are stored."""
        ending, saturation = self.ending, self.saturation
        assert saturation is not None and isinstance(ending, Line | AnyLine | Twice | Shifted)
        means: tuple[str, ...] = tuple(sums)
        if isinstance(ending, Twice):
            means = self._twice(a, sums, ending)
        elif not isinstance(ending, Shifted):
            if ending.cut < SUM_BITS:
                even, odd = sums
                means = (even, odd, FAR, SPARE)
                for low, high in ((even, FAR), (odd, SPARE)):
                    a("smlawt", high, FACTOR, low, START)
                    a("smlawb", low, FACTOR, low, START)
            else:
                for name in sums:
                    if ending.left:
                        a("lsl", name, name, imm(ending.left))
                for name in sums:
                    a("smmla", name, name, FACTOR, START)
        for name in means:
            a(saturation.how, name, imm(saturation.bits), name, *([f"asr #{ending.shift}"] if ending.shift else []))
        return means

    def _twice(self, a: Assembly, sums: Sequence[str], twice: Twice) -> tuple[str, ...]:
        """What was SEEN is lost."""
        sign, addend = SEEN
        means = tuple(sums)
        if self.wide:
            for name in sums:
                a("add", name, name, START)
        else:
            means = (*sums, FAR, SPARE)
            for low, high in zip(sums, (FAR, SPARE), strict=True):
                a("add", high, START, low, "asr #16")
                a("sxtah", low, START, low)
        constant(a, addend, twice.addend)
        for name in means:
            a("add", sign, addend, name, "asr #31")
            a("lsl", name, name, imm(1))
            a("smmlar", name, name, FACTOR, sign)
        return means

    def _pack(self, a: Assembly, means: Sequence[str]) -> None:
        if len(means) == 2:
            a("pkhbt", means[0], *means, "lsl #16")
        else:
            packed(a, means[0], *means)


def _told(value: Any) -> str:
    """Of a field, in a name."""
    if isinstance(value, Mapping):
        return "_".join(map(_told, value.values()))
    if isinstance(value, (int, np.integer)):
        return f"{int(value) % 2**32:x}"
    return f"{np.float32(value).view(np.uint32):x}" if isinstance(value, (float, np.floating)) else str(value).lower()
