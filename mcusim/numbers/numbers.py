"""What a number system is: how real tensors become integers, and sums of products become outputs.

A layer knows none of its arithmetic. It asks a `Scheme` for what it needs when it is quantized, keeps it, and lets it
compute; a kernel is given its fields and constants, and its C twin (`codegen/numbers/`) does the same on the board, bit
for bit. A member of the family is a module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np

from mcusim.numbers.products import Products
from mcusim.numbers.spread import Octaves, Spread
from mcusim.system.arrays import Array

Rounding = Literal["nearest", "floor"]
Weights = Literal["fitted", "rounded"]  # for the sums they are in, or each for itself
Ranges = Literal["mse", "max", "percentile", "kl", "answers"]  # how numbers are chosen: `spread.py` says what these do
Fields = dict[str, Any]  # of a kernel's parameter struct


@dataclass(frozen=True)
class Range:
    """Reals from `low` (at most 0) to `high` (at least 0), and what else is known of them.

    `octaves`: None where their spread is not to decide. `unsigned`: whoever reads them takes numbers without a sign.
    `wide`: whoever reads them takes 16 bits, whatever the arithmetic before has. `products`: what sums are made of,
    where weights are to be rounded for them.
    `inner`: of what a layer keeps inside, by its own names. `spread`: None where nobody asks for it.
    """

    low: float = 0.0
    high: float = 0.0
    octaves: Octaves | None = field(default=None, compare=False)
    unsigned: bool = False
    wide: bool = False
    inner: Mapping[str, Range] = field(default_factory=dict, compare=False)
    products: Products | None = field(default=None, compare=False)
    spread: Spread | None = field(default=None, compare=False)

    @property
    def peak(self) -> float:
        """Largest magnitude."""
        return max(-self.low, self.high)

    def widened(self, x: Array, *, spread: bool = False, peaks_alone: bool = False) -> Range:
        """`x` (N, ...): of N samples. NaN widens nothing. `spread`: is it to be known? `peaks_alone`: as in Octaves."""
        seen, found = Octaves.of(x, peaks_alone=peaks_alone), Spread.of(x) if spread else None
        return replace(
            self.stretched(x),
            spread=found.merged(self.spread) if found and self.spread else found,
            octaves=seen if self.octaves is None else self.octaves.merged(seen),
        )

    def stretched(self, x: Array) -> Range:
        """Its ends alone are widened."""
        low, high = min(self.low, float(x.min(initial=0.0))), max(self.high, float(x.max(initial=0.0)))
        return replace(self, low=low, high=high)

    def with_inner(self, values: Mapping[str, Array]) -> Range:
        """Widened by what a layer keeps inside."""
        return replace(self, inner={name: self.inner.get(name, Range()).widened(x) for name, x in values.items()})


class Numbers(Protocol):
    """The number type of one tensor: integers from `minimum` to `maximum`, and the reals they stand for.

    Its text names it in generated C and in reports.
    """

    def __hash__(self) -> int: ...
    @property
    def bits(self) -> int: ...
    @property
    def minimum(self) -> int: ...
    @property
    def maximum(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that stores it."""

    @property
    def header(self) -> str:
        """C twin of its number system."""

    @property
    def zero(self) -> int:
        """The stored integer that stands for 0."""

    @property
    def macros(self) -> Mapping[str, int | np.floating[Any]]:
        """Of model.h, behind INPUT_ and OUTPUT_: what its reader needs to turn reals into numbers, and back."""

    def encode(self, x: Array, rounding: Rounding = "nearest") -> Array:
        """Reals -> stored integers, rounded and saturated."""

    def decode(self, q: Array) -> Array:
        """Stored integers -> reals, float32."""


class FixedPoint(Numbers, Protocol):
    """Numbers whose scale is a power of two."""

    @property
    def scale_factor(self) -> int:
        """Bits behind the binary point."""


