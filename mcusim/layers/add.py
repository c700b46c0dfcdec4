"""Add: element by element, any number of inputs of one shape."""

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.numbers import LINEAR, Activation, Addition, Numbers, Range, Scheme
from mcusim.system.arrays import Array

MOST_ADDENDS = 16  # NN_ADDENDS_MAX in C


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Layer):
    """Two or more inputs. `addition` brings integers to one scale."""

    activation: Activation = LINEAR
    addition: Addition | None = None

    IN_PLACE = READS_UNSIGNED = WRITES_UNSIGNED = True

    def nonnegative(self, inputs: tuple[bool, ...]) -> bool:
        return self.activation.nonnegative or all(inputs)

    @property
    def accumulator_peak(self) -> int:
        return 0 if self.addition is None else self.addition.accumulator_peak

    def run(self, *inputs: Array) -> Array:
        if self.addition is None:
            return self.activation.apply(reduce(np.add, inputs))
        return self.addition.finish(reduce(np.add, self.addition.addends(inputs)), self.activation)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        addition = scheme.addition(inputs, values)
        return replace(self, numbers=addition.numbers, addition=addition)
