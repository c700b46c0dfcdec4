"""Numbers that only move -> STRIDED_SLICE, TRANSPOSE, RESIZE_NEAREST_NEIGHBOR, RESHAPE.

A copy is told as places in memory: it is seen as an array of which a part is cut, its axes put in another order, and
some repeated.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import Constant, Reshape
from mcusim.layers.strided_copy import StridedCopy, joined, steps
from mcusim.models.tflite.writing.sheet import Sheet, Writer, tensor_of
from mcusim.models.tflite.writing.windows import cut

MOST_AXES = 5  # of STRIDED_SLICE and TRANSPOSE, the batch included


@dataclass(frozen=True)
class Seen:
    """The input as `shape`; of each axis `sizes` places from `begin` on, `steps` apart. `order`: its axes as they come
    in the output; those that are not in it have one place."""

    shape: Shape
    begin: Shape
    sizes: Shape
    steps: Shape
    order: Shape


def reshape(sheet: Sheet, layer: Reshape) -> None:
    """An operator only where somebody reads that shape."""
    sheet.places[layer.name] = sheet.tensor()
    sheet.titles.setdefault((sheet.tensor(), (1, *layer.shape)), layer.name)


def constant(sheet: Sheet, layer: Constant) -> None:
    made = tensor_of(layer.name, (1, *layer.shape), sheet.out)
    sheet.names.add(layer.name)
    sheet.places[layer.name] = sheet.file.tensor(made, layer.values.reshape(1, *layer.shape))


def strided_copy(sheet: Sheet, layer: StridedCopy) -> None:
    if (factors := _up_sampling(layer, sheet.entry().shape)) is not None:
        image = sheet.entry().shape
        sheet.done(_resized(sheet, sheet.view(0, image), (image[0] * factors[0], image[1] * factors[1])))
        return
    sizes, strides = joined(layer.sizes, layer.strides)
    moving = [(size, stride) for size, stride in zip(sizes, strides, strict=True) if stride and size > 1]
    found = next(_seen(sheet.entry().elements, sheet.entry().shape, moving, layer.offset), None)
    if found is None or len(found.shape) >= MOST_AXES:
        raise sheet.refused("moves numbers as no operators of TFLite do", "use Permute, Cropping or UpSampling")
    tensor = _moved(sheet, found)
    done = 1
    for place, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
        if stride == 0:
            behind = int(np.prod([size for size, stride in zip(sizes[place:], strides[place:], strict=True) if stride]))
            tensor = _resized(sheet, sheet.seen(tensor, (1, done, 1, behind)), (done * size, 1))
        done *= size
    sheet.done(tensor)


def _up_sampling(layer: StridedCopy, image: Shape) -> tuple[int, int] | None:
    """Whole factors by which an image is made larger, each pixel repeated."""
    if len(image) != 3 or len(layer.shape) != 3 or image[2] != layer.shape[2]:
        return None
    rows, columns = layer.shape[0] // image[0], layer.shape[1] // image[1]
    if (rows * image[0], columns * image[1]) != layer.shape[:2] or rows * columns == 1:
        return None
    places = np.arange(np.prod(image)).reshape(image).repeat(rows, 0).repeat(columns, 1)
    every = np.array(layer.offset)
    for size, stride in zip(layer.sizes, layer.strides, strict=True):
        every = every[..., None] + np.arange(size) * stride
    return (rows, columns) if np.array_equal(every.reshape(-1), places.reshape(-1)) else None


def _resized(sheet: Sheet, tensor: int, sizes: tuple[int, int]) -> int:
    output = (1, *sizes, sheet.shape(tensor)[3])
    return sheet.moved("RESIZE_NEAREST_NEIGHBOR", (tensor, sheet.integers(sizes)), output)


def _seen(count: int, shape: Shape, axes: Sequence[tuple[int, int]], offset: int) -> Iterator[Seen]:
    """Ways to see `count` numbers of that `shape` so that the (size, stride) of the copy are among its axes, or part of
    one: where each 4th number of rows of 14 is taken, rows are 7 pairs."""
    own, given = {abs(stride) for _, stride in axes}, set(steps(shape))
    shared = set(accumulate(sorted(own, reverse=True), math.gcd))
    for marks in (own, own | given, given, shared):
        chain = sorted(marks | {1, count}, reverse=True)
        if all(one % other == 0 for one, other in pairwise(chain)):
            found = _placed(tuple(one // other for one, other in pairwise(chain)) or (1,), axes, offset)
            if found is not None:
                yield found


def _placed(shape: Shape, axes: Sequence[tuple[int, int]], offset: int) -> Seen | None:
    """Each axis of the copy is one of the shape, or a part of one; None where it does not fit."""
    along, sizes, jumps, order = steps(shape), [1] * len(shape), [1] * len(shape), list[int]()
    for size, stride in axes:
        fits = [place for place, step in enumerate(along) if abs(stride) % step == 0 and step <= abs(stride)]
        place = fits[0]
        if place in order:
            return None
        sizes[place], jumps[place] = size, stride // along[place]
        order.append(place)
    begin = [offset // step % length for step, length in zip(along, shape, strict=True)]
    lasts = [first + (size - 1) * jump for first, size, jump in zip(begin, sizes, jumps, strict=True)]
    if not all(0 <= last < length for last, length in zip(lasts, shape, strict=True)):
        return None
    return Seen(shape, tuple(begin), tuple(sizes), tuple(jumps), tuple(order))


def _moved(sheet: Sheet, found: Seen) -> int:
    tensor = sheet.seen(sheet.tensor(), (1, *found.shape))
    tensor = cut(sheet, tensor, (0, *found.begin), (1, *found.sizes), (1, *found.steps))
    if list(found.order) == sorted(found.order):
        return tensor
    kept = sorted(found.order)
    tensor = sheet.seen(tensor, (1, *(found.sizes[place] for place in kept)))
    order = (0, *(1 + kept.index(place) for place in found.order))
    output = tuple(sheet.shape(tensor)[axis] for axis in order)
    return sheet.moved("TRANSPOSE", (tensor, sheet.integers(order)), output)


WRITERS: Mapping[type, Writer] = {Constant: constant, Reshape: reshape, StridedCopy: strided_copy}
