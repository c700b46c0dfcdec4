"""Convert: the same tensor in other numbers, where widths meet, or integers and reals."""

from dataclasses import dataclass, replace

from mcusim.graph import Layer
from mcusim.numbers.affine import LongConversion
from mcusim.numbers.between import conversion_to, to_reals
from mcusim.numbers.numbers import Conversion, Numbers, Range, Scheme
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Convert(Layer):
    """Any shape. `quantize` puts it between layers; a file that is quantized already may have its own.

    Without `numbers` it makes real ones.
    """

    conversion: Conversion | None = None

    @property
    def arithmetic(self) -> Numbers | None:
        if self.conversion is None:
            return None
        return self.conversion.entry if isinstance(self.conversion, LongConversion) else self.conversion.numbers

    def run(self, *inputs: Array) -> Array:
        return inputs[0] if self.conversion is None else self.conversion.apply(inputs[0])

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return self.between(scheme, inputs[0], values)

    def between(self, scheme: Scheme | None, entry: Numbers | None, values: Range) -> "Convert":
        """Of any numbers, or reals, into those of `scheme`, or reals: None is no numbers."""
        if scheme is None:
            return replace(self, conversion=None if entry is None else to_reals(entry))
        conversion, numbers = conversion_to(scheme, entry, values)
        return replace(self, numbers=numbers, conversion=conversion)