@dataclass(frozen=True)
class Activation:
    """What happens to a sum before it is stored: nothing, max(0, x), or min(max(0, x), ceiling). `nn_limit` in C.

    `floor`: in the place of that 0.
    """

    relu: bool = False
    ceiling: float | None = None
    floor: float = 0.0

    @property
    def nonnegative(self) -> bool:
        return self.relu and self.floor >= 0

    @property
    def has_floor(self) -> bool:
        """Another one than 0, which hardly any assembly knows?"""
        return self.relu and self.floor != 0

    def apply(self, x: Array) -> Array:
        """Of real numbers, float32."""
        if self.relu:
            x = np.maximum(x, np.float32(self.floor))
        return x if self.ceiling is None else np.minimum(x, np.float32(self.ceiling))

    def limit(self, x: Array, numbers: Numbers) -> Array:
        """Of integers at the scale of `numbers`, saturated and stored."""
        return np.clip(x, *_limits(self, numbers)).astype(numbers.dtype)

    def limited(self, q: int, numbers: Numbers) -> int:
        """Of a number within `numbers`."""
        q = max(q, _integer(self.floor, numbers)) if self.relu else q
        return q if self.ceiling is None else min(q, _integer(self.ceiling, numbers))

    def fields(self, numbers: Numbers | None) -> Fields:
        """`numbers`: of what is stored, None for float32."""
        stored = storage_fields(numbers)
        if not self.relu:
            return {"activation": "NN_LINEAR", **stored}
        floor = np.float32(self.floor) if numbers is None else _integer(self.floor, numbers)
        own: Fields = {"floor": floor} if floor else {}
        if self.ceiling is None:
            return {"activation": "NN_RELU", **own, **stored}
        ceiling = np.float32(self.ceiling) if numbers is None else _integer(self.ceiling, numbers)
        return {"activation": "NN_RELU_CEILING", **own, "ceiling": ceiling, **stored}


LINEAR, RELU = Activation(), Activation(relu=True)


@lru_cache(maxsize=4096)  # a graph is run for a few samples at a time
def _limits(activation: Activation, numbers: Numbers) -> tuple[int, int]:
    return activation.limited(numbers.minimum, numbers), activation.limited(numbers.maximum, numbers)


def storage_fields(numbers: Numbers | None) -> Fields:
    """`nn_storage_t` of numbers as wide as those of their unit."""
    return {"storage": "NN_UNSIGNED"} if numbers and numbers.minimum == 0 else {}


def _integer(real: float, numbers: Numbers) -> int:
    return int(numbers.encode(np.array(real)))


class Rescale(Protocol):
    """How a sum becomes a stored number: scale, activation, saturation. `nn_finish` in C."""

    def apply(self, total: Array, activation: Activation) -> Array:
        """Sums (..., channels), their bias included."""

    def fields(self, activation: Activation) -> Fields: ...

    @property
    def constants(self) -> Mapping[str, Array]:
        """Arrays by role that lie in flash, where every channel has its own factor."""


@dataclass(frozen=True)
class QuantizedSum:
    """A weighted sum on integers: `kernel` (outputs, ...), `bias` (outputs,) at the scale of the sums.

    `numbers`: of the output. `peak_sum`: proved bound of any intermediate sum's magnitude. `lost_bits`: of the weights,
    which their scale or the accumulator did not allow. `zero`: of the inputs. `wider_numbers`: see there. Called as in
    WeightedSum.
    """

    kernel: Array
    bias: Array
    kernel_numbers: Numbers
    numbers: Numbers
    rescale: Rescale
    peak_sum: int
    lost_bits: int = 0
    zero: int = 0
    wider_numbers: Numbers | None = None


@dataclass(frozen=True)
class InnerSum:
    """A weighted sum inside of a layer, exact in 32 bits, with `fraction` bits behind the binary point."""

    kernel: Array
    bias: Array
    kernel_numbers: Numbers
    fraction: int


