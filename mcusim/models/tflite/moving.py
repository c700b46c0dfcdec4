"""TFLite's operators that move, cut, join or repeat numbers -> layers of a Graph."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers import Concatenate, Reshape
from mcusim.layers.strided_copy import MOST_AXES, StridedCopy, joined, steps
from mcusim.models.problems import EMBEDDING
from mcusim.models.tflite.call import AGAIN, Call, without_batch
from mcusim.models.tflite.fold import slices


def copied(
    call: Call,
    index: int,
    shape: Shape,
    sizes: Sequence[int],
    strides: Sequence[int],
    offset: int = 0,
    name: str | None = None,
    spelled: str = "Permute",
) -> str:
    """Adds the copy; where nothing moves it is the same memory. ModelError where the kernel has too few loops."""
    source = call.view(index, call.own_shape(index))
    own: dict[str, Any] = {**call.own(shape, source), "name": name or call.name}
    merged = joined(tuple(sizes), tuple(strides))
    if merged[1] == (1,) and offset == 0 and merged[0][0] == math.prod(call.shape(index)):
        return call.add(Reshape(**own)).name
    if len(merged[0]) > MOST_AXES:
        raise call.refused(f"moves {len(merged[0])} axes", f"use up to {MOST_AXES}")
    return call.add(StridedCopy(**own, spelled=spelled, sizes=tuple(sizes), strides=tuple(strides), offset=offset)).name


def permuted(call: Call, index: int, order: Sequence[int], shape: Shape, name: str | None = None) -> str:
    """An input with its axes in this order, seen with `shape`."""
    have = call.shape(index)
    strides = steps(have)
    return copied(call, index, shape, [have[axis] for axis in order], [strides[axis] for axis in order], name=name)


def _transpose(call: Call) -> None:
    shape, order = call.shape(), call.integers(1, "order")
    order = [axis % len(shape) for axis in order]
    if sorted(order) != list(range(len(shape))):
        raise call.refused(f"has the order {order} of {len(shape)} axes", AGAIN)
    permuted(call, 0, order, without_batch(call.outputs[0].shape))


# -- cutting -----------------------------------------------------------------------------------------------------------


def _cut(call: Call, index: int, parts: Sequence[range], shape: Shape, name: str | None = None) -> None:
    """Of each axis of the file's shape the places that are kept."""
    strides = steps(call.shape(index))
    offset = sum(part.start * stride for part, stride in zip(parts, strides, strict=True) if len(part))
    sizes = [len(part) for part in parts]
    along = [part.step * stride for part, stride in zip(parts, strides, strict=True)]
    copied(call, index, shape, sizes, along, offset, name, spelled="Cropping")


def _strided_slice(call: Call) -> None:
    shape = call.shape()
    begin, end, strides = (np.asarray(call.integers(place, "places")) for place in (1, 2, 3))
    parts = [range(size) for size in shape]
    for axis, part in enumerate(slices(call.operation.options, shape, begin, end, strides)):
        parts[axis] = parts[axis][part] if isinstance(part, slice) else range(part, part + 1)
    _cut(call, 0, parts, without_batch(call.outputs[0].shape))


def _slice(call: Call) -> None:
    shape, begin, sizes = call.shape(), call.integers(1, "places"), call.integers(2, "sizes")
    parts = [
        range(first, length if size == -1 else first + size)
        for first, size, length in zip(begin, sizes, shape, strict=True)
    ]
    if any(part.start < 0 or part.stop > length for part, length in zip(parts, shape, strict=True)):
        raise call.refused(f"cuts {sizes} from {begin} on out of {shape}", AGAIN)
    _cut(call, 0, parts, without_batch(call.outputs[0].shape))


