"""An activation: the axes that ONNX counts, and how their elements lie in memory.

ONNX has channels first, kernels have them last, and files are full of Transpose, Reshape, Flatten and Squeeze. All of
these only change how the same memory is counted, so a `Tensor` keeps both: `sizes` are lengths in the order of memory,
`axes` says which of them make up each axis. (1, 8, 5, 6) with its channels last is

    sizes (5, 6, 8)    axes ((), (2,), (0,), (1,))

and flattened to (1, 240) the same memory is axes ((), (2, 0, 1)): a Dense behind it may permute its columns instead.
Only what needs another order in memory moves something: `Layers.seen`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.graph import Shape
from mcusim.system.arrays import Array


@dataclass(frozen=True)
class Tensor:
    """`layer` computes it. `axes`: of each axis, the batch's among them, places in `sizes`, the outer one first."""

    layer: str
    sizes: tuple[int, ...]
    axes: tuple[tuple[int, ...], ...]

    @property
    def shape(self) -> Shape:
        """As ONNX counts it."""
        return tuple(math.prod(self.sizes[place] for place in axis) for axis in self.axes)

    @property
    def elements(self) -> int:
        return math.prod(self.sizes)

    @property
    def places(self) -> tuple[int, ...]:
        """Places in memory in the order of ONNX: (0, 1, ..) where nothing lies elsewhere."""
        return tuple(place for axis in self.axes for place in axis)

    @property
    def order(self) -> tuple[int, ...] | None:
        """The axes as they lie in memory, outer ones first; None where one of them lies in pieces. One of length 1 lies
        anywhere: behind the axis before it.
        """
        if any(len(axis) > 1 for axis in self.axes):
            return None
        lying = sorted((axis for axis in range(len(self.axes)) if self.axes[axis]), key=lambda axis: self.axes[axis])
        for axis, places in enumerate(self.axes):
            if not places:
                lying.insert(lying.index(axis - 1) + 1 if axis - 1 in lying else 0, axis)
        return tuple(lying)

    def at(self, layer: str) -> "Tensor":
        """The same in another place."""
        return Tensor(layer, self.sizes, self.axes)


def tensor(layer: str, shape: Sequence[int], order: Sequence[int] | None = None) -> Tensor:
    """Of this shape, as ONNX counts it, with its axes in memory in this `order`: each is named once."""
    order = range(len(shape)) if order is None else order
    inner = [axis for axis in order if shape[axis] != 1]
    axes = tuple((inner.index(axis),) if axis in inner else () for axis in range(len(shape)))
    return merged(Tensor(layer, tuple(shape[axis] for axis in inner), axes))


def merged(of: Tensor) -> Tensor:
    """Pieces of an axis that go on in memory are one."""
    sizes: list[int] = []
    starts = {
        axis[i]: axis[i - 1] if i and axis[i] == axis[i - 1] + 1 else None for axis in of.axes for i in range(len(axis))
    }
    place_of: dict[int, int] = {}
    for place, size in enumerate(of.sizes):
        if starts[place] is None:
            sizes.append(size)
        else:
            sizes[-1] *= size
        place_of[place] = len(sizes) - 1
    axes = tuple(tuple(dict.fromkeys(place_of[place] for place in axis)) for axis in of.axes)
    return Tensor(of.layer, tuple(sizes), axes)


def transposed(of: Tensor, axes: Sequence[int]) -> Tensor:
    return Tensor(of.layer, of.sizes, tuple(of.axes[axis] for axis in axes))


def reshaped(of: Tensor, shape: Sequence[int]) -> Tensor | None:
    """Counted as another shape of as many elements; None where axes are cut that lie apart in memory."""
    flat = merged(Tensor(of.layer, of.sizes, (of.places,)))
    sizes, left = list(flat.sizes), list(flat.places)
    axes: list[tuple[int, ...]] = []
    for size in shape:
        axis: list[int] = []
        while size > 1:
            place = left[0]
            have = sizes[place]
            if have > size:  # an axis that is cut in two
                if have % size:
                    return None
                _cut(sizes, left, axes, axis, place, size)
                have = size
            if size % have:
                return None
            axis.append(left.pop(0))
            size //= have
        axes.append(tuple(axis))
    return merged(Tensor(of.layer, tuple(sizes), tuple(axes)))


def _cut(
    sizes: list[int], left: list[int], axes: list[tuple[int, ...]], axis: list[int], place: int, size: int
) -> None:
    """One size becomes two neighbors, `size` the outer one: what lies behind it moves on."""
    sizes[place : place + 1] = [size, sizes[place] // size]
    left[:] = [one + (one > place) for one in left]
    left.insert(1, place + 1)
    axes[:] = [tuple(one + (one > place) for one in done) for done in axes]
    axis[:] = [one + (one > place) for one in axis]


def lying(of: Tensor, array: Array) -> Array:
    """An array as ONNX counts it -> its numbers in the order of memory."""
    places = of.places
    counted = array.reshape([of.sizes[place] for place in places])
    return counted.transpose([places.index(place) for place in range(len(of.sizes))]).reshape(-1)


def counted(of: Tensor, memory: Array) -> Array:
    """The other way round."""
    return memory.reshape(of.sizes).transpose(of.places).reshape(of.shape)
