"""TFLite's PAD and PADV2 -> layers of a Graph: planes that lie in larger ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from mcusim.graph import Shape
from mcusim.layers.planes import Padding, Pair
from mcusim.layers.reshape import Reshape
from mcusim.layers.zero_padding import ZeroPadding
from mcusim.models.tflite.call import AGAIN, Call, without_batch

NONE: Pair = (0, 0)


def _pad(call: Call) -> None:
    """(height, width) of an image at once, any other axis as the width of a plane."""
    shape = call.shape()
    told = np.asarray(call.integers(1, "paddings")).reshape(len(shape), 2).tolist()
    pads: list[Pair] = [(before, behind) for before, behind in told]
    if min(map(min, pads)) < 0:
        raise call.refused(f"pads by {told}", AGAIN)
    if call.optional(2) is not None and np.any(call.constant(2, "value") != 0):
        raise call.refused("pads with numbers other than 0", "pad with 0")
    if len(shape) == 4 and shape[0] == 1 and (any(pads[1]) or any(pads[2])):
        _, height, width, channels = shape
        output = (height + sum(pads[1]), width + sum(pads[2]), channels)
        _padded(call, shape[1:], output, (pads[1], pads[2]))
        shape, pads[1], pads[2] = (1, *output), NONE, NONE
    for axis, ends in enumerate(pads):
        if any(ends):
            rows, columns = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
            before, behind = (shape[axis], columns), (shape[axis] + sum(ends), columns)
            if rows > 1:
                before, behind = (rows, *before), (rows, *behind)  # type: ignore[assignment]
            _padded(call, before, behind, (NONE, ends))
            shape = (*shape[:axis], shape[axis] + sum(ends), *shape[axis + 1 :])
    if not call.made or call.made[-1].shape != without_batch(shape):
        source = call.made[-1].name if call.made else call.view(0, call.own_shape())
        call.add(Reshape(**call.own(without_batch(shape), source)))
        return
    call.made[-1] = replace(call.made[-1], name=call.name)


def _padded(call: Call, shape: Shape, output: Shape, ends: Padding) -> None:
    if not call.made:
        source = call.view(0, shape)
    elif call.made[-1].shape == shape:
        source = call.made[-1].name
    else:
        seen = Reshape(name=call.unique(f"{call.name}_plane"), inputs=(call.made[-1].name,), shape=shape)
        source = call.add(seen).name
    name = call.unique(f"{call.name}_padded")
    call.add(ZeroPadding(name=name, inputs=(source,), shape=output, input_shape=shape, padding=ends))


CONVERTERS: Mapping[str, Callable[[Call], None]] = {"PAD": _pad, "PADV2": _pad}