class Addition(Protocol):
    """Tensors of several scales -> their sum."""

    @property
    def numbers(self) -> Numbers: ...
    @property
    def accumulator_peak(self) -> int: ...
    def addends(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """Stored numbers of each input -> integers at one scale."""

    def finish(self, total: Array, activation: Activation) -> Array:
        """What addends were made to -> stored numbers."""

    def fields(self, activation: Activation) -> Fields: ...


class Product(Protocol):
    """Products of two stored numbers -> a stored number. `nn_product` in C."""

    @property
    def numbers(self) -> Numbers: ...
    @property
    def accumulator_peak(self) -> int: ...
    def apply(self, first: Array, second: Array, activation: Activation) -> Array: ...
    def fields(self, activation: Activation) -> Fields: ...


class Conversion(Protocol):
    """Stored numbers -> stored numbers of another type, where reals are numbers, too."""

    @property
    def kernel(self) -> str:
        """In C: `convert`, or what stands for it where one of them is real."""

    @property
    def numbers(self) -> Numbers | None: ...
    def apply(self, x: Array) -> Array: ...
    def fields(self) -> Fields: ...


class Averaging(Protocol):
    """Sums and counts -> means. `nn_average` in C."""

    @property
    def numbers(self) -> Numbers: ...
    @property
    def accumulator_peak(self) -> int: ...
    def apply(self, total: Array, count: Array) -> Array:
        """Not yet saturated."""

    def fields(self) -> Fields: ...


class Softmaxing(Protocol):
    """Stored numbers (..., channels) -> their softmax."""

    @property
    def kernel(self) -> str:
        """In C."""

    @property
    def numbers(self) -> Numbers: ...
    def apply(self, x: Array) -> Array: ...
    def fields(self) -> Fields: ...

    @property
    def tables(self) -> Mapping[str, Array]:
        """By role."""


class Standardizing(Protocol):
    """Rows of stored numbers -> integers of `numbers` with mean 0 and deviation 1."""

    @property
    def numbers(self) -> Numbers: ...
    def apply(self, x: Array) -> Array:
        """(rows, elements), not stored: wider than the input may be."""

    def fields(self) -> Fields: ...


class Scheme(Protocol):
    """How scales are chosen. Its text is the `scheme` of a Graph."""

    @property
    def bits(self) -> int: ...
    @property
    def header(self) -> str:
        """C twin of its numbers."""

    @property
    def needs_ranges(self) -> bool:
        """False where the scales are given, so that no samples are needed."""

    def numbers_for(self, values: Range) -> Numbers: ...
    def weighted_sum(
        self, kernel: Array, bias: Array, entry: Numbers, values: Range, *, one_scale: bool = False
    ) -> QuantizedSum:
        """`one_scale`: of all weights, whatever the scheme does elsewhere."""

    def addition(self, entries: tuple[Numbers, ...], values: Range) -> Addition: ...
    def product(self, entries: tuple[Numbers, ...], values: Range) -> Product: ...
    @property
    def stores_unsigned(self) -> bool:
        """Has it numbers without a sign?"""

    @property
    def cuts_ranges(self) -> bool:
        """Do its scales follow a range exactly, so that it is cut where that is better?"""

    @property
    def fits_weights(self) -> bool:
        """Are its weights so narrow that they are rounded for the sums they are in?"""

    def joined(self, entries: tuple[Numbers, ...], values: Range | None = None) -> Numbers:
        """One type for tensors that become one: nothing saturates."""

    def conversion(self, entry: Numbers, to: Numbers) -> Conversion: ...
    def averaging(
        self, entry: Numbers, values: Range | None = None, most: int = 1, *, whole: bool = False
    ) -> Averaging:
        """`most`: elements in a window, at most, or of a `whole` plane, which is the only window.

        Without `values` means have the input's numbers.
        """

    def softmax(self, entry: Numbers) -> Softmaxing: ...
    def standardizing(self, entry: Numbers, count: int, epsilon: float) -> Standardizing | None:
        """Of rows of `count` numbers; `epsilon` is added to their variance. None where its sums need too many bits."""

    @property
    def inner_one(self) -> FixedPoint:
        """16 bits, for what is kept inside of a layer and reaches from -1 to 1."""

    def inner_numbers(self, values: Range) -> FixedPoint:
        """16 bits, for anything else."""

    def inner_sum(self, kernel: Array, bias: Array, entry: Numbers) -> InnerSum: ...
