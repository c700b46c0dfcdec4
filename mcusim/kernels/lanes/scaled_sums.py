"""Sums of two arrays of affine numbers, word by word: a product of 16 bits with 32 for each number, a saturation.

What TFLM computes in some forty cycles (two factors, three roundings) is (first * x + second * y + start) >> shift for
constants of 32 bits, but for pairs that lie next to where an output becomes another. There are 65,536 pairs: constants
are sought that are right for every one, and where there are none, nobody uses them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.calls import Fields, reading_all
from mcusim.kernels.finish import Limits, limits_of
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.streams import Work
from mcusim.kernels.lanes.wide_sums import WideSumming, wide_summing
from mcusim.kernels.lanes.words import FAR, SPARE, Words, packed
from mcusim.numbers.affine import Affine, ScaledAddition, as_affine
from mcusim.numbers.numbers import LINEAR, Activation

WORD_BITS, LANE_BITS = 32, 16
NEAR = 2.0**-9  # of outputs: pairs that so little makes another output of
MARGIN = 2.0**-20  # that constants should leave to every pair
MOST_STEPS = 3000
FREE = 1 << 40  # more than a sum has
FIRST, SECOND, START, X_MASK, Y_MASK, MORE = "r6", "r7", "r10", "r11", "r9", "r5"
SIGNED_LANES, UNSIGNED_LANES = 0xFF00FF00, 0x7F807F80


@dataclass(frozen=True)
class Linear:
    """(first * x >> 16) + (second * y >> 16) + start, shifted and then limited; x and y raised by `lane_shift`."""

    first: int
    second: int
    start: int
    shift: int


def lane_shift(numbers: Affine) -> int:
    """By which a number fills the lane of 16 bits that multiplications take."""
    return LANE_BITS // 2 - (not numbers.signed)


@lru_cache(maxsize=256)
def linear_of(
    addition: ScaledAddition, entries: tuple[Affine, Affine], activation: Activation, signs: tuple[int, int] = (1, 1)
) -> Linear | None:
    """`signs`: of both. None where no such function is found."""
    sums = _Sums(addition, entries, activation, signs)
    slopes = sums.slopes
    return sums.proved(slopes) or sums.proved(sums.better(slopes))


class _Sums:
    """All pairs: `least` <= their sum < `above`, of outputs."""

    def __init__(
        self, addition: ScaledAddition, entries: tuple[Affine, Affine], activation: Activation, signs: tuple[int, int]
    ) -> None:
        self.addition, self.entries, self.signs = addition, entries, signs
        x, y = (np.arange(one.minimum, one.maximum + 1) for one in entries)
        self.x, self.y = x[:, None], y[None, :]
        first, second = addition.addends((self.x, self.y))
        outputs = addition.finish(signs[0] * first + signs[1] * second, activation).astype(np.int64)
        low, high = (int(one) for one in activation.limit(np.array([-(2**31), 2**31 - 1]), addition.numbers))
        self.is_low, self.is_high, self.outputs = outputs == low, outputs == high, outputs

    @property
    def slopes(self) -> tuple[float, float, float]:
        """As the scales have it."""
        own = float(self.addition.rescale.factors.reals[0]) * 2.0**self.addition.left
        first, second = (
            sign * own * float(factors.reals[0])
            for sign, factors in zip(self.signs, self.addition.factors, strict=True)
        )
        x_zero, y_zero = self.addition.zeros
        return first, second, self.addition.numbers.zero + 0.5 - first * x_zero - second * y_zero

    def proved(self, slopes: tuple[float, float, float]) -> Linear | None:
        """As integers, if these are right for all pairs."""
        first, second, start = slopes
        x_shift, y_shift = (lane_shift(one) for one in self.entries)
        reach = abs(first) * 256 + abs(second) * 256 + abs(start) + 1
        largest = max(reach, abs(first) * 2 ** (LANE_BITS - x_shift), abs(second) * 2 ** (LANE_BITS - y_shift))
        shift = min(WORD_BITS - 2 - int(np.ceil(np.log2(largest))), WORD_BITS - 1)
        if shift < 1:
            return None
        whole = [round(one * 2.0 ** (shift + LANE_BITS - by)) for one, by in ((first, x_shift), (second, y_shift))]
        sums = (whole[0] * (self.x << x_shift) >> LANE_BITS) + (whole[1] * (self.y << y_shift) >> LANE_BITS)
        least = int((np.where(self.is_low, -FREE, self.outputs << shift) - sums).max())
        most = int((np.where(self.is_high, FREE, self.outputs + 1 << shift) - sums).min()) - 1
        if least > most:
            return None
        middle = round(start * 2.0**shift)
        found = middle if least <= middle <= most else (least + most) // 2
        ends = found + int(sums.min()), found + int(sums.max()), found
        return None if max(map(abs, ends)) >= 2 ** (WORD_BITS - 1) else Linear(whole[0], whole[1], found, shift)

    def better(self, slopes: tuple[float, float, float]) -> tuple[float, float, float]:
        """Moved away from the pair that is nearest to a wrong output, again and again."""
        least = np.where(self.is_low, -np.inf, self.outputs)
        above = np.where(self.is_high, np.inf, self.outputs + 1)
        sums = slopes[0] * self.x + slopes[1] * self.y + slopes[2]
        near = np.minimum(sums - least, above - sums) < NEAR
        if not near.any():
            return slopes
        x, y = (np.broadcast_to(one, near.shape)[near] / 128 for one in (self.x, self.y))
        pairs, least, above = np.stack([x, y, np.ones(len(x))], axis=1), least[near], above[near]
        moved = np.array([slopes[0] * 128, slopes[1] * 128, slopes[2]])
        for _ in range(MOST_STEPS):
            room = np.minimum(pairs @ moved - least, above - pairs @ moved)
            worst = int(np.argmin(room))
            if room[worst] > MARGIN:
                break
            pair = pairs[worst]
            way = 1 if pair @ moved - least[worst] < above[worst] - pair @ moved else -1
            moved = moved + way * (1.5 * MARGIN - room[worst]) / (pair @ pair) * pair
        return float(moved[0]) / 128, float(moved[1]) / 128, float(moved[2])


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
