"""Sums of affine numbers become outputs by a product and a shift that the code knows: two instructions a sum.

TFLM rounds a product, and rounds again when it is shifted. An output never falls when its sum grows, so it is known by
its steps: the least sums that give each number. A line `((sum + more) multiplier / 2**32 + addend) / 2**shift`, rounded
down and saturated, has the same steps for some `more` and `addend`: proved for all sums that a channel can have.
All channels of a layer are shifted alike. `addend` moves a line by a fraction of a sum's step: where `more` alone does
not bring all steps between two sums, one of a few thousand addends does.
Sums of 16 bits x 8 are rounded once: there the factor itself is a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.assembly import Assembly, at, imm
from mcusim.kernels.finish import CLAMP_CYCLES, Ending, FactorFinish, ending_of, records
from mcusim.kernels.once import once_by_weights
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.affine import Affine, Multiplied
from mcusim.system.arrays import Array

USUAL_SHIFT, MOST_SHIFT = 3, 12
SHIFTS = sorted(range(1, MOST_SHIFT + 1), key=lambda shift: abs(shift - USUAL_SHIFT))  # as layers share code by it
REACHES = (64, 1024, 16384)  # of addends that are tried, around what it should be
MOST_SUM, MOST_SPARE = 1 << 31, 40
NONE = 1 << 62


class Lines(NamedTuple):
    """Of each channel. `more`: of its sums, it goes into the bias."""

    more: Array
    multiplier: Array
    addend: Array


@dataclass(frozen=True)
class StraightFinish(FactorFinish):
    """A record is the bias, the multiplier and the addend of a line, and a word of nothing.

    `bare`: are all addends 0? Then nothing loads them.
    """

    shift: int = 0
    bare: bool = False
    lines: Lines | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> str:
        return f"{super().key}_{'bare' if self.bare else 'straight'}{self.shift}"

    @property
    def cycles(self) -> int:
        return 2 + CLAMP_CYCLES * sum(limit is not None for limit in self.limits)

    @property
    def code_bytes(self) -> int:
        return 8 + 10 * sum(limit is not None for limit in self.limits)

    @property
    def factor(self) -> tuple[str, ...]:
        return super().factor[: 2 - self.bare]

    def scaled(
        self, a: Assembly, sums: Sequence[str], factor: Sequence[str], spare: str = "", *, more: int | None = None
    ) -> None:
        """Sums of a channel in registers -> numbers as they are stored.

        `more`: as which power of two sums come; the addend comes so, too.
        """
        for name in sums:
            a("smmul" if self.bare else "smmla", name, name, *factor[: len(self.factor)])
        for name in sums:
            a(self.saturate, name, imm(self.bits), name, f"asr #{self.shift + (more or 0)}")
        self.limit(a, sums)


def scale_filters(
    a: Assembly,
    finish: FactorFinish,
    sums: Sequence[Sequence[str]],
    places: Sequence[int],
    free: Sequence[str],
    also: Sequence[tuple[str, int]] = (),
) -> None:
    """Sums of one or two filters -> numbers as they are stored. `places`: of their factors, on the stack.

    `free`: four registers, for one factor at a time, or for two lines. `also`: registers that are loaded with these,
    and from where.
    """
    if isinstance(finish, StraightFinish):
        lines = free[:2], free[2:4]
        for line, place in zip(lines, places, strict=False):
            finish.load(a, line, "sp", place)
        for register, place in also:
            a("ldr", register, at("sp", place))
        for line, own in zip(lines, sums, strict=False):
            finish.scaled(a, own, line)
        return
    *factor, spare = free
    for place, own in zip(places, sums, strict=True):
        finish.load(a, factor, "sp", place)
        finish.scaled(a, own, factor, spare)


class Steps(NamedTuple):
    """`sums` (outputs, channels): the least that gives each of `outputs`, or one more than `high` where none does."""

    outputs: Array
    sums: Array
    low: Array
    high: Array


@once_by_weights
def straight(layer: WeightedSum, entry: Affine) -> StraightFinish | None:
    """None where no lines have the steps of all channels: there signs matter, factors are large, or too far apart."""
    finish, rescale = ending_of(layer), layer.rescale
    if not isinstance(finish, FactorFinish) or not isinstance(rescale, Multiplied) or finish.has_wide_limits:
        return None
    if finish.unit_bits > 8:
        return _on(finish, *own_lines(rescale, layer.peak_sum)) if finish.single else None
    steps = steps_of(layer, entry)
    if steps is None:
        return None
    for shift in SHIFTS:
        lines = steeper_lines(rescale, steps, shift, bare=finish.above_zero)
        if lines is None and finish.above_zero:
            lines = lines_of(rescale, steps, shift)
        if lines is not None:
            return _on(finish, shift, lines)
    return None


def _on(finish: FactorFinish, shift: int, lines: Lines | None) -> StraightFinish | None:
    if lines is None:
        return None
    own = {**vars(finish), "fields": {**finish.fields, "straight": shift}, "left": False, "single": False, "raw": False}
    return StraightFinish(**own, shift=shift, bare=not lines.addend.any(), lines=lines)


def own_lines(rescale: Multiplied, peak_sum: int) -> tuple[int, Lines | None]:
    """Of what is rounded once: the factor is a line, where its multiplier has room for the shift.

    (sum m + 2**(t - 1)) >> t is (sum (m << 32 - t + shift) >> 32) + 2**(shift - 1) >> shift: floors nest. Channels
    whose sums all become 0 have a multiplier of 0.
    """
    multipliers, shifts = rescale.factors.multipliers, rescale.factors.shifts
    nothing = peak_sum * np.abs(multipliers) < 1 << np.minimum(shifts - 1, 62)
    for shift in SHIFTS:
        left = np.where(nothing, 0, 32 - shifts + shift)
        if left.min() >= 0 and (np.abs(multipliers) << np.minimum(left, 31))[~nothing].max(initial=0) < MOST_SUM:
            addend = np.full_like(multipliers, (rescale.numbers.zero << shift) + (1 << shift >> 1))
            return shift, Lines(np.zeros_like(addend), np.where(nothing, 0, multipliers << left), addend)
    return 0, None


def ending_in(layer: WeightedSum, entry: Layer, *, doubled: bool = True) -> Ending | None:
    """As `ending_of`, on lines where they have all steps of the sums of what `entry` stores."""
    found = straight(layer, entry.numbers) if isinstance(entry.numbers, Affine) else None
    return found or ending_of(layer, doubled=doubled)


def added(ending: Ending) -> Array:
    """What lines add to the sums of each channel, or a 0 where there are none."""
    lines = _lines(ending)
    return np.zeros(1, np.int64) if lines is None else lines.more


def _lines(ending: Ending) -> Lines | None:
    return ending.lines if isinstance(ending, StraightFinish) else None


def records_of(layer: WeightedSum, ending: Ending) -> Array:
    """As `records`."""
    lines = _lines(ending)
    if lines is None:
        return records(layer, ending)
    columns = (layer.bias + lines.more, lines.multiplier, lines.addend, np.zeros_like(lines.addend))
    return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.int32)


def steps_of(layer: WeightedSum, entry: Affine) -> Steps | None:
    """Where the inverse of the factor, and sums around it, tell them. None where they do not, or there is none."""
    rescale = layer.rescale
    if not isinstance(rescale, Multiplied) or not rescale.factors.multipliers.size:
        return None
    low, high = sums_of(layer, entry)
    numbers = rescale.numbers
    least, most = (int(one) for one in layer.activation.limit(np.array([numbers.minimum, numbers.maximum]), numbers))
    if least >= most:
        return None
    outputs = np.arange(least + 1, most + 1)[:, None]
    factors = np.broadcast_to(rescale.factors.reals, low.shape)
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
    """With that shift; None where a channel has none."""
    lines, varies = _constant(steps, shift)
    multipliers = _slopes(rescale, shift, varies)
    if multipliers is None:
        return None
    left = np.flatnonzero(varies)
    for reach in REACHES:
        changes = np.array(sorted(range(-reach, reach + 1), key=abs))
        own = Steps(steps.outputs, steps.sums[:, left], steps.low[left], steps.high[left])
        found, tried = _moved(own, multipliers[left], _middle(rescale, shift), shift, changes)
        for new, all_ in zip(tried, lines, strict=True):
            all_[left[found]] = new[found]
        left = left[~found]
        if not left.size:
            return lines
    return None


def steeper_lines(rescale: Multiplied, steps: Steps, shift: int, *, bare: bool) -> Lines | None:
    """Of factors whose steps lie a whole, even number of sums apart: all between two whole sums is one for a line.

    Halves below 0 go down: there every step comes a sum later than on a line, and so does that of one that is steeper,
    by half a sum over all outputs. `bare`: with no addend, where nothing is below 0 and `more` does for it.
    """
    lines, varies = _constant(steps, shift)
    multipliers = _slopes(rescale, shift, varies)
    if multipliers is None:
        return None
    middle = _middle(rescale, shift)
    farthest = int(np.abs(steps.outputs - rescale.numbers.zero).max()) + 1
    steeper = multipliers + (multipliers.astype(float) ** 2 / (farthest * 2.0 ** (33 + shift))).astype(np.int64)
    found, tried = _moved(steps, steeper, middle, shift, np.array([-middle if bare else 0]))
    if bare:
        lines = lines._replace(addend=lines.addend >> shift << shift)
    if not found[varies].all() or (bare and lines.addend[~found].any()):
        return None
    return Lines(*(np.where(found, new, own) for new, own in zip(tried, lines, strict=True)))


def _slopes(rescale: Multiplied, shift: int, varies: Array) -> Array | None:
    """Multipliers of all channels; None where that shift is more than one of those that vary has."""
    multipliers, shifts = np.broadcast_arrays(rescale.factors.multipliers, rescale.factors.places - 31, varies)[:2]
    spare = shifts - 1 - shift  # bits of the multiplier that have no room
    if (spare < 0)[varies].any():
        return None
    spare = spare.clip(0, MOST_SPARE)
    return np.asarray(multipliers + (1 << spare >> 1) >> spare)


def _middle(rescale: Multiplied, shift: int) -> int:
    """The addend that rounds."""
    return (rescale.numbers.zero << shift) + (1 << shift >> 1)


def _constant(steps: Steps, shift: int) -> tuple[Lines, Array]:
    """Lines of channels whose sums all give the same number; which are others?"""
    varies = ((steps.sums > steps.low) & (steps.sums <= steps.high)).any(axis=0)
    value = steps.outputs[0] - 1 + (steps.sums == steps.low).sum(axis=0)
    nothing = np.zeros_like(value)
    return Lines(nothing, nothing.copy(), (value << shift) + (1 << shift >> 1)), np.asarray(varies)


def _moved(steps: Steps, multiplier: Array, middle: int, shift: int, changes: Array) -> tuple[Array, Lines]:
    """Of each channel: does one of the changes of the addend bring its line to all steps? The first one that does.

    A line reaches an output at a sum when (sum + more) multiplier + (change << 32) >= wanted. So what is added to
    sum * multiplier has a least value, by the steps, and a largest one, by the sums just below them.
    """
    wanted = ((steps.outputs << shift) - middle) << 32
    added = wanted - steps.sums * multiplier
    least = np.where(steps.sums <= steps.high, added, -NONE).max(axis=0)
    most = np.where(steps.sums > steps.low, added + multiplier - 1, NONE).min(axis=0)
    moved, divisor = changes[:, None] << 32, np.maximum(multiplier, 1)
    lowest, highest = -((moved - least) // divisor), (most - moved) // divisor
    more = np.clip(0, lowest, np.maximum(lowest, highest))
    room = MOST_SUM - 1 - np.maximum(np.abs(steps.low), np.abs(steps.high))
    fits = (lowest <= highest) & (np.abs(more) <= room) & (multiplier > 0) & (multiplier < MOST_SUM)
    first, channels = fits.argmax(axis=0), np.arange(len(multiplier))
    return fits.any(axis=0), Lines(more[first, channels], multiplier, middle + changes[first])
