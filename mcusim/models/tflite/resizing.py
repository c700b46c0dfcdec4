"""TFLite's RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR -> layers of a Graph."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import BilinearResize, Concatenate, Reshape, StridedCopy
from mcusim.layers.bilinear_resize import WEIGHT_BITS, Steps
from mcusim.models.runs import Along, regular, runs_of
from mcusim.models.tflite.call import AGAIN, Call
from mcusim.models.tflite.moving import copied
from mcusim.system.arrays import Array

LARGEST_SIDE = 2**14
ONE = 1 << WEIGHT_BITS


def _image(call: Call) -> tuple[Shape, tuple[int, int]]:
    """The input without its batch, and the size that it gets."""
    shape, sizes = call.shape(), call.integers(1, "sizes")
    is_image = len(shape) == 4 and shape[0] == 1 and len(sizes) == 2
    if not is_image or not 1 <= min(sizes) <= max(*sizes, *shape) <= LARGEST_SIDE:
        raise call.refused(f"makes {shape} to {sizes[:4]}", AGAIN)
    return shape[1:], (sizes[0], sizes[1])


def _bilinear(call: Call) -> None:
    image, sizes = _image(call)
    aligned, centers = bool(call.option("align_corners")), bool(call.option("half_pixel_centers"))
    pairs, real = zip(image, sizes, strict=False), call.out is None
    rows, columns = (steps_of(real, have, want, aligned, centers) for have, want in pairs)
    call.same_numbers()
    own = call.own((*sizes, image[2]), call.view(0, image))
    call.add(BilinearResize(**own, input_shape=image, rows=rows, columns=columns))


def steps_of(real: bool, have: int, want: int, aligned: bool, centers: bool) -> Steps:
    """Of an axis, of reals or of integers."""
    return (_real_steps if real else _integer_steps)(have, want, aligned, centers)


def _real_steps(have: int, want: int, aligned: bool, centers: bool) -> Steps:
    """As TFLM finds them, in float32."""
    half = np.float32(0.5)
    scale = _scale(have, want, aligned)
    places = np.arange(want).astype(np.float32)
    places = (places + half) * scale - half if centers else places * scale
    before = np.maximum(np.floor(places).astype(np.int64), 0)
    behind = np.minimum(np.ceil(places).astype(np.int64), have - 1)
    return Steps(np.minimum(before, have - 1), behind, (places - before.astype(np.float32)).astype(np.float32))


def _integer_steps(have: int, want: int, aligned: bool, centers: bool) -> Steps:
    """Likewise, with 10 bits behind the point."""
    if aligned and want > 1:
        scale = (ONE * (have - 1) + (want - 1) // 2) // (want - 1)
    else:
        scale = (ONE * have + want // 2) // want
    places = np.arange(want) * scale + (scale // 2 - ONE // 2 if centers else 0)
    before = np.maximum(places // ONE, 0)
    behind = np.minimum(-(-places // ONE), have - 1)
    return Steps(np.minimum(before, have - 1), np.maximum(behind, 0), (places - ONE * before).astype(np.int16))


def _scale(have: int, want: int, aligned: bool) -> np.float32:
    """Inputs to an output."""
    return np.float32(have - 1) / np.float32(want - 1) if aligned and want > 1 else np.float32(have) / np.float32(want)


def _resize_nearest(call: Call) -> None:
    """By whole factors one copy; by others rows, and then columns, in runs that are joined."""
    image, sizes = _image(call)
    aligned, centers = bool(call.option("align_corners")), bool(call.option("half_pixel_centers"))
    call.same_numbers()
    rows, columns = (_places(have, want, aligned, centers) for have, want in zip(image, sizes, strict=False))
    down, across = regular(rows, image[0]), regular(columns, image[1])
    if down and across:
        _copied_at_once(call, image, sizes, down, across)
        return
    source = _taken(call, call.view(0, image), image, 0, rows)
    source = _taken(call, source, (sizes[0], *image[1:]), 1, columns)
    call.add(Reshape(**call.own((*sizes, image[2]), source)))


def _places(have: int, want: int, aligned: bool, centers: bool) -> Array:
    """Of each output the input that it copies, as TFLM finds it, in float32."""
    at = (np.arange(want).astype(np.float32) + np.float32(0.5 if centers else 0)) * _scale(have, want, aligned)
    places = np.floor(at + np.float32(0.5)) if aligned else np.floor(at)
    found: Array = np.clip(places, 0, have - 1).astype(np.int64)
    return found


def _copied_at_once(call: Call, image: Shape, sizes: tuple[int, int], rows: Along, columns: Along) -> None:
    _, width, channels = image
    stride = width * channels
    copied(
        call,
        0,
        (*sizes, channels),
        (rows.count, rows.repeats, columns.count, columns.repeats, channels),
        (rows.step * stride, 0, columns.step * channels, 0, 1),
        rows.first * stride + columns.first * channels,
        spelled="UpSampling2D",
    )


def _taken(call: Call, source: str, shape: Shape, axis: int, places: Array) -> str:
    """-> a layer of (outer, places, inner)."""
    outer, length, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    runs = runs_of(places, length)
    if runs is None:
        raise call.refused(f"makes {length} to {len(places)}", "use a whole factor")
    period, parts = length // runs.periods, []
    for start, count, step in runs.pieces:
        part = StridedCopy(
            **call.step("part", (outer * runs.periods, count, inner), source),
            spelled="UpSampling2D",
            sizes=(outer * runs.periods, count, inner),
            strides=(period * inner, step * inner, 1),
            offset=start * inner,
        )
        parts.append(call.add(part).name)
    if len(parts) == 1:
        return parts[0]
    shape = (outer * runs.periods, len(places) // runs.periods, inner)
    return call.add(Concatenate(**call.step("joined", shape, *parts), axis=1)).name


CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    "RESIZE_BILINEAR": _bilinear,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
}
