"""Sums of affine numbers as one linear function of the numbers stored: found, and proved for all pairs of them.

What TFLM computes in some forty cycles (two factors, three roundings) is (first * x + second * y + start) >> shift for
constants of 32 bits, but for pairs that lie next to where an output becomes another. There are 65,536 pairs: constants
are sought that are right for every one, and where there are none, nobody uses them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcusim.numbers.affine import Affine, ScaledAddition
from mcusim.numbers.factors import Factors
from mcusim.numbers.numbers import Activation

WORD_BITS, LANE_BITS = 32, 16
NEAR = 2.0**-9  # of outputs: pairs that so little makes another output of
MARGIN = 2.0**-20  # that constants should leave to every pair
MOST_STEPS = 3000
FREE = 1 << 40  # more than a sum has


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
        own = _real(self.addition.rescale.factors) * 2.0**self.addition.left
        first, second = (
            sign * own * _real(factors) for sign, factors in zip(self.signs, self.addition.factors, strict=True)
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


def _real(factors: Factors) -> float:
    return float(factors.multipliers[0]) * 2.0 ** (int(factors.shifts[0]) - 31)
