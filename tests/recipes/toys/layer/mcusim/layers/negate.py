"""Negate: -x."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.numbers import LINEAR, Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Negate(Layer):
    """Any shape; the output has the input's numbers. The smallest of them has no opposite, and saturates."""

    IN_PLACE = True

    def run(self, *inputs: Array) -> Array:
        if self.numbers is None:
            return -inputs[0]
        return LINEAR.limit(-inputs[0].astype(np.int64), self.numbers)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return replace(self, numbers=inputs[0])
