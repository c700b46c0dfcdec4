"""TFLite's PAD and PADV2 -> layers of a Graph: planes that lie in larger ones."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import Concatenate, Reshape, ZeroPadding
from mcusim.layers.planes import Padding, Pair
from mcusim.models.tflite.call import AGAIN, Call, without_batch
from mcusim.system.arrays import Array

NONE: Pair = (0, 0)


def _pad(call: Call) -> None:
    """(height, width) of an image at once, any other axis as the width of a plane."""
    shape = call.shape()
    told = np.asarray(call.integers(1, "paddings")).reshape(len(shape), 2).tolist()
    pads: list[Pair] = [(before, behind) for before, behind in told]
    if min(map(min, pads)) < 0:
        raise call.refused(f"pads by {told}", AGAIN)
    value = _value(call)
    if value is None and len(shape) == 4 and shape[0] == 1 and (any(pads[1]) or any(pads[2])):
        _, height, width, channels = shape
        output = (height + sum(pads[1]), width + sum(pads[2]), channels)
        _zeros(call, shape[1:], output, (pads[1], pads[2]))
        shape, pads[1], pads[2] = (1, *output), NONE, NONE
    for axis, ends in enumerate(pads):
        if any(ends):
            rows, columns = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
            outer = (rows,) if rows > 1 or value is not None else ()
            before, behind = (*outer, shape[axis], columns), (*outer, shape[axis] + sum(ends), columns)
            if value is None:
                _zeros(call, before, behind, (NONE, ends))
            else:
                _filled(call, before, ends, value)
            shape = (*shape[:axis], shape[axis] + sum(ends), *shape[axis + 1 :])
    if not call.made or call.made[-1].shape != without_batch(shape):
        source = call.made[-1].name if call.made else call.view(0, call.own_shape())
        call.add(Reshape(**call.own(without_batch(shape), source)))
        return
    call.made[-1] = replace(call.made[-1], name=call.name)


def _value(call: Call) -> Array | None:
    """What is padded with; None for 0, or the integer that stands for it."""
    if call.optional(2) is None:
        return None
    value = call.constant(2, "value").reshape(())
    return None if value == (call.out.zero if call.out else 0) else value


def _zeros(call: Call, shape: Shape, output: Shape, ends: Padding) -> None:
    call.add(ZeroPadding(**call.step("padded", output, _seen(call, shape)), input_shape=shape, padding=ends))


def _filled(call: Call, shape: Shape, ends: Pair, value: Array) -> None:
    """With numbers other than 0: these are constants beside the input."""
    rows, length, columns = shape
    source = _seen(call, shape)
    parts = [call.filled(source, (rows, count, columns), value) if count else "" for count in ends]
    joined = filter(None, (parts[0], source, parts[1]))
    call.add(Concatenate(**call.step("padded", (rows, length + sum(ends), columns), *joined), axis=1))


def _seen(call: Call, shape: Shape) -> str:
    """What there is so far, in this shape."""
    if not call.made:
        return call.view(0, shape)
    if call.made[-1].shape == shape:
        return call.made[-1].name
    return call.add(Reshape(**call.step("plane", shape, call.made[-1].name))).name


CONVERTERS: Mapping[str, Callable[[Call], None]] = {"PAD": _pad, "PADV2": _pad}
