"""Windows that slide over planes, and what pads them: settings that convolutions and pooling share, and pooling.

Where windows of a pooling have gaps it becomes extremes or sums of copies, along one axis after the other.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mcusim.graph import Shape
from mcusim.layers.merge import BroadcastAdd, Maximum, Merge
from mcusim.layers.planes import NO_PADDING, Padding, Pair, plane, reach, shape_like
from mcusim.layers.pooling import AveragePooling, MaxPooling, Pooling
from mcusim.layers.zero_padding import ZeroPadding
from mcusim.models.onnx.merges import of_tensors
from mcusim.models.onnx.node import EXPORT, OnnxNode, channels_last
from mcusim.models.onnx.operands import rescaled
from mcusim.models.onnx.places import taken
from mcusim.models.onnx.tensor import Tensor, tensor
from mcusim.system.arrays import Array

Convert = Callable[[OnnxNode], Tensor]
LARGEST_SETTING = 2**20


def pairs_of(node: OnnxNode, key: str, default: int, lowest: int = 0) -> Pair:
    """A number for each axis of the plane -> (vertical, horizontal); in 1D the vertical one is the default."""
    told = node.wholes(key) or ()
    if len(told) > 2 or any(not lowest <= value <= LARGEST_SETTING for value in told):
        raise node.refused(f"has {key} = {told}", "use one or two axes, and whole numbers of a sensible size")
    found = (default,) * (2 - len(told)) + told
    return (found[0], found[1])


def pair(node: OnnxNode, key: str) -> Pair:
    return pairs_of(node, key, 1, 1)


def padding_of(node: OnnxNode, shape: Shape, size: Pair, strides: Pair) -> Padding:
    """`pads` (all begins, then all ends), or what `auto_pad` says, for windows that reach so far."""
    mode, told, rank = node.text("auto_pad", "NOTSET"), node.wholes("pads"), len(shape) - 1
    if mode == "VALID":
        return NO_PADDING
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        ends = [
            _same(length, window, stride, mode == "SAME_UPPER")
            for length, window, stride in zip(plane(shape)[:2], size, strides, strict=True)
        ]
        return (ends[0], ends[1])
    if mode != "NOTSET":
        raise node.refused(f"has auto_pad = {mode!r:.20}", EXPORT)
    pads = told or (0,) * (2 * rank)
    if len(pads) != 2 * rank or any(not 0 <= pad <= LARGEST_SETTING for pad in pads):
        raise node.refused(f"has pads = {pads}", "use two whole numbers for each axis")
    ends = [(pads[axis], pads[axis + rank]) for axis in range(rank)]
    return ((0, 0), ends[0]) if rank == 1 else (ends[0], ends[1])


def _same(length: int, window: int, stride: int, odd_at_end: bool) -> Pair:
    total = max((-(-length // stride) - 1) * stride + window - length, 0)
    return (total // 2, total - total // 2) if odd_at_end else (total - total // 2, total // 2)


def _pooling(kind: type[Pooling], node: OnnxNode) -> Tensor:
    source, shape = node.planes()
    size, strides, gaps = pair(node, "kernel_shape"), pair(node, "strides"), pair(node, "dilations")
    if "kernel_shape" not in node.attributes:
        raise node.refused("has no windows", EXPORT)
    if gaps != (1, 1) and node.text("auto_pad", "NOTSET").startswith("SAME"):
        raise node.refused("pads windows with gaps by itself", "tell pads: runtimes differ in what these are")
    node.whole("storage_order", 0)  # of the places, which nobody may read
    reached = reach(size, gaps)
    padding = padding_of(node, shape, reached, strides)
    lengths, ends = _ends(node, shape, reached, strides, padding)
    if node.whole("count_include_pad", 0) and kind is AveragePooling and padding != NO_PADDING:
        source, shape = _padded(node, source, shape, padding)
        ends = ((0, ends[0][1] - padding[0][1]), (0, ends[1][1] - padding[1][1]))
    if gaps != (1, 1):
        return _with_gaps(kind, node, source, shape, zip(lengths, size, gaps, strides, ends, strict=True))
    made = shape_like(len(shape) - 1, *lengths, shape[-1])
    window = {"size": size, "strides": strides, "padding": ends, "input_shape": shape}
    return node.spread(kind(name=node.name, inputs=(source,), shape=made, **window))  # type: ignore[arg-type]


def _with_gaps(
    kind: type[Pooling], node: OnnxNode, source: str, shape: Shape, windows: Iterable[tuple[int, int, int, int, Pair]]
) -> Tensor:
    """`windows`: of rows and columns how many, of what size, with what gaps and strides, and what lies outside."""
    rank = len(shape) + 1
    x = tensor(source, (1, shape[-1], *shape[:-1]), channels_last(rank))
    axes = [
        Along(axis, count, size, gap, stride, outside[0])
        for axis, (count, size, gap, stride, outside) in zip((rank - 2, rank - 1), windows, strict=True)
        if axis > 1
    ]
    return pooled(kind, node, x, axes)


def _padded(node: OnnxNode, source: str, shape: Shape, padding: Padding) -> tuple[str, Shape]:
    """Zeros that count, so that they are numbers like others."""
    height, width, channels = plane(shape)
    wider = shape_like(len(shape) - 1, height + sum(padding[0]), width + sum(padding[1]), channels)
    name = node.named("padded")
    layer = ZeroPadding(name=name, inputs=(source,), shape=wider, input_shape=shape, padding=padding)
    return node.made.add(layer), wider


def _ends(node: OnnxNode, shape: Shape, size: Pair, strides: Pair, padding: Padding) -> tuple[Pair, Padding]:
    """Height and width of the output, and the padding that its last windows reach. `ceil_mode` keeps a last window that
    lies only in part on the plane, unless it begins behind it.
    """
    rounds_up, lengths, ends = bool(node.whole("ceil_mode", 0)), [], []
    for length, window, stride, (before, after) in zip(plane(shape)[:2], size, strides, padding, strict=True):
        over = length + before + after - window
        count = (-(-over // stride) if rounds_up else over // stride) + 1
        if rounds_up and (count - 1) * stride >= length + before:
            count -= 1
        if over < 0 or count < 1:
            raise node.refused(f"has a window of {size} that does not fit {shape}", "use a smaller window")
        if max(before, after) >= window:
            raise node.refused(f"has windows of {size} that lie outside of {shape}", "use less padding")
        lengths.append(count)
        ends.append((before, max(after, (count - 1) * stride + window - length - before)))
    return (lengths[0], lengths[1]), (ends[0], ends[1])


def _global_pooling(kind: type[Pooling], node: OnnxNode) -> Tensor:
    source, shape = node.planes()
    size = plane(shape)[:2]
    window = {"size": size, "strides": size, "padding": NO_PADDING, "input_shape": shape}
    layer = kind(name=node.name, inputs=(source,), shape=shape[-1:], **window)  # type: ignore[arg-type]
    return tensor(node.made.add(layer), (1, shape[-1], *(1,) * (len(shape) - 1)))


CONVERTERS: Mapping[str, Convert] = {
    f"{place}{name}Pool": partial(convert, kind)
    for place, convert in (("", _pooling), ("Global", _global_pooling))
    for name, kind in (("Max", MaxPooling), ("Average", AveragePooling))
}


@dataclass(frozen=True)
class Along:
    """An axis: `count` windows of `size` numbers that are `gap` apart, the first `before` the axis begins."""

    axis: int
    count: int
    size: int
    gap: int
    stride: int
    before: int


def pooled(kind: type[Pooling], node: OnnxNode, x: Tensor, axes: Sequence[Along]) -> Tensor:
    """What lies outside never is the largest; a mean is of whole windows."""
    merge: type[Merge] = Maximum if kind is MaxPooling else BroadcastAdd
    for along in axes:
        whole, *rest = [
            taken(node, x, along.axis, places, node.named(f"axis{along.axis}_{number}"))
            for number, places in enumerate(_places(node, along, x.shape[along.axis], kind is MaxPooling))
        ]
        for part in rest:
            whole = of_tensors(merge, node, whole, part, node.named(f"axis{along.axis}"))
        x = whole
    return x if kind is MaxPooling else rescaled(node, x, 1 / math.prod(along.size for along in axes), 0.0)


def _places(node: OnnxNode, along: Along, length: int, may_lack: bool) -> Array:
    """Of each number of the windows the places: in the stead of one outside stands another one of that window."""
    first = along.stride * np.arange(along.count) - along.before
    places = first[:, None] + along.gap * np.arange(along.size)
    inside = (places >= 0) & (places < length)
    if not inside.all() and not (may_lack and inside.any(axis=1).all()):
        raise node.refused("has windows with gaps that lie outside in part", "use less padding, or no dilations")
    other = places[np.arange(along.count), inside.argmax(axis=1)]
    return np.ascontiguousarray(np.where(inside, places, other[:, None]).T)
