"""Merges of two tensors, element by element: sums that are broadcast, differences, the larger or smaller, products."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.numbers.numbers import LINEAR, Activation, Addition, Numbers, Product, Range, Scheme
from mcusim.system.arrays import Array

MOST_BLOCKS = 2  # of axes that an input has, with others between them: all there are in four axes


@dataclass(frozen=True, kw_only=True, eq=False)
class Merge(Layer):
    """Two inputs. An axis that one lacks, or where it has length 1, is repeated; axes that are missing come first."""

    input_shapes: tuple[Shape, Shape]
    activation: Activation = LINEAR

    IN_PLACE = True

    def aligned(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """With as many axes as the output has, so that NumPy repeats them."""
        rank = len(self.shape)
        return tuple(
            x.reshape(len(x), *(1,) * (rank - len(shape)), *shape)
            for x, shape in zip(inputs, self.input_shapes, strict=True)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Combined(Merge):
    """Both inputs at one scale, which `addition` brings integers to."""

    addition: Addition | None = None

    OPERATION: ClassVar[str]  # in C

    @property
    def accumulator_peak(self) -> int:
        return 0 if self.addition is None else self.addition.accumulator_peak

    def run(self, *inputs: Array) -> Array:
        first, second = self.aligned(inputs)
        if self.addition is None:
            return self.activation.apply(self.combined(first, second))
        return self.addition.finish(self.combined(*self.addition.addends((first, second))), self.activation)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        addition = scheme.addition(inputs, values)
        return replace(self, numbers=addition.numbers, addition=addition)

    def combined(self, first: Array, second: Array) -> Array:
        """Of real numbers, or of integers at one scale."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, eq=False)
class BroadcastAdd(Combined):
    OPERATION = "NN_ADD"

    @property
    def kind(self) -> str:
        return "Add"

    def combined(self, first: Array, second: Array) -> Array:
        return np.asarray(first + second)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subtract(Combined):
    """The first minus the second."""

    OPERATION = "NN_SUBTRACT"

    def combined(self, first: Array, second: Array) -> Array:
        return np.asarray(first - second)


@dataclass(frozen=True, kw_only=True, eq=False)
class Maximum(Combined):
    OPERATION = "NN_MAXIMUM"

    def combined(self, first: Array, second: Array) -> Array:
        return np.asarray(np.where(second > first, second, first))


@dataclass(frozen=True, kw_only=True, eq=False)
class Minimum(Combined):
    OPERATION = "NN_MINIMUM"

    def combined(self, first: Array, second: Array) -> Array:
        return np.asarray(np.where(second < first, second, first))


@dataclass(frozen=True, kw_only=True, eq=False)
class Multiply(Merge):
    """`product` rescales what integers give."""

    product: Product | None = None

    @property
    def accumulator_peak(self) -> int:
        return 0 if self.product is None else self.product.accumulator_peak

    def run(self, *inputs: Array) -> Array:
        first, second = self.aligned(inputs)
        if self.product is None:
            return self.activation.apply(first * second)
        return self.product.apply(first, second, self.activation)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        product = scheme.product(inputs, values)
        return replace(self, numbers=product.numbers, product=product)


def merged_shape(first: Shape, second: Shape) -> Shape | None:
    """Of two tensors that are repeated where they lack an axis; None where they do not fit."""
    rank = max(len(first), len(second))
    pairs = zip(*((1,) * (rank - len(shape)) + shape for shape in (first, second)), strict=True)
    axes = [max(pair) if 1 in pair or pair[0] == pair[1] else 0 for pair in pairs]
    return tuple(axes) if all(axes) else None


def can_merge(shapes: Sequence[Shape], output: Shape) -> bool:
    """Can the kernel repeat tensors of these shapes over the output's?"""
    return all(len(blocks(shape, output) or ()) <= MOST_BLOCKS for shape in shapes)


def blocks(shape: Shape, output: Shape) -> list[tuple[int, int]] | None:
    """Element i of the output reads `sum of (i // repeat) % period * (the periods before)`, the innermost block first.

    A block is axes side by side that the input has: (repeat, period). None where it has all of them.
    """
    axes = (1,) * (len(output) - len(shape)) + shape
    if axes == output:
        return None
    found: list[tuple[int, int]] = []
    repeat, is_open = 1, False
    for have, want in zip(reversed(axes), reversed(output), strict=True):
        if have == want and want > 1:
            found = [*found[:-1], (found[-1][0], found[-1][1] * want)] if is_open else [*found, (repeat, want)]
        is_open = is_open if want == 1 else have == want
        repeat *= want
    return found or [(repeat, 1)]
