"""Pointwise: a function of each number, such as sigmoid, tanh, LeakyReLU or GELU. ReLU and ReLU6 are another layer."""

from dataclasses import dataclass, replace

from mcusim.graph import Layer
from mcusim.numbers.affine_functions import of_operator
from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.numbers.tables import Lookup, look_up
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Pointwise(Layer):
    """Any shape. Integers go through `lookup`; where the function has bounds these choose the numbers."""

    function: Function
    lookup: Lookup | None = None

    IN_PLACE = True

    @property
    def kind(self) -> str:
        return self.function.kind

    def run(self, *inputs: Array) -> Array:
        return self.function.apply(inputs[0]) if self.lookup is None else self.lookup.apply(inputs[0])

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        numbers = scheme.numbers_for(self.function.bounds or values)
        lookup = of_operator(self.function, inputs[0], numbers) or look_up(self.function, inputs[0], numbers)
        return replace(self, numbers=numbers, lookup=lookup)
