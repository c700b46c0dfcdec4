"""Numbers that the model file holds, where a layer reads them as a tensor of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant(Layer):
    """`values` of `shape`. Its input tells how many samples there are, and nothing else."""

    values: Array

    @property
    def weights(self) -> Mapping[str, Array]:
        return {"values": self.values}

    def run(self, *inputs: Array) -> Array:
        return np.broadcast_to(self.values, (len(inputs[0]), *self.shape))

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        numbers = scheme.numbers_for(values)
        return replace(self, numbers=numbers, values=numbers.encode(self.values))
