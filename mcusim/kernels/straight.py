"""Sums of affine numbers become outputs by a product and a shift that the code knows: two instructions a sum.

TFLM rounds a product, and rounds again when it is shifted. An output never falls when its sum grows, so it is known by
its steps: the least sums that give each number. A line `(sum 2**left + more) multiplier / 2**32 + addend`, shifted and
saturated, has the same steps; that is proved for all sums that a channel can have. Where 2**left lies in its weights,
with `left` so that all channels are shifted alike, the line is exact as long as shifts do not differ by more than 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mcusim.kernels.assembly import Assembly, imm
from mcusim.kernels.finish import CLAMP_CYCLES, FactorFinish, ending_of
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.affine import Affine, Multiplied
from mcusim.system.arrays import Array

MOST_LEFT = 8  # bits: of weights of 8, so that 16 hold them
USUAL_SHIFT, MOST_SHIFT = 10, 20  # where one is as good as another, layers share their code
ADDENDS = (0, 1, -1, 2, -2, 3, -3, 4, -4)  # that are tried, beside what it should be
FINER = (0, 2, 4, 6)  # bits of the sums, likewise
NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class StraightFinish(FactorFinish):
    """A record is the bias, the multiplier, the addend and 2**left, by which weights are multiplied."""

    shift: int = 0

    @property
    def key(self) -> str:
        return f"{super().key}_straight{self.shift}"

    @property
    def cycles(self) -> int:
        return 2 + CLAMP_CYCLES * sum(limit is not None for limit in self.limits)

    def saturated(self, a: Assembly, sums: Sequence[str], multiplier: str, addend: str) -> None:
        """Sums of a channel in registers -> numbers as they are stored."""
        for name in sums:
            a("smmla", name, name, multiplier, addend)
        for name in sums:
            a(self.saturate, name, imm(self.bits), name, f"asr #{self.shift}")
        self.limit(a, sums)

    @property
    def code_bytes(self) -> int:
        return 8 + 10 * sum(limit is not None for limit in self.limits)


class Lines(NamedTuple):
    """Of each channel. `more`: in units of the scaled sums, it goes into the bias."""

    left: Array
    more: Array
    multiplier: Array
    addend: Array


class Steps(NamedTuple):
    """`sums` (outputs, channels): the least that gives each of `outputs`, or one more than `high` where none does."""

    outputs: Array
    sums: Array
    low: Array
    high: Array


@lru_cache(maxsize=64)
def straight(layer: WeightedSum, entry: Affine) -> tuple[StraightFinish, Lines] | None:
    """None where no lines have the steps of all channels: there signs matter, or shifts are too far apart."""
    finish = ending_of(layer)
    if not isinstance(finish, FactorFinish) or not finish.above_zero or finish.bits > 8:
        return None
    steps = steps_of(layer, entry)
    if steps is None:
        return None
    rescale = layer.rescale
    assert isinstance(rescale, Multiplied)
    for shift in sorted(range(1, MOST_SHIFT + 1), key=lambda shift: abs(shift - USUAL_SHIFT)):
        lines = lines_of(rescale, steps, shift)
        if lines is not None:
            own = {**vars(finish), "fields": {**finish.fields, "straight": shift}, "left": False, "single": False}
            return StraightFinish(**own, shift=shift), lines
    return None


def straight_records(lines: Lines, bias: Array) -> Array:
    """(channels, record_words), as 32 bits. `bias`: of what is summed."""
    own = (bias << lines.left) + lines.more
    return np.stack([own, lines.multiplier, lines.addend, 1 << lines.left], axis=-1).astype(np.int32)


def steps_of(layer: WeightedSum, entry: Affine) -> Steps | None:
    """Where the inverse of the factor, and a few sums around it, tell them. None where they do not."""
    rescale = layer.rescale
    if not isinstance(rescale, Multiplied) or not rescale.factors.multipliers.size:
        return None
    low, high = sums_of(layer, entry)
    numbers = rescale.numbers
    least, most = (int(one) for one in layer.activation.limit(np.array([numbers.minimum, numbers.maximum]), numbers))
    outputs = np.arange(least + 1, most + 1)[:, None]
    factors = np.broadcast_to(
        np.ldexp(rescale.factors.multipliers.astype(float), rescale.factors.shifts - 31), low.shape
    )
    guess = np.floor((outputs - numbers.zero - 0.5) / factors).clip(low - 4, high + 4).astype(np.int64)
    below, there = np.clip(guess - 3, low - 1, high), np.clip(guess + 4, low, high + 1)
    for _ in range(3):
        middle = (below + there) // 2
        reached = rescale.apply(middle, layer.activation) >= outputs
        below, there = np.where(reached, below, middle), np.where(reached, middle, there)
    there = np.maximum(there, low)
    right = (there == high + 1) | (rescale.apply(there, layer.activation) >= outputs)
    right &= (there == low) | (rescale.apply(there - 1, layer.activation) < outputs)
    return Steps(outputs, there, low, high) if right.all() else None


def sums_of(layer: WeightedSum, entry: Affine) -> tuple[Array, Array]:
    """The least and the largest of each channel, of inputs as they are stored."""
    rows = layer.kernel.reshape(len(layer.kernel), -1).astype(np.int64)
    above, below = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    low = above * entry.minimum + below * entry.maximum
    high = above * entry.maximum + below * entry.minimum
    return layer.bias + low, layer.bias + high


def lines_of(rescale: Multiplied, steps: Steps, shift: int) -> Lines | None:
    """With that shift. Where a line is not exact, sums are scaled by more, so that there is more to choose from."""
    multipliers, shifts = np.broadcast_arrays(rescale.factors.multipliers, -rescale.factors.shifts, steps.low)[:2]
    lines = _constant(steps, shift)
    found = lines.multiplier == 0
    for finer in FINER:
        left = np.clip(shift + 1 - shifts + finer, 0, MOST_LEFT)
        spare = shifts + left - shift - 1  # bits of the multiplier that have no room
        if (spare < 0)[~found].any():
            return None
        spare = np.clip(spare, 0, 40)
        multiplier = (multipliers + (1 << spare >> 1)) >> spare
        half = (1 << shift >> 1) + (1 << np.clip(shift - shifts, 0, 62) >> 1)
        for change in ADDENDS:
            addend = (rescale.numbers.zero << shift) + half + change
            least, most = _room(steps, multiplier, addend, left, shift)
            tried = Lines(left, np.clip(0, least, np.maximum(least, most)), multiplier, addend)
            better = ~found & (least <= most) & _fits(steps, tried)
            lines = Lines(*(np.where(better, new, old) for new, old in zip(tried, lines, strict=True)))
            found = found | better
        if found.all():
            return lines
    return None


def _constant(steps: Steps, shift: int) -> Lines:
    """Channels whose sums all give the same number have a multiplier of 0; others one of 1, which means nothing yet."""
    varies = ((steps.sums > steps.low) & (steps.sums <= steps.high)).any(axis=0)
    value = steps.outputs[0] - 1 + (steps.sums == steps.low).sum(axis=0)
    nothing = np.zeros_like(varies, np.int64)
    return Lines(nothing, nothing, np.asarray(varies, np.int64), np.asarray((value << shift) + (1 << shift >> 1)))


def _fits(steps: Steps, lines: Lines) -> Array:
    """In 32 bits?"""
    largest = np.maximum(np.abs(steps.low), np.abs(steps.high)) << lines.left
    return (largest + np.abs(lines.more) < 1 << 31) & (np.abs(lines.addend) < 1 << 30)


def _room(steps: Steps, multiplier: Array, addend: Array, left: Array, shift: int) -> tuple[Array, Array]:
    """The least and the largest `more` with which the line has all steps."""
    wanted = ((steps.outputs << shift) - addend) << 32
    ends = -(-wanted // np.maximum(multiplier, 1))  # the least scaled sum that reaches it
    least = np.where(steps.sums <= steps.high, ends - (steps.sums << left), -NONE).max(axis=0)
    most = np.where(steps.sums > steps.low, ends - ((steps.sums - 1) << left) - 1, NONE).min(axis=0)
    return least, most
