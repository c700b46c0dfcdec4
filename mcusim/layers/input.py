"""An input of the model: written by the caller of `cnn()`."""

from dataclasses import dataclass, replace

from mcusim.graph import Layer
from mcusim.numbers.numbers import Numbers, Range, Scheme


@dataclass(frozen=True, kw_only=True, eq=False)
class Input(Layer):
    """One to three axes, channels last."""

    INPUT = WRITES_UNSIGNED = True

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return replace(self, numbers=scheme.numbers_for(values))
