"""Power-of-two scales as in `power_of_two.py`, but sums are rounded towards zero."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcusim.numbers.formats import Format
from mcusim.numbers.numbers import Activation, Numbers, QuantizedSum, Range, Rounding
from mcusim.numbers.power_of_two import PowerOfTwoScheme, Shift
from mcusim.system.arrays import Array

NAME = "towards zero"
SCHEMES = ("towards-zero",)
HEADER = "towards_zero.h"


@dataclass(frozen=True)
class Truncated(Format):
    @property
    def header(self) -> str:
        return HEADER


@dataclass(frozen=True)
class TruncatingShift(Shift):
    """`nn_finish` of towards_zero.h."""

    def apply(self, total: Array, activation: Activation) -> Array:
        wide = np.asarray(total, np.int64)
        return activation.limit(np.sign(wide) * (np.abs(wide) >> self.shift), self.numbers)


class TowardsZero(PowerOfTwoScheme):
    """For weighted sums and what keeps their numbers."""

    header = HEADER

    def __str__(self) -> str:
        return SCHEMES[0]

    def numbers_for(self, values: Range) -> Format:
        return _truncated(super().numbers_for(values))

    def weighted_sum(
        self, kernel: Array, bias: Array, entry: Numbers, values: Range, *, one_scale: bool = False
    ) -> QuantizedSum:
        made = super().weighted_sum(kernel, bias, entry, values)
        assert isinstance(made.rescale, Shift)
        out = _truncated(made.rescale.numbers)
        return replace(made, numbers=out, rescale=TruncatingShift(made.rescale.shift, out))


def make_scheme(
    bits: int, scheme: str, fraction: int | None, rounding: Rounding, weight_bits: int | None = None
) -> TowardsZero:
    return TowardsZero(bits, None, rounding)


def _truncated(numbers: Format) -> Truncated:
    return Truncated(numbers.bits, numbers.fraction)
