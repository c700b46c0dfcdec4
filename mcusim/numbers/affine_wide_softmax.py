"""Softmax of affine numbers of 16 bits, bit for bit as TFLM: exponentials and a reciprocal out of two tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from mcusim.numbers.affine import Affine, round_away
from mcusim.numbers.factors import Factors, rescaled
from mcusim.numbers.numbers import Fields
from mcusim.system.arrays import Array

REACH = 10.0  # of exponentials: numbers that are farther below the largest count as that far
ENTRIES = 513
SINGLE = np.float32


@dataclass(frozen=True, eq=False)
class TwoTables:
    """`factor`: of distances to the largest number, to units of the first table; `beta` is in it."""

    factor: Factors
    numbers: Affine
    beta: float = 1.0

    kernel = "wide_softmax"

    @property
    def tables(self) -> Mapping[str, Array]:
        return {"powers": powers().astype(np.int16), "reciprocals": reciprocals().astype(np.int16)}

    def apply(self, x: Array) -> Array:
        distance = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
        power = _entry(np.clip(self.factor.apply(distance) + 32767, -32768, 32767), powers())
        total = power.sum(axis=-1, keepdims=True)
        zeros = 32 - np.ceil(np.log2(total + 1)).astype(np.int64)  # at the head of 32 bits
        high = ((total << (zeros - 1)) + (1 << 13)) >> 14
        scale = _entry(np.clip(high - (1 << 15) - (1 << 16), -32768, 32767), reciprocals())
        shift = 31 - zeros
        y = (power * scale + ((np.int64(1) << shift) >> 1)) >> shift
        return np.asarray(np.clip(y, 0, self.numbers.maximum), self.numbers.dtype)

    def fields(self) -> Fields:
        return {"factor": self.factor.one}


def softmax(entry: Affine, out: Affine, beta: float = 1.0) -> TwoTables:
    """Of 16 bits; `out` has the scale 1/32768 and the zero 0."""
    return TwoTables(rescaled([entry.scale * beta / (REACH / 65535.0)]), out, beta)


def _entry(x: Array, table: Array) -> Array:
    """A straight line between two entries; 16 bits wrap, as in C."""
    index, rest = 256 + (x >> 7), x & 127
    rise = (table[index + 1] - table[index]).astype(np.int16).astype(np.int64)
    return np.asarray((table[index] + ((rise * rest + 64) >> 7)).astype(np.int16).astype(np.int64))


@cache
def powers() -> Array:
    """e**x for x from -10 to 0, Q0.15."""
    return _table(lambda x: np.exp(x.astype(np.float64)).astype(SINGLE), (SINGLE(REACH) / SINGLE(65535), 32767))


@cache
def reciprocals() -> Array:
    """1 / (1 + x) for x from 0 to 1, Q0.15."""
    return _table(lambda x: SINGLE(1) / (SINGLE(1) + x), (SINGLE(1) / SINGLE(65535), -32768))


def _table(function: Callable[[Array], Array], entry: tuple[np.float32, int]) -> Array:
    """As TFLM fills it, in float32: each entry lowered by half of what a line to the next is off in the middle."""
    scale, zero = entry
    lowest, highest = scale * SINGLE(-32768 - zero), scale * SINGLE(32767 - zero)
    out = SINGLE(2) / SINGLE(65535)
    quanta = SINGLE(65536) / (out * SINGLE(32767) - out * SINGLE(-32768))
    step = (highest - lowest) / SINGLE(ENTRIES - 1)
    places = np.arange(ENTRIES - 1, dtype=SINGLE)
    here, middle = function(lowest + places * step), function(lowest + places * step + step / SINGLE(2))
    there = function(lowest + (places + SINGLE(1)) * step)
    value = round_away(here * quanta)
    off = round_away((round_away((there * quanta + value) / SINGLE(2)) - round_away(middle * quanta)) / SINGLE(2))
    last = round_away(function(np.array([highest], SINGLE)) * quanta)
    return np.concatenate([np.clip(value - off, -32768, 32767), np.clip(last, -32768, 32767)]).astype(np.int64)
