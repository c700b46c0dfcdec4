"""Numbers that only move: Permute, Cropping, UpSampling by repetition, RepeatVector, a sequence backwards."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.system.arrays import Array

MOST_AXES = 5  # of the C kernel


@dataclass(frozen=True, kw_only=True, eq=False)
class StridedCopy(Layer):
    """Output element (i, j, ..) of `sizes` is the input's element `offset` + i x strides[0] + j x strides[1] + ..

    `sizes` has as many elements as `shape`; a stride may be 0 (repeats) or negative. `spelled`: the kind, as users
    know it.
    """

    spelled: str
    sizes: Shape
    strides: tuple[int, ...]
    offset: int = 0

    KEEPS_NUMBERS = READS_UNSIGNED = WRITES_UNSIGNED = True

    @property
    def kind(self) -> str:
        return self.spelled

    def run(self, *inputs: Array) -> Array:
        places = np.array(self.offset)
        for size, stride in zip(self.sizes, self.strides, strict=True):
            places = places[..., None] + np.arange(size) * stride
        return inputs[0].reshape(len(inputs[0]), -1)[:, places.reshape(-1)].reshape(-1, *self.shape)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return replace(self, numbers=inputs[0])


def steps(shape: Shape) -> tuple[int, ...]:
    """From one element to the next along each axis of an array as it lies in memory."""
    return tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))


def joined(sizes: Shape, strides: tuple[int, ...]) -> tuple[Shape, tuple[int, ...]]:
    """The same copy with as few axes as can be: those of one element are left out, those that go on are one."""
    merged: list[tuple[int, int]] = []
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    merged = merged or [(1, 1)]
    return tuple(size for size, _ in merged), tuple(stride for _, stride in merged)
