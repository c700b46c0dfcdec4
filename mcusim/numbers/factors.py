"""Real factors as integers: x -> x * factor, rounded as TensorFlow Lite Micro rounds. `nn_scaled` in C.

A factor is `multiplier * 2**(shift - 31)`, its multiplier from 2**30 on. Two ways to round are known:

    twice   the product to 31 bits less, halves up; then the rest of the shift, halves away from zero (TFLM's default)
    once    the whole shift at once, halves up: TFLM's single rounding, and its sums of 64 bits with 15-bit multipliers

Which of them TFLM was built with is no matter of a model: `rescaling` says it of all that is made within.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from mcusim.numbers.numbers import Fields
from mcusim.system.arrays import Array

Rescale = Literal["double", "single"]
MULTIPLIER_BITS = 31
NOTHING = (1, -MULTIPLIER_BITS + 1)  # makes 0 of everything: a multiplier of 0 stands for no factor in C
LARGEST_MULTIPLIER, LARGEST_SHIFT = (1 << MULTIPLIER_BITS) - 1, 30
LARGEST_SHORT = 0x7FFF0000  # multipliers of 31 bits that fit into 15 when they are rounded


@dataclass(frozen=True, eq=False)
class Factors:
    """One for all channels, or one for each: `multipliers` and `shifts` (1,) or (channels,).

    `shifts` to the left, of a number before (positive) or after (negative) its product; rounded once they are all to
    the right, and positive. Without multipliers numbers stay as they are.
    """

    multipliers: Array
    shifts: Array
    is_once: bool = False

    def apply(self, x: Array) -> Array:
        """(..., channels) in 64 bits -> (..., channels), within 32."""
        if not self.multipliers.size:
            return np.asarray(x, np.int64)
        if self.is_once:
            half = np.int64(1) << (self.shifts - 1)
            return wrapped((np.asarray(x, np.int64) * self.multipliers + half) >> self.shifts)
        left, right = np.maximum(self.shifts, 0), np.maximum(-self.shifts, 0)
        shifted = wrapped(wrapped(x) << left) if left.any() else wrapped(x)
        return divided(high_product(shifted, self.multipliers), right)

    @property
    def constants(self) -> Mapping[str, Array]:
        """Where each channel has its own."""
        if self.multipliers.size < 2:
            return {}
        return {"multipliers": self.multipliers.astype(np.int32), "shifts": self.shifts.astype(np.int8)}

    def fields(self) -> Fields:
        if self.multipliers.size > 1:
            return {"multipliers": "multipliers", "shifts": "shifts", **self.rounding}
        return {"factor": self.one} if self.multipliers.size else {}

    @property
    def rounding(self) -> Fields:
        return {"rounding": "NN_ONCE"} if self.is_once else {}

    @cached_property
    def one(self) -> Fields:
        """The only one, as C writes it."""
        shift = int(self.shifts[0])
        return {"multiplier": int(self.multipliers[0]), **({"shift": shift} if shift else {}), **self.rounding}

    @property
    def places(self) -> Array:
        """Bits that a product is shifted to the right by, in all."""
        return self.shifts if self.is_once else MULTIPLIER_BITS - self.shifts

    @property
    def reals(self) -> Array:
        """Without multipliers 1."""
        return np.ldexp(self.multipliers.astype(float), -self.places) if self.multipliers.size else np.ones(1)

    def _at(self, multipliers: Array, places: Array) -> Factors:
        return replace(self, multipliers=multipliers, shifts=places if self.is_once else MULTIPLIER_BITS - places)

    def with_quarters(self, where: Array) -> Factors:
        """1/4, exactly, for the channels `where` it is True."""
        return self._at(np.where(where, 1 << 30, self.multipliers), np.where(where, 32, self.places))

    def divided(self, count: int) -> Factors:
        """By a number of elements, as MEAN does it: the multiplier is cut, not rounded."""
        most = [min(count.bit_length() - 1, 32, 62 - int(places)) for places in self.places]
        cut = [(int(one) << left) // count for one, left in zip(self.multipliers, most, strict=True)]
        return self._at(np.array(cut, np.int64), self.places + np.array(most))


NO_FACTOR = Factors(np.zeros(0, np.int64), np.zeros(0, np.int64))
_HOW: ContextVar[Rescale] = ContextVar("rescale", default="double")


@contextmanager
def rescaling(how: Rescale) -> Iterator[None]:
    before = _HOW.set(how)
    try:
        yield
    finally:
        _HOW.reset(before)


def rescaled(ratios: Sequence[float]) -> Factors:
    """As TFLM is built."""
    return once(ratios) if _HOW.get() == "single" else twice(ratios)


def twice(ratios: Sequence[float]) -> Factors:
    return Factors(*_arrays(_merged([multiplier(ratio) for ratio in ratios])))


def once(ratios: Sequence[float], bits: int = MULTIPLIER_BITS) -> Factors:
    """With multipliers of 31 bits, or of 15."""
    pairs = [multiplier(ratio) for ratio in ratios]
    if bits < MULTIPLIER_BITS:
        pairs = [(_short(one), shift) if (one, shift) != NOTHING else NOTHING for one, shift in pairs]
    return Factors(*_arrays(_merged([(one, max(1, bits - shift)) for one, shift in pairs])), is_once=True)


def multiplier(ratio: float) -> tuple[int, int]:
    """-> multiplier and shift: ratio is about multiplier * 2**(shift - 31). What is too small is NOTHING."""
    if ratio == 0:
        return NOTHING
    fraction, shift = math.frexp(ratio)
    whole = int(math.copysign(math.floor(abs(fraction) * 2.0**MULTIPLIER_BITS + 0.5), fraction))
    if abs(whole) == 1 << MULTIPLIER_BITS:
        whole, shift = whole // 2, shift + 1
    if shift > LARGEST_SHIFT:  # as TFLM has it, where it rounds once; elsewhere it is undefined there
        return int(math.copysign(LARGEST_MULTIPLIER, whole)), LARGEST_SHIFT
    return NOTHING if shift < -MULTIPLIER_BITS else (whole, shift)


def high_product(x: Array, y: Array | int) -> Array:
    """x y / 2**31, halves up, saturated: gemmlowp's SaturatingRoundingDoublingHighMul."""
    product = np.asarray(x, np.int64) * np.asarray(y, np.int64)
    product += 1 << 30
    product >>= 31
    return np.asarray(np.minimum(product, (1 << 31) - 1))


def divided(x: Array, power: Array | int) -> Array:
    """x / 2**power, halves away from zero: gemmlowp's RoundingDivideByPOT."""
    x, power = np.asarray(x, np.int64), np.asarray(power, np.int64)
    half = (np.int64(1) << power) >> 1
    found = x + half
    found -= x < 0 if power.all() else (x < 0) & (power > 0)
    found >>= power
    return np.asarray(found)


def wrapped(x: Array) -> Array:
    """As 32 bits hold it."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def _short(whole: int) -> int:
    return (whole + (1 << 15)) >> 16 if whole < LARGEST_SHORT else 0x7FFF


def _merged(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """One where all are equal."""
    return pairs[:1] if len(set(pairs)) == 1 else pairs


def _arrays(pairs: list[tuple[int, int]]) -> tuple[Array, Array]:
    whole, shifts = zip(*pairs, strict=True)
    return np.array(whole, np.int64), np.array(shifts, np.int64)
