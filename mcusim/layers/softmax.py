"""Softmax over the last axis. At the output of a classifier `optimize` drops it: the largest stays the largest."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.float_functions import exponential
from mcusim.numbers.numbers import Numbers, Range, Scheme, Softmaxing
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(Layer):
    """Input and output (..., channels)."""

    softmaxing: Softmaxing | None = None

    IN_PLACE = True

    def run(self, *inputs: Array) -> Array:
        if self.softmaxing is not None:
            return self.softmaxing.apply(inputs[0])
        powers = exponential(inputs[0] - inputs[0].max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True, dtype=np.float32))

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        softmaxing = scheme.softmax(inputs[0])
        return replace(self, numbers=softmaxing.numbers, softmaxing=softmaxing)
