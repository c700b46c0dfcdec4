"""Functions of one number on affine numbers of 16 bits, whose zero is 0: bit for bit those of TFLM's kernels.

Each is a `Lookup` with a kernel of its own; their C twin is `codegen/numbers/affine_wide.h`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from mcusim.numbers.affine import Affine
from mcusim.numbers.factors import Factors, rescaled, wrapped
from mcusim.numbers.integers import unless_zero
from mcusim.numbers.numbers import Fields
from mcusim.numbers.tables import Lookup
from mcusim.system.arrays import Array

NO_TABLE = np.zeros(0, np.int16)
STEPS = 24  # entries of the table of sigmoids for each unit
ENTRIES = 256
LARGEST_ENTRY = 65535
NEAR_POWER = 1e-3  # log2 of a scale that counts as a whole one
UNITS = 12288.0  # 2**12, thrice: inputs in steps of 1/24 with 9 bits behind


@dataclass(frozen=True, eq=False, kw_only=True)
class TwoFactors(Lookup):
    """Of RELU, LEAKY_RELU and PRELU with one slope: numbers below 0 have a factor of their own, or become 0."""

    kept: Factors
    leaked: Factors | None
    sign: int = 1  # of what leaks, after it is rounded

    kernel: ClassVar[str] = "two_factors"

    def apply(self, x: Array) -> Array:
        x = x.astype(np.int64) - self.entry.zero
        below = np.zeros_like(x) if self.leaked is None else self.sign * self.leaked.apply(x)
        y = np.where(x >= 0, self.kept.apply(x), below) + self.numbers.zero
        return np.asarray(np.clip(y, self.numbers.minimum, self.numbers.maximum), self.numbers.dtype)

    def fields(self) -> Fields:
        fields: Fields = {"kept": self.kept.one}
        if self.leaked is not None:
            fields |= {"leaked": self.leaked.one, "sign": self.sign}
        return {**fields, **unless_zero(from_zero=self.entry.zero, zero=self.numbers.zero)}


def relu(entry: Affine, out: Affine) -> TwoFactors:
    return TwoFactors(entry, out, NO_TABLE, kept=rescaled([entry.scale / out.scale]), leaked=None)


def leaky_relu(entry: Affine, out: Affine, slope: float) -> TwoFactors:
    kept, leaked = rescaled([entry.scale / out.scale]), rescaled([abs(entry.scale * slope / out.scale)])
    return TwoFactors(entry, out, NO_TABLE, kept=kept, leaked=leaked, sign=-1 if slope < 0 else 1)


@dataclass(frozen=True, eq=False)
class ScaledSlopes:
    """Of PRELU with many slopes, integers whose zero is taken off: below 0 a number times its slope is rescaled."""

    entry: Affine
    numbers: Affine
    kept: Factors
    leaked: Factors

    def apply(self, x: Array, slopes: Array) -> Array:
        x = x.astype(np.int64) - self.entry.zero
        y = np.where(x >= 0, self.kept.apply(x), self.leaked.apply(x * slopes)) + self.numbers.zero
        return np.asarray(np.clip(y, self.numbers.minimum, self.numbers.maximum), self.numbers.dtype)

    def fields(self) -> Fields:
        zeros = unless_zero(from_zero=self.entry.zero, zero=self.numbers.zero)
        return {"kept": self.kept.one, "leaked": self.leaked.one, **zeros}


def scaled_slopes(entry: Affine, out: Affine, slope_scale: float) -> ScaledSlopes:
    kept, leaked = rescaled([entry.scale / out.scale]), rescaled([entry.scale * slope_scale / out.scale])
    return ScaledSlopes(entry, out, kept, leaked)


@dataclass(frozen=True, eq=False, kw_only=True)
class WideSigmoid(Lookup):
    """Of LOGISTIC, or of TANH: inputs times `factor` / 2**`shift` are places between the entries of a table."""

    factor: int
    shift: int
    is_tanh: bool

    kernel: ClassVar[str] = "wide_sigmoid"

    @property
    def tables(self) -> Mapping[str, Array]:
        return {"sigmoids": sigmoids().astype(np.uint16)}

    def apply(self, x: Array) -> Array:
        half = (1 << self.shift) >> 1
        place = wrapped(x.astype(np.int64) * self.factor + half) >> self.shift
        y = self._tanh(place) if self.is_tanh else self._logistic(place)
        return np.asarray(y, np.int16)

    def _logistic(self, place: Array) -> Array:
        size = np.abs(place)
        y = _between(size, 9, 0x7FFF << 10)
        return np.where(place >= 0, y + 512, (1 << 25) - y + 511) >> 10

    def _tanh(self, place: Array) -> Array:
        y = _between(np.abs(place), 8, 0xFFFF << 8)
        return np.where(place >= 0, y - (1 << 23) + 128, -y + (1 << 23) + 127) >> 8

    def fields(self) -> Fields:
        return {"factor": self.factor, "shift": self.shift, "is_tanh": int(self.is_tanh)}


def _between(size: Array, bits: int, beyond: int) -> Array:
    """Straight lines between entries that lie 2**bits apart; one value for all beyond the last but one."""
    table, index = sigmoids(), np.minimum(size >> bits, ENTRIES - 2)
    line = (table[index] << bits) + (size & ((1 << bits) - 1)) * (table[index + 1] - table[index])
    return np.where(size >> bits >= ENTRIES - 1, beyond, line)


@cache
def sigmoids() -> Array:
    """Of i / STEPS, Q0.16, each lowered by half of what a straight line to the next is off in the middle."""

    def exact(place: float) -> float:
        return 65536.0 / (1.0 + math.exp(-place / STEPS))

    middle = [(exact(i) + exact(i + 1)) / 2 - exact(i + 0.5) for i in range(ENTRIES)]
    found = [math.floor(exact(i) + 0.5 - middle[i] / 2) for i in range(ENTRIES)]
    return np.array([*found[:-1], LARGEST_ENTRY], np.int64)


def logistic(entry: Affine, out: Affine) -> WideSigmoid:
    """The output's scale is 1/32768, whatever the file says."""
    factor, shift = _places(entry.scale, 0)
    return WideSigmoid(entry, out, NO_TABLE, factor=factor, shift=shift, is_tanh=False)


def tanh(entry: Affine, out: Affine) -> WideSigmoid:
    factor, shift = _places(entry.scale, 1)
    return WideSigmoid(entry, out, NO_TABLE, factor=factor, shift=shift, is_tanh=True)


def _places(scale: float, most: int) -> tuple[int, int]:
    """A scale of 2**-12 (for `most` 1 also 2**-11) is exact; else as many bits as 15 bits hold, the rest cut off."""
    power = np.float32(np.log(np.float32(scale)) * (np.float32(1) / np.log(np.float32(2))))
    left = 12 + round(float(power))
    if abs(float(power) - round(float(power))) < NEAR_POWER and 0 <= left <= most:
        return 3 << left, 0
    factor, shift = scale * UNITS, 0
    while factor <= 32767.0 / 2.0 and shift <= 30:
        factor, shift = factor * 2.0, shift + 1
    return int(factor), shift
