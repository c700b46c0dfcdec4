"""Numbers that are brought to another scale, a word at a time, on their way to somewhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.lanes.means import Line, Steps, line_through
from mcusim.kernels.lanes.pairs import MOST_PAIR, PAIR_BYTES, PairsEnd, end_pairs, pairs_end
from mcusim.kernels.lanes.words import FAR, SPARE, packed
from mcusim.numbers.affine import LongConversion, ScaledConversion
from mcusim.numbers.numbers import LINEAR, Numbers
from mcusim.numbers.power_of_two import ShiftConversion

# Registers: words and what is lost beside each, what stays
WORDS, LOST, FIRST, SECOND = ("r4", "r5"), ("r8", "r9"), "r6", "r7"
SIGNS, BYTE, HALF = 0x80808080, 8, 16
MOST_HALVINGS = 3  # more take longer than a shift of each number


class InPairs(NamedTuple):
    """Of bytes, on a scale 2^n coarser: in 16 bits, from `start` on."""

    start: int
    end: PairsEnd


class Shifted(NamedTuple):
    """Of 16 bits, on a scale 2^`shift` coarser."""

    shift: int
    rounding: int


class Moved(NamedTuple):
    """Of bytes: only the zero is another. `turned`: what has no sign gets one, or the other way round."""

    turned: bool
    by: int


How = InPairs | Shifted | Moved | Line


@dataclass(frozen=True)
class Converting:
    """`unsigned`: has the input no sign, and has the output none?"""

    how: How
    unsigned: tuple[bool, bool]

    def prepare(self, a: Assembly) -> None:
        """What stays in registers."""
        how = self.how
        if isinstance(how, InPairs):
            constant(a, FIRST, how.start % 2**HALF * 0x00010001)
            constant(a, SECOND, PAIR_BYTES)
        elif isinstance(how, Shifted):
            constant(a, FIRST, how.rounding * (0x00010001 if how.shift <= MOST_HALVINGS else 1))
            a("mov", SECOND, imm(0))
        elif isinstance(how, Moved):
            constant(a, FIRST, abs(how.by) * 0x01010101 if self.unsigned[1] else how.by % 2**BYTE * 0x01010101)
        else:
            constant(a, FIRST, how.factor)
            constant(a, SECOND, how.start)

    def __call__(self, a: Assembly, words: Sequence[str]) -> None:
        """What is beside a word, FAR and SPARE are lost."""
        for word in words:
            lost = LOST[WORDS.index(word)]
            if isinstance(self.how, InPairs):
                widen = f"{'u' if self.unsigned[0] else 's'}xtab16"
                a(widen, lost, FIRST, word, "ror #8")
                a(widen, word, FIRST, word)
                end_pairs(a, word, lost, self.how.end, SECOND)
            elif isinstance(self.how, Shifted):
                self._shift(a, word, lost, self.how.shift)
            elif isinstance(self.how, Moved):
                self._move(a, word, self.how)
            elif self.how.cut == HALF:
                self._line_of_bytes(a, word, lost, self.how.shift)
            else:
                self._line(a, word, lost, self.how.shift)

    def _shift(self, a: Assembly, word: str, low: str, shift: int) -> None:
        if shift <= MOST_HALVINGS:
            for time in range(shift):
                a("shadd16", word, word, SECOND if time else FIRST)
            return
        a("sxtah", low, FIRST, word)
        a("add", word, FIRST, word, f"asr #{HALF}")
        a("lsl", word, word, imm(HALF - shift))
        a("pkhtb", word, word, low, f"asr #{shift}")

    def _move(self, a: Assembly, word: str, how: Moved) -> None:
        if how.turned:
            a("eor", word, word, imm(SIGNS))
        if how.by:
            a(("uqadd8" if how.by > 0 else "uqsub8") if self.unsigned[1] else "qadd8", word, word, FIRST)

    def _line_of_bytes(self, a: Assembly, word: str, odd: str, shift: int) -> None:
        widen = "uxtb16" if self.unsigned[0] else "sxtb16"
        a(widen, odd, word, "ror #8")
        a(widen, word, word)
        a("smlawt", FAR, FIRST, word, SECOND)
        a("smlawt", SPARE, FIRST, odd, SECOND)
        a("smlawb", word, FIRST, word, SECOND)
        a("smlawb", odd, FIRST, odd, SECOND)
        for name in (word, odd, FAR, SPARE):
            self._saturate(a, name, BYTE, shift)
        packed(a, word, word, odd, FAR, SPARE)

    def _line(self, a: Assembly, word: str, low: str, shift: int) -> None:
        a("lsl", low, word, imm(HALF))
        a("bfc", word, imm(0), imm(HALF))
        for name in (low, word):
            a("smmla", name, name, FIRST, SECOND)
        for name in (low, word):
            self._saturate(a, name, HALF, shift)
        a("pkhbt", word, low, word, f"lsl #{HALF}")

    def _saturate(self, a: Assembly, name: str, bits: int, shift: int) -> None:
        a("usat" if self.unsigned[1] else "ssat", name, imm(bits), name, *([f"asr #{shift}"] * (shift > 0)))


def converting(conversion: object, layer: Layer, entry: Numbers, bits: int) -> Converting | None:
    """To the numbers of `layer`, all in so many bits. None where nothing that is written here does it exactly."""
    assert layer.numbers is not None
    unsigned = entry.minimum == 0, layer.numbers.minimum == 0
    if isinstance(conversion, ScaledConversion) and not isinstance(conversion, LongConversion):
        scaled = _scaled(conversion, entry, bits, unsigned)
        return None if scaled is None else Converting(scaled, unsigned)
    if not isinstance(conversion, ShiftConversion) or conversion.shift < 0:
        return None
    if bits == HALF:
        ends = entry.minimum >> conversion.shift, entry.maximum + conversion.rounding >> conversion.shift
        fits = conversion.shift > 0 and layer.numbers.minimum <= ends[0] and ends[1] <= layer.numbers.maximum
        return Converting(Shifted(conversion.shift, conversion.rounding), unsigned) if fits else None
    end = pairs_end(layer, conversion.shift)
    if end is None:
        return None
    start = conversion.rounding + end.offset
    return Converting(InPairs(start, end), unsigned) if start + entry.maximum <= MOST_PAIR else None


def _scaled(conversion: ScaledConversion, entry: Numbers, bits: int, unsigned: tuple[bool, bool]) -> How | None:
    if {entry.bits, conversion.numbers.bits} != {bits}:
        return None
    by = conversion.numbers.zero - conversion.from_zero
    if not conversion.factors.multipliers.size and bits == BYTE:
        turned = unsigned[0] != unsigned[1]
        rest = by + (128 if turned and unsigned[0] else -128 if turned else 0)
        if abs(rest) < 128:
            return Moved(turned, rest)
    return _line_of(conversion, entry.minimum, entry.maximum, bits)


@lru_cache(maxsize=256)
def _line_of(conversion: ScaledConversion, minimum: int, maximum: int, bits: int) -> Line | None:
    """An output never falls when its input grows: it is known by its steps."""
    outputs = conversion.apply(np.arange(minimum, maximum + 1))
    low, high = (int(one) for one in LINEAR.limit(np.array([-(2**31), 2**31 - 1]), conversion.numbers))
    steps = np.arange(low + 1, high + 1, dtype=np.int64)
    least = minimum + np.searchsorted(outputs, steps)
    slope = float(conversion.factors.reals[0])
    cut = HALF if bits == BYTE else 2 * HALF
    return line_through(slope, Steps(steps, least, minimum, maximum), cut, left=cut - HALF)