def _gather(call: Call) -> None:
    """Of what is computed, at places that are told: one, or as far from each other."""
    if call.entry(0).layer is None:
        raise call.refused("looks up rows of a table", EMBEDDING)
    shape, axis, places = call.shape(), call.option("axis") % len(call.shape()), call.integers(1, "places")
    first, step = places[0], places[1] - places[0] if len(places) > 1 else 1
    if call.option("batch_dims") or not places or not 0 <= min(places) <= max(places) < shape[axis]:
        raise call.refused(f"takes the places {places[:4]} of {shape}", AGAIN)
    chosen = range(first, first + len(places) * (step or 1), step or 1)
    if [*chosen] != places:
        raise call.refused(f"takes the places {places[:4]}, which are not as far from each other", AGAIN)
    parts = [chosen if place == axis else range(size) for place, size in enumerate(shape)]
    _cut(call, 0, parts, without_batch(call.outputs[0].shape))


def _split(call: Call) -> None:
    """Inputs: the axis, and what is split into equal parts."""
    (axis,) = call.integers(0, "axis")
    length, count = call.shape(1)[axis], len(call.outputs)
    if length % count:
        raise call.refused(f"splits {call.shape(1)} into {count} parts along axis {axis}", AGAIN)
    _parts(call, 1, axis, [length // count] * count)


def _split_by_sizes(call: Call) -> None:
    """Inputs: what is split, the sizes, of which one may be -1, and the axis."""
    sizes, (axis,) = call.integers(1, "sizes"), call.integers(2, "axis")
    length = call.shape()[axis]
    sizes = [length - sum(sizes) - 1 if size == -1 else size for size in sizes]
    if sum(sizes) != length or min(sizes) < 1 or len(sizes) != len(call.outputs):
        raise call.refused(f"splits {call.shape()} into {sizes} along axis {axis}", AGAIN)
    _parts(call, 0, axis, sizes)


def _unpack(call: Call) -> None:
    axis = call.option("axis")
    _parts(call, 0, axis, [1] * call.shape()[axis])


def _parts(call: Call, index: int, axis: int, sizes: Sequence[int]) -> None:
    shape = call.shape(index)
    if len(sizes) != len(call.outputs):
        raise call.refused(f"has {len(call.outputs)} outputs of {len(sizes)} parts", AGAIN)
    for number, (start, stop) in enumerate(pairwise(accumulate(sizes, initial=0))):
        parts = [range(start, stop) if place == axis % len(shape) else range(size) for place, size in enumerate(shape)]
        name = call.name if number == 0 else call.unique(f"{call.name}_{number}")
        _cut(call, index, parts, without_batch(call.outputs[number].shape), name)


# -- joining -----------------------------------------------------------------------------------------------------------


def _concatenation(call: Call) -> None:
    if call.option("activation"):
        raise call.refused("has an activation inside", "use a layer for it")
    rank = len(call.outputs[0].shape)
    _joined(call, [call.shape(index) for index in range(len(call.inputs))], call.option("axis") % rank)


def _pack(call: Call) -> None:
    """Each input has one axis more then, of length 1."""
    axis = call.option("axis") % len(call.outputs[0].shape)
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    _joined(call, [(*shape[:axis], 1, *shape[axis:]) for shape in shapes], axis)


def _joined(call: Call, shapes: Sequence[Shape], axis: int) -> None:
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) != 1:
        raise call.refused(f"joins {' and '.join(map(str, shapes[:4]))} along axis {axis}", AGAIN)
    batched = axis > 0 and all(len(shape) > 1 and shape[0] == 1 for shape in shapes)
    for index in range(len(call.inputs)):
        call.same_numbers(index)
    views = [shape[1:] if batched else shape for shape in shapes]
    inputs = [call.view(index, view) for index, view in enumerate(views)]
    axis -= batched
    shape = (*views[0][:axis], sum(view[axis] for view in views), *views[0][axis + 1 :])
    if len(inputs) == 1:
        call.add(Reshape(**call.own(shape, *inputs)))
        return
    call.add(Concatenate(**call.own(shape, *inputs), axis=axis))


# -- repeating and mirroring -------------------------------------------------------------------------------------------


def _mirror_pad(call: Call) -> None:
    """One axis after the other: what is mirrored before, the input, what is mirrored behind."""
    shape = call.shape()
    pads = np.asarray(call.integers(1, "paddings")).reshape(len(shape), 2).tolist()
    skipped = 1 - call.option("mode")  # REFLECT (0) leaves out the outermost
    layer: Layer | None = None
    for axis, (before, behind) in enumerate(pads):
        length = shape[axis]
        if not min(before, behind) >= 0 or max(before, behind) > length - skipped:
            raise call.refused(f"mirrors {(before, behind)} of {length}", AGAIN)
        if before or behind:
            layer = _mirrored(call, layer, shape, axis, (before, behind, skipped))
            shape = (*shape[:axis], length + before + behind, *shape[axis + 1 :])
    if layer is None:
        call.add(Reshape(**call.own(without_batch(shape), call.view(0, call.own_shape()))))
    else:
        call.add(Reshape(**call.own(without_batch(shape), layer.name)))


def _mirrored(call: Call, source: Layer | None, shape: Shape, axis: int, pads: tuple[int, int, int]) -> Layer:
    before, behind, skipped = pads
    rows, length, columns = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    plane = (rows, length, columns)
    if source is None:
        middle = call.view(0, plane)
    else:
        seen = Reshape(**call.step("plane", plane, source.name))
        middle = call.add(seen).name
    parts = []
    for count, last in ((before, before - 1 + skipped), (behind, length - 1 - skipped)):
        if count:
            part = StridedCopy(
                **call.step("mirrored", (rows, count, columns), middle),
                spelled="Mirror",
                sizes=(rows, count, columns),
                strides=(length * columns, -columns, 1),
                offset=last * columns,
            )
            parts.append(call.add(part).name)
    order = [*parts[: bool(before)], middle, *parts[bool(before) :]]
    output = (rows, length + before + behind, columns)
    return call.add(Concatenate(**call.step("joined", output, *order), axis=1))


def _depth_to_space(call: Call) -> None:
    _, height, width, channels = call.shape()
    size = call.option("block_size")
    rest = channels // (size * size)
    if rest * size * size != channels:
        raise call.refused(f"moves blocks of {size} out of {channels} channels", AGAIN)
    row, column = width * channels, channels
    sizes, strides = (height, size, width, size * rest), (row, size * rest, column, 1)
    copied(call, 0, (height * size, width * size, rest), sizes, strides)


def _space_to_depth(call: Call) -> None:
    _, height, width, channels = call.shape()
    size = call.option("block_size")
    if size < 1 or height % size or width % size:
        raise call.refused(f"moves blocks of {size} out of {(height, width)}", AGAIN)
    row = width * channels
    sizes = (height // size, width // size, size, size * channels)
    shape = (height // size, width // size, size * size * channels)
    copied(call, 0, shape, sizes, (row * size, size * channels, row, 1))


def _tile(call: Call) -> None:
    """Each axis is there as often as told."""
    shape, counts = call.shape(), call.integers(1, "counts")
    strides = steps(shape)
    pairs = [(count, size) for count, size in zip(counts, shape, strict=True)]
    sizes = [size for pair in pairs for size in pair]
    along = [stride for one in strides for stride in (0, one)]
    copied(call, 0, without_batch(call.outputs[0].shape), sizes, along, spelled="RepeatVector")


def _reverse(call: Call) -> None:
    shape, axes = call.shape(), {axis % len(call.shape()) for axis in call.integers(1, "axes")}
    parts = [range(size)[:: -1 if axis in axes else 1] for axis, size in enumerate(shape)]
    _cut(call, 0, parts, without_batch(shape))


CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    "CONCATENATION": _concatenation,
    "DEPTH_TO_SPACE": _depth_to_space,
    "GATHER": _gather,
    "MIRROR_PAD": _mirror_pad,
    "PACK": _pack,
    "REVERSE_V2": _reverse,
    "SLICE": _slice,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": _split,
    "SPLIT_V": _split_by_sizes,
    "STRIDED_SLICE": _strided_slice,
    "TILE": _tile,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
}
