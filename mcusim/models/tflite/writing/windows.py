"""Windows over planes: padding that TFLite has not inside of its operators, pools, means, images of other sizes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import AveragePooling, BilinearResize, BilinearUpSampling, MaxPooling, ZeroPadding
from mcusim.layers.planes import NO_PADDING, Padding, Pair, output_plane, plane, same_padding
from mcusim.layers.pooling import Pooling
from mcusim.models.tflite.resizing import steps_of
from mcusim.models.tflite.sums import SAME, VALID
from mcusim.models.tflite.writing.sheet import REALS, Sheet, Writer, alike
from mcusim.numbers.affine import RoundedMean, ScaledMean, averaging, mean


def padded(
    sheet: Sheet, shape: Shape, reached: Pair, strides: Pair, padding: Padding, *, least: bool = False
) -> tuple[int, int]:
    """The input as a plane, and the padding of the operator: SAME, VALID, or VALID behind one of its own.

    `least`: with the least number there is, in place of 0.
    """
    wanted = (1, 1) if len(sheet.layer.shape) == 1 else plane(sheet.layer.shape)[:2]
    tensor = sheet.view(0, shape)
    if padding == NO_PADDING and output_plane(shape, reached, strides, NO_PADDING) == wanted:
        return tensor, VALID
    every = tuple(-(-n // stride) for n, stride in zip(shape[:2], strides, strict=True))
    if padding == same_padding(shape, reached, strides) and every == wanted:
        return tensor, SAME
    pads = []
    for axis in (0, 1):
        before = padding[axis][0]
        behind = (wanted[axis] - 1) * strides[axis] + reached[axis] - shape[axis] - before
        if behind + strides[axis] <= 0:
            raise sheet.refused("ends before its last window, which TFLite has not", "crop it with a layer of its own")
        pads.append((before, max(behind, 0)))
    return _padded(sheet, tensor, (pads[0], pads[1]), least=least), VALID


def _padded(sheet: Sheet, tensor: int, padding: Padding, *, least: bool = False) -> int:
    if not any(map(any, padding)):
        return tensor
    shape, around = sheet.shape(tensor), ((0, 0), *padding, (0, 0))
    output = tuple(size + sum(ends) for size, ends in zip(shape, around, strict=True))
    inputs = [tensor, sheet.integers(around)]
    if not least:
        return sheet.moved("PAD", inputs, output)
    numbers = sheet.numbers()
    lowest = np.finfo(np.float32).min if numbers is None else numbers.minimum
    return sheet.moved("PADV2", [*inputs, sheet.stored_number(lowest, tensor)], output)


def cut(sheet: Sheet, tensor: int, begin: Shape, sizes: Shape, steps: Shape | None = None) -> int:
    """A part of a tensor, along each axis every `steps`-th place. Backwards where that is negative."""
    steps = steps or (1,) * len(sizes)
    if sheet.shape(tensor) == sizes and not any(begin) and min(steps) > 0:
        return tensor
    ends = [first + size * step for first, size, step in zip(begin, sizes, steps, strict=True)]
    mask = sum(1 << axis for axis, end in enumerate(ends) if end < 0)  # a negative one would count from the end
    lasts = [min(end, size) for end, size in zip(ends, sheet.shape(tensor), strict=True)]
    inputs = (tensor, sheet.integers(begin), sheet.integers(lasts), sheet.integers(steps))
    return sheet.moved("STRIDED_SLICE", inputs, sizes, end_mask=mask)


def zero_padding(sheet: Sheet, layer: ZeroPadding) -> None:
    sheet.done(_padded(sheet, sheet.view(0, plane(layer.input_shape)), layer.padding))


# -- pools -------------------------------------------------------------------------------------------------------------


def max_pooling(sheet: Sheet, layer: MaxPooling) -> None:
    source, padding = padded(sheet, plane(layer.input_shape), layer.size, layer.strides, layer.padding, least=True)
    _pool(sheet, layer, "MAX_POOL_2D", source, padding)


def average_pooling(sheet: Sheet, layer: AveragePooling) -> None:
    """Means of the whole plane, or of its rows, are MEAN or SUM; what is rounded as a pool is one."""
    whole = len(layer.shape) == 1 and layer.size == plane(layer.input_shape)[:2] and layer.padding == NO_PADDING
    if isinstance(layer.averaging, ScaledMean) or (layer.averaging is None and whole):
        _mean(sheet, layer)
        return
    if layer.averaging is not None:
        if not isinstance(layer.averaging, RoundedMean) or sheet.out is None or sheet.numbers() != sheet.out:
            raise sheet.refused("rounds its means otherwise than TFLite does", REALS)
        sheet.demand(layer.averaging, averaging(sheet.out, layer.size[0] * layer.size[1]), "rounds its means")
    source, padding = padded(sheet, plane(layer.input_shape), layer.size, layer.strides, layer.padding)
    if source != sheet.view(0, plane(layer.input_shape)):
        raise sheet.refused("has a padding that does not count", "use padding 'same' or 'valid'")
    _pool(sheet, layer, "AVERAGE_POOL_2D", source, padding)


def _pool(sheet: Sheet, layer: Pooling, kind: str, source: int, padding: int) -> None:
    options = {
        **{"padding": padding, "stride_h": layer.strides[0], "stride_w": layer.strides[1]},
        **{"filter_h": layer.size[0], "filter_w": layer.size[1]},
    }
    sheet.end(kind, (source,), (1, *layer.output_plane, layer.shape[-1]), layer.activation, **options)


def _axes(layer: Pooling) -> tuple[int, ...] | None:
    """Of (batch, height, width, channels): those that windows have whole. None where they move along these."""
    height, width, _ = plane(layer.input_shape)
    if layer.padding != NO_PADDING:
        return None
    if layer.size == (height, width):
        return (1, 2) if len(layer.input_shape) == 3 else (2,)
    return (2,) if layer.size == (1, width) and layer.output_plane == (height, 1) and layer.strides[0] == 1 else None


def _mean(sheet: Sheet, layer: AveragePooling) -> None:
    axes, kind = _axes(layer), "MEAN"
    if axes is None:
        raise sheet.refused("has means of windows with a scale of their own", REALS)
    entry, out = sheet.numbers(), sheet.out
    if entry is not None and out is not None:
        makes = {"MEAN": mean(entry, out, _count(layer)), "SUM": mean(entry, out, _count(layer), divide=False)}
        found = [name for name, made in makes.items() if alike(made, layer.averaging)]
        if not found:
            raise sheet.refused("rounds its means otherwise than TFLite does", REALS)
        kind = found[0]
    height, width, channels = plane(layer.input_shape)
    whole, output = len(layer.shape) == 1, layer.shape
    if len(layer.input_shape) == 2:  # a series: its axis is the first behind the batch
        source, axes, output = sheet.view(0, (width, channels)), (1,), (1, 1, channels)
    else:
        source = sheet.view(0, (height, width, channels))
        output = (1, 1 if 1 in axes else height, 1, channels)
    output = (1, channels) if whole else output
    tensor = sheet.op(kind, (source, sheet.integers(axes)), output, out, keep_dims=len(output) > 2)
    sheet.done(sheet.limited(tensor, layer.activation))


def _count(layer: Pooling) -> int:
    return layer.size[0] * layer.size[1]


# -- images ------------------------------------------------------------------------------------------------------------


def resize(sheet: Sheet, layer: BilinearResize) -> None:
    image, sizes = plane(layer.input_shape), layer.shape[:2]
    for aligned, centers in ((False, False), (False, True), (True, False)):
        pairs = zip(image[:2], sizes, (layer.rows, layer.columns), strict=True)
        if all(alike(steps_of(sheet.out is None, have, want, aligned, centers), own) for have, want, own in pairs):
            _bilinear(sheet, image, sizes, align_corners=aligned, half_pixel_centers=centers)
            return
    raise sheet.refused("finds its pixels otherwise than TFLite does", "use half_pixel_centers")


def up_sampling(sheet: Sheet, layer: BilinearUpSampling) -> None:
    if sheet.out is not None:
        raise sheet.refused("rounds once, and TFLite the weights of pixels, too", f"use 'nearest', or {REALS}")
    _bilinear(sheet, plane(layer.input_shape), layer.shape[:2], half_pixel_centers=True)


def _bilinear(sheet: Sheet, image: Shape, sizes: Shape, **options: Any) -> None:
    inputs = (sheet.view(0, image), sheet.integers(sizes))
    sheet.done(sheet.moved("RESIZE_BILINEAR", inputs, (1, *sheet.layer.shape), **options))


WRITERS: Mapping[type, Writer] = {
    AveragePooling: average_pooling,
    BilinearResize: resize,
    BilinearUpSampling: up_sampling,
    MaxPooling: max_pooling,
    ZeroPadding: zero_padding,
}
