"""TFLite's RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR -> layers of a Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mcusim.graph import Shape
from mcusim.layers.bilinear_resize import WEIGHT_BITS, BilinearResize, Steps
from mcusim.models.tflite.call import AGAIN, Call
from mcusim.models.tflite.moving import copied

LARGEST_SIDE = 2**14
ONE = 1 << WEIGHT_BITS


def _image(call: Call) -> tuple[Shape, tuple[int, int]]:
    """The input without its batch, and the size that it gets."""
    shape, sizes = call.shape(), call.integers(1, "sizes")
    if (
        len(shape) != 4
        or shape[0] != 1
        or len(sizes) != 2
        or not 1 <= min(sizes) <= max(*sizes, *shape) <= LARGEST_SIDE
    ):
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
    scale = np.float32(have - 1) / np.float32(want - 1) if aligned and want > 1 else np.float32(have) / np.float32(want)
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


def _resize_nearest(call: Call) -> None:
    """By whole factors; others would need a table of places."""
    (height, width, channels), sizes = _image(call)
    if call.option("align_corners"):
        raise call.refused("aligns corners", "use half_pixel_centers, or neither")
    centers = bool(call.option("half_pixel_centers"))
    found = [_along(have, want, centers) for have, want in zip((height, width), sizes, strict=True)]
    if None in found:
        raise call.refused(f"makes {(height, width)} to {tuple(sizes)}", "use a whole factor")
    (rows, down, top), (columns, across, left) = (along for along in found if along is not None)
    stride = width * channels
    copied(
        call,
        0,
        (*sizes, channels),
        (rows[0], rows[1], columns[0], columns[1], channels),
        (down[0] * stride, down[1] * stride, across[0] * channels, across[1] * channels, 1),
        top * stride + left * channels,
        spelled="UpSampling2D",
    )


def _along(have: int, want: int, centers: bool) -> tuple[tuple[int, int], tuple[int, int], int] | None:
    """Of an axis: sizes, strides and the first place: (places, repeats)."""
    if want % have == 0:
        return (have, want // have), (1, 0), 0
    if have % want == 0:
        factor = have // want
        return (want, 1), (factor, 0), factor // 2 if centers else 0
    return None


CONVERTERS: Mapping[str, Callable[[Call], None]] = {
    "RESIZE_BILINEAR": _bilinear,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
}
