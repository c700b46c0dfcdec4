"""Sums and differences of two arrays of affine numbers of 16 bits, step by step as TFLM rounds them.

Addends have 15 bits behind the point of a scale twice the coarser one. So the coarser number is only shifted; the other
is multiplied and rounded twice, and so is their sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.calls import Fields
from mcusim.kernels.finish import Limits, limits_of
from mcusim.kernels.lanes.streams import Work
from mcusim.kernels.lanes.words import FAR, SPARE, Words
from mcusim.numbers.affine import Affine, ScaledAddition
from mcusim.numbers.factors import Factors
from mcusim.numbers.numbers import LINEAR, Activation

BITS, LEFT = 16, 15  # of numbers, and of addends behind the point
HALF = 1 << 30  # a multiplier of 1/2
MOST_ADDEND = 1 << 30
SEVERAL = 2  # words a turn
MULTIPLIER, ADDEND, LAST, LAST_ADDEND = "r6", "r7", "r10", "r11"


class Factor(NamedTuple):
    """`multiplier` / 2**31 / 2**`shift`, each of it rounded."""

    multiplier: int
    shift: int

    @property
    def only_shifts(self) -> bool:
        """Addends, whose lowest 15 bits are 0, without a rest?"""
        return self.multiplier == HALF and 0 <= self.shift < LEFT


@dataclass(frozen=True)
class WideSumming(Work):
    """`signs` of x and y: 1, or -1. `zero`: of the output."""

    factors: tuple[Factor, Factor]
    signs: tuple[int, int]
    last: Factor
    zero: int
    limits: Limits
    twin_kernel: str
    fields: Fields = field(compare=False)

    @property
    def words(self) -> Words:
        return Words(BITS, False, LINEAR, None, SEVERAL)

    @property
    def key(self) -> str:
        numbers = [number for factor in (*self.factors, self.last) for number in factor]
        told = "_".join(f"{number:x}" for number in (*numbers, self.zero % 2**BITS))
        limits = "".join(
            f"_{name}{one % 2**BITS:x}" for name, one in zip("fc", self.limits, strict=True) if one is not None
        )
        return f"wide_sum_{''.join('m' if sign < 0 else 'p' for sign in self.signs)}_{told}{limits}"

    @property
    def summary(self) -> Sequence[str]:
        x, y = (f"{factor.multiplier} / 2^31, / 2^{factor.shift}" for factor in self.factors)
        last = f"{self.last.multiplier} / 2^31, / 2^{self.last.shift}"
        return (
            f"{'differences' if min(self.signs) < 0 else 'sums'} of two numbers of 16 bits, limited.",
            "",
            f"x 2^{LEFT} {x}; y 2^{LEFT} {y}; both together {last}: all rounded twice.",
            "Addends are from -2^29 to 2^29 - 2^14, so that twice the sum or difference of two fits in 32 bits.",
        )

    @property
    def _shifted(self) -> int:
        """Which addend is only shifted."""
        return int(not self.factors[0].only_shifts)

    def prepare(self, a: Assembly) -> None:
        other = self.factors[1 - self._shifted]
        if not other.only_shifts:
            constant(a, MULTIPLIER, other.multiplier)
            constant(a, ADDEND, 1 << other.shift - 1)
        constant(a, LAST, self.last.multiplier)
        constant(a, LAST_ADDEND, (1 << self.last.shift - 1) + (self.zero << self.last.shift))

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        for one, other in zip(x, y, strict=True):
            shifted, rounded = (one, other) if self._shifted == 0 else (other, one)
            a("lsl", FAR, rounded, imm(BITS))
            self._rounded(a, FAR)
            a("lsl", SPARE, shifted, imm(BITS))
            self._sum(a, FAR, SPARE)
            for word in (rounded, shifted):
                a("bfc", word, imm(0), imm(BITS))
            self._rounded(a, rounded)
            self._sum(a, rounded, shifted)
            a("pkhbt", one, FAR, rounded, f"lsl #{BITS}")
            self.words.keep_within(a, one, self.limits, FAR)

    def _rounded(self, a: Assembly, name: str) -> None:
        """A number in the upper half -> its addend."""
        factor = self.factors[1 - self._shifted]
        if factor.only_shifts:
            a("asr", name, name, imm(factor.shift + 2))
            return
        a("add", SPARE, ADDEND, name, "asr #31")
        a("smmlar", name, name, MULTIPLIER, SPARE)
        a("asr", name, name, imm(factor.shift))

    def _sum(self, a: Assembly, name: str, shifted: str) -> None:
        """Of an addend and a number in the upper half, which is only shifted -> the output. SPARE is lost."""
        sign, other_sign = self.signs[self._shifted], self.signs[1 - self._shifted]
        how = "add" if sign == other_sign else "rsb" if sign > 0 else "sub"
        a(how, name, name, shifted, f"asr #{self.factors[self._shifted].shift + 2}")
        a("lsl", name, name, imm(1))
        a("add", SPARE, LAST_ADDEND, name, "asr #31")
        a("smmlar", name, name, LAST, SPARE)
        a("ssat", name, imm(BITS), name, f"asr #{self.last.shift}")


def wide_summing(
    addition: ScaledAddition, entries: Sequence[Affine], activation: Activation, signs: tuple[int, int], fields: Fields
) -> WideSumming | None:
    """None where a factor is not what is written here, or the zero of an input not 0. `fields`: of the twin."""
    first, second, last = (_factor(one) for one in (*addition.factors, addition.rescale.factors))
    numbers = addition.numbers
    if first is None or second is None or last is None or any(addition.zeros) or addition.left != LEFT:
        return None
    if any(one.bits != BITS for one in (*entries, numbers)) or not (first.only_shifts or second.only_shifts):
        return None
    if any(factor.shift < 1 for factor in (first, second) if not factor.only_shifts) or last.shift < 1:
        return None
    if (1 << last.shift - 1) + (abs(numbers.zero) << last.shift) >= MOST_ADDEND:
        return None
    twin = "sum_of_two" if min(signs) > 0 else "merged_words"
    limits = limits_of(activation, numbers)
    return WideSumming((first, second), signs, last, numbers.zero, limits, twin, fields)


def _factor(factors: Factors) -> Factor | None:
    """None for what is rounded once, or shifts to the left."""
    if factors.multipliers.size != 1 or factors.is_once or not -31 <= int(factors.shifts[0]) <= 0:
        return None
    return Factor(int(factors.multipliers[0]), -int(factors.shifts[0]))
