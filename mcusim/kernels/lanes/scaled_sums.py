"""Sums of two arrays of affine numbers, word by word: a product of 16 bits with 32 for each number, a saturation."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.calls import Fields, reading_all
from mcusim.kernels.finish import Limits, limits_of
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.linear import Linear, linear_of
from mcusim.kernels.lanes.streams import Work
from mcusim.kernels.lanes.wide_sums import WideSumming, wide_summing
from mcusim.kernels.lanes.words import FAR, SPARE, Words, packed
from mcusim.numbers.affine import ScaledAddition, as_affine
from mcusim.numbers.numbers import LINEAR, Activation

FIRST, SECOND, START, X_MASK, Y_MASK, MORE = "r6", "r7", "r10", "r11", "r9", "r5"
SIGNED_LANES, UNSIGNED_LANES = 0xFF00FF00, 0x7F807F80


@dataclass(frozen=True)
class ScaledSumming(Work):
    """`linear` of numbers, of which `x_unsigned` and `y_unsigned` ones have no sign, as outputs may have none."""

    linear: Linear
    x_unsigned: bool
    y_unsigned: bool
    unsigned: bool
    limits: Limits
    twin_kernel: str
    fields: Fields = field(compare=False)  # what the function was found for

    @property
    def unrolled(self) -> int:
        return 2  # of which one at a time is in registers

    @property
    def words(self) -> Words:
        return Words(8, self.unsigned, LINEAR, None, 1)

    @property
    def key(self) -> str:
        signs = "".join("u" if one else "s" for one in (self.x_unsigned, self.y_unsigned, self.unsigned))
        numbers = (self.linear.first, self.linear.second, self.linear.start)
        spelled = "_".join(f"{number % 2**32:x}" for number in numbers)
        return f"scaled_sum_{signs}_{spelled}_{self.linear.shift}{limits_key(self.limits)}"

    @property
    def summary(self) -> Sequence[str]:
        first, second, start, shift = self.linear.first, self.linear.second, self.linear.start, self.linear.shift
        return (
            f"((x * {first} >> 16) + (y * {second} >> 16) + {start}) >> {shift}, limited.",
            "",
            f"x and y are raised by {8 - self.x_unsigned} and {8 - self.y_unsigned} bits. For every x and every y this",
            "is the sum with its factors and roundings.",
        )

    def prepare(self, a: Assembly) -> None:
        for name, value in ((FIRST, self.linear.first), (SECOND, self.linear.second), (START, self.linear.start)):
            constant(a, name, value)
        constant(a, X_MASK, UNSIGNED_LANES if self.x_unsigned else SIGNED_LANES)
        if self.x_unsigned != self.y_unsigned:
            constant(a, Y_MASK, UNSIGNED_LANES if self.y_unsigned else SIGNED_LANES)

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        (one,), (other,) = x, y
        other_mask = X_MASK if self.x_unsigned == self.y_unsigned else Y_MASK
        _lanes(a, FAR, one, X_MASK, self.x_unsigned)
        _lanes(a, SPARE, other, other_mask, self.y_unsigned)
        _products(a, MORE, FAR, SPARE)  # bytes 0 and 2
        _products(a, SPARE, one, other)  # bytes 1 and 3
        for name in (MORE, FAR, SPARE, one):
            a("usat" if self.unsigned else "ssat", name, imm(8), name, f"asr #{self.linear.shift}")
        packed(a, one, MORE, SPARE, FAR, one)
        self.words.keep_within(a, one, self.limits, other)


def scaled_summing(
    addition: ScaledAddition, inputs: Inputs, activation: Activation, signs: tuple[int, int] = (1, 1)
) -> ScaledSumming | WideSumming | None:
    """None for other than two arrays, or where sums of 8 bits are not linear. One of a difference's `signs` is -1."""
    entries = tuple(as_affine(entry.numbers) for entry in inputs if entry.numbers is not None)
    if len(entries) != 2 or not all(factors.multipliers.size for factors in addition.factors):
        return None
    fields = {**reading_all(inputs), **addition.fields(activation)}
    if signs != (1, 1):
        fields |= {"operation": "NN_SUBTRACT", **({"reversed": 1} if signs[0] < 0 else {})}
    if any(one.bits != 8 for one in (*entries, addition.numbers)):
        return wide_summing(addition, entries, activation, signs, fields)
    linear = linear_of(addition, (entries[0], entries[1]), activation, signs)
    if linear is None:
        return None
    twin = "sum_of_two" if signs == (1, 1) else "merged_words"
    unsigned = not entries[0].signed, not entries[1].signed, not addition.numbers.signed
    return ScaledSumming(linear, *unsigned, limits_of(activation, addition.numbers), twin, fields)


def _lanes(a: Assembly, even: str, word: str, mask: str, unsigned: bool) -> None:
    """Bytes 0 and 2 of a word, and 1 and 3 in its own place, each at the upper end of 16 bits, or below a sign."""
    a("and", even, mask, word, f"lsl #{8 - unsigned}")
    a("and", word, mask, word, *(["lsr #1"] * unsigned))


def _products(a: Assembly, low: str, x: str, y: str) -> None:
    """Of lanes: sums in `low` and in `x`."""
    a("smlawb", low, FIRST, x, START)
    a("smlawt", x, FIRST, x, START)
    a("smlawb", low, SECOND, y, low)
    a("smlawt", x, SECOND, y, x)


def limits_key(limits: Limits) -> str:
    """As a part of a name."""
    return "".join(f"_{name}{one % 256}" for name, one in zip("fc", limits, strict=True) if one is not None)
