"""Pad, Resize and Upsample -> layers of a Graph."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mcusim.layers import BilinearUpSampling, ZeroPadding
from mcusim.layers.bilinear_resize import BilinearResize, Steps
from mcusim.layers.planes import plane
from mcusim.models.onnx.node import EXPORT, OnnxNode, channels_last
from mcusim.models.onnx.operands import rescaled
from mcusim.models.onnx.places import taken
from mcusim.models.onnx.reshaping import as_shape, cut, joined_along, whole
from mcusim.models.onnx.tensor import Tensor, tensor
from mcusim.models.runs import regular
from mcusim.system.arrays import Array

Convert = Callable[[OnnxNode], Tensor]
Ends = tuple[int, int]
LARGEST_PADDING = 2**20


def _pad(node: OnnxNode) -> Tensor:
    """Where counts are negative something is cut off first."""
    x, rank = node.x, len(node.x.shape)
    node.attributes.get("value")  # without a meaning in other modes
    mode, ends = node.text("mode", "constant"), _ends_of(node, rank)
    pairs = zip(x.shape, ends, strict=True)
    cuts = [(max(0, -front), size + min(front, 0) + min(back, 0), 1) for size, (front, back) in pairs]
    x = cut(node, x, cuts, node.named("cut"))
    ends = [(max(before, 0), max(after, 0)) for before, after in ends]
    if mode in ("reflect", "edge", "wrap"):
        return _mirrored(node, x, ends, mode)
    if mode != "constant":
        raise node.refused(f"has mode {mode!r:.20}", EXPORT)
    value = _value(node)
    if not value:
        return zeros_around(node, x, ends, node.name)
    moved = rescaled(node, x, 1.0, -value, node.named("moved"))
    return rescaled(node, zeros_around(node, moved, ends, node.named("zeros")), 1.0, value)


def _ends_of(node: OnnxNode, rank: int) -> list[Ends]:
    told = node.listed(1, "pads", node.wholes("paddings")) or ()
    axes = node.listed(3, "axes") or tuple(range(rank))
    if len(told) != 2 * len(axes) or any(abs(count) > LARGEST_PADDING for count in told):
        raise node.refused(f"has pads = {str(told)[:60]}", "use two whole numbers for each axis")
    ends: list[Ends] = [(0, 0)] * rank
    for number, axis in enumerate(axes):
        ends[node.axis(axis, rank)] = (told[number], told[number + len(axes)])
    return ends


def _value(node: OnnxNode) -> float:
    value = float(np.asarray(node.constant(2)).reshape(-1)[0]) if node.has(2) else node.real("value", 0.0)
    if not math.isfinite(value):
        raise node.refused(f"pads with {value}", "use a number")
    return value


def zeros_around(node: OnnxNode, x: Tensor, ends: Sequence[Ends], name: str) -> Tensor:
    """Rows and columns of planes at once, so that a convolution may take them over; else one axis after the other."""
    padded = [axis for axis, pair in enumerate(ends) if any(pair)]
    rank = len(x.axes)
    if not padded:
        return x
    if rank in (3, 4) and min(padded) >= 2 and x.shape[0] == 1:
        order = channels_last(rank)
        moved = node.made.moved(x, order)
        own = tuple(x.shape[axis] for axis in order[1:])
        grown = tuple(size + sum(ends[axis]) for axis, size in zip(order[1:], own, strict=True))
        rows = ends[2] if rank == 4 else (0, 0)
        source = node.made.seen(moved, own)
        layer = ZeroPadding(name=name, inputs=(source,), shape=grown, input_shape=own, padding=(rows, ends[-1]))
        return node.spread(layer)
    for number, axis in enumerate(padded):
        x = _one_axis(node, x, axis, ends[axis], name if number == len(padded) - 1 else node.named(f"axis{axis}"))
    return x


def _one_axis(node: OnnxNode, x: Tensor, axis: int, ends: Ends, name: str) -> Tensor:
    """It is the columns of a plane: what lies outside of it are the rows, inside of it the channels."""
    order = x.order or tuple(range(len(x.axes)))
    moved, at = node.made.moved(x, order), order.index(axis)
    outer, inner = (math.prod(x.shape[a] for a in part) for part in (order[:at], order[at + 1 :]))
    own, length = (outer, x.shape[axis], inner), x.shape[axis] + sum(ends)
    source = node.made.seen(moved, own)
    layer = ZeroPadding(
        name=name, inputs=(source,), shape=(outer, length, inner), input_shape=own, padding=((0, 0), ends)
    )
    shape = [length if a == axis else size for a, size in enumerate(x.shape)]
    return tensor(node.made.add(layer), shape, order)


def _mirrored(node: OnnxNode, x: Tensor, ends: Sequence[Ends], mode: str) -> Tensor:
    """Axis by axis: what is at its ends, again in front of it and behind it."""
    padded = [axis for axis, pair in enumerate(ends) if any(pair)]
    for number, axis in enumerate(padded):
        size, (before, after) = x.shape[axis], ends[axis]
        least = {"reflect": size - 1, "edge": max(before, after), "wrap": size}[mode]
        if max(before, after) > least:
            raise node.refused(f"pads {size} numbers by {max(before, after)} ({mode})", "pad less")
        parts = [x]
        for place, count in ((0, before), (1, after)):
            cuts = whole(x)
            cuts[axis] = _copied(mode, place == 0, size, count)
            if count:
                part = cut(node, x, cuts, node.named("before" if place == 0 else "behind"))
                parts = [part, *parts] if place == 0 else [*parts, part]
        x = joined_along(node, parts, axis, node.name if number == len(padded) - 1 else node.named(f"axis{axis}"))
    return x


def _copied(mode: str, is_before: bool, size: int, count: int) -> tuple[int, int, int]:
    """(start, count, step) of what is copied."""
    if mode == "edge":
        return (0 if is_before else size - 1, count, 0)
    if mode == "wrap":
        return (size - count if is_before else 0, count, 1)
    return (count if is_before else size - 2, count, -1)


# -- other sizes -------------------------------------------------------------------------------------------------------


def _resize(node: OnnxNode) -> Tensor:
    x = node.x
    scales = _scales(node, x)
    node.text("keep_aspect_ratio_policy", "stretch")
    for key in ("cubic_coeff_a", "extrapolation_value", "exclude_outside"):
        node.attributes.get(key)
    if node.whole("antialias", 0) and any(scale < 1 for scale in scales):
        raise node.refused("averages what it leaves out", "use antialias=False")
    target = [math.floor(size * scale + 1e-9) for size, scale in zip(x.shape, scales, strict=True)]
    if min(target) < 1 or max(target) > LARGEST_PADDING:
        raise node.refused(f"gives the shape {tuple(target)}", "use a sensible size")
    mode = node.text("mode", "nearest")
    if mode == "nearest":
        return _nearest(node, x, target, scales)
    if mode in ("linear", "bilinear"):
        return _linear(node, x, target, scales)
    raise node.refused(f"has mode {mode!r:.20}", "use 'nearest' or 'linear'")


def _scales(node: OnnxNode, x: Tensor) -> list[float]:
    """For each axis. Opset 9 has them second, later ones third, or the sizes fourth."""
    rank, axes = len(x.shape), node.wholes("axes") or tuple(range(len(x.shape)))
    index = 1 if node.kind == "Upsample" or node.opset < 11 else 2
    told = node.attributes.get("scales")
    found = [float(value) for value in told] if isinstance(told, tuple) else []
    if node.has(index) and node.constant(index).size:
        found = [float(value) for value in node.constant(index).reshape(-1)[:17]]
    sizes = node.constant(3).reshape(-1)[:17] if node.has(3) and index == 2 else np.zeros(0)
    if len(sizes) == len(axes):
        found = [float(size) / x.shape[node.axis(axis, rank)] for size, axis in zip(sizes, axes, strict=True)]
    if len(found) != len(axes) or not all(0 < scale <= LARGEST_PADDING for scale in found):
        raise node.refused(f"has no scales for {x.shape}", "use constant sizes, or constant scales")
    scales = [1.0] * rank
    for axis, scale in zip(axes, found, strict=True):
        scales[node.axis(axis, rank)] = scale
    return scales


def _nearest(node: OnnxNode, x: Tensor, target: Sequence[int], scales: Sequence[float]) -> Tensor:
    """Each number several times, or every so many of them, where one copy can do it; else axis by axis."""
    usual = "asymmetric" if node.kind == "Upsample" or node.opset < 11 else "half_pixel"
    mode, rounding = node.text("coordinate_transformation_mode", usual), node.text("nearest_mode", "round_prefer_floor")
    if usual == "asymmetric":
        rounding = "floor"
    all_places = [
        _places(node, mode, rounding, size, length, scale)
        for size, length, scale in zip(x.shape, target, scales, strict=True)
    ]
    found = [regular(places, size) for places, size in zip(all_places, x.shape, strict=True)]
    if None not in found:
        cuts = [part for one in found if one for part in ((one.first, one.count, one.step), (0, one.repeats, 1))]
        wide = as_shape(node, x, [part for size in x.shape for part in (size, 1)])
        return as_shape(node, cut(node, wide, cuts, node.name), target)
    for axis, places in enumerate(all_places):
        if not np.array_equal(places, np.arange(x.shape[axis])):
            x = taken(node, x, axis, places, node.named(f"axis{axis}"))
    return x


def _places(node: OnnxNode, mode: str, rounding: str, size: int, length: int, scale: float) -> Array:
    """Of each output the input that it copies, as the standard has it."""
    rounded: dict[str, Callable[[Array], Array]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda value: np.ceil(value - 0.5),
        "round_prefer_ceil": lambda value: np.floor(value + 0.5),
    }
    if rounding not in rounded:
        raise node.refused(f"goes by {rounding!r:.30}", "use 'floor' or 'round_prefer_floor'")
    return np.clip(rounded[rounding](_coordinates(node, mode, size, length, scale)), 0, size - 1).astype(np.int64)


def _coordinates(node: OnnxNode, mode: str, size: int, length: int, scale: float) -> Array:
    """Of each output where it lies among the inputs: in float32, as onnxruntime does it, where ties are close."""
    at, half, by = np.arange(length).astype(np.float32), np.float32(0.5), np.float32(scale)
    coordinates = {
        "asymmetric": at / by,
        "half_pixel": (at + half) / by - half,
        "pytorch_half_pixel": (at + half) / by - half if length > 1 else 0 * at,
        "align_corners": at * np.float32(size - 1) / np.float32(max(length - 1, 1)),
    }
    if mode not in coordinates:
        raise node.refused(f"goes by {mode!r:.30}", "use 'asymmetric' or 'half_pixel'")
    return coordinates[mode]


def _linear(node: OnnxNode, x: Tensor, target: Sequence[int], scales: Sequence[float]) -> Tensor:
    """Rows and columns, between pixels; by whole factors from their centers with a kernel of its own."""
    usual = "asymmetric" if node.kind == "Upsample" or node.opset < 11 else "half_pixel"
    mode = node.text("coordinate_transformation_mode", usual)
    node.text("nearest_mode", "floor")
    source, shape = node.planes()
    if tuple(target[:2]) != x.shape[:2]:
        raise node.refused(f"turns {x.shape} into {tuple(target)}", "resize rows and columns alone")
    rows, columns = plane(shape)[:2]
    down, across = (1, *target[2:])[-2:]  # rows of a series: one
    made, own = (down, across, shape[-1]), (rows, columns, shape[-1])
    source = node.made.seen(tensor(source, shape), own)
    told: dict[str, Any] = {"name": node.name, "inputs": (source,), "shape": made, "input_shape": own}
    if mode in ("half_pixel", "pytorch_half_pixel") and down % rows == 0 and across % columns == 0:
        size = (down // rows, across // columns)
        return tensor(node.made.add(BilinearUpSampling(**told, size=size)), target, channels_last(len(target)))
    factors = (1.0, *scales[2:])[-2:]
    steps = [
        _between(_coordinates(node, mode, have, want, factor), have)
        for have, want, factor in zip((rows, columns), (down, across), factors, strict=True)
    ]
    resized = node.made.add(BilinearResize(**told, rows=steps[0], columns=steps[1]))
    return tensor(resized, target, channels_last(len(target)))


def _between(places: Array, size: int) -> Steps:
    places = np.clip(places, 0, size - 1)
    before = np.floor(places).astype(np.int64)
    return Steps(before, np.minimum(before + 1, size - 1), (places - before).astype(np.float32))


CONVERTERS: Mapping[str, Convert] = {"Pad": _pad, "Resize": _resize, "Upsample": _resize}
