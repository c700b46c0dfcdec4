"""Windows that slide over channels-last planes: what convolutions and pooling share.

One-dimensional data (samples, channels) is a plane of height 1, so that each kernel exists once for 1D and 2D.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mcusim.numbers.power_of_two import Array
from mcusim.system.errors import ModelError

if TYPE_CHECKING:
    from mcusim.graph import Shape
    from mcusim.models.keras import KerasLayer

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]  # ((top, bottom), (left, right))


def plane(shape: Shape) -> tuple[int, int, int]:
    """(samples, channels) or (height, width, channels) -> height, width, channels."""
    return (1, *shape) if len(shape) == 2 else shape  # type: ignore[return-value]


def pair(value: Any, rank: int) -> Pair:
    """A Keras size (int or sequence) for 1D or 2D -> (vertical, horizontal)."""
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    return (1, int(sizes[0])) if rank == 1 else (int(sizes[0]), int(sizes[1]))


def resolve_padding(keras: KerasLayer, size: Pair, strides: Pair) -> Padding:
    """Keras' `valid`, `same` or `causal` as explicit counts; `same` pads the odd one at the end, as TensorFlow does."""
    mode, rank = keras.config["padding"], len(keras.shapes[0]) - 1
    if mode == "valid":
        return ((0, 0), (0, 0))
    if mode == "causal" and rank == 1:
        return ((0, 0), (size[1] - 1, 0))
    if mode != "same":
        raise ModelError(f"layer {keras.name!r} ({keras.kind}): unknown padding {mode!r}", hint="use 'same' or 'valid'")
    total = [
        max((-(-length // stride) - 1) * stride + window - length, 0)
        for length, window, stride in zip(plane(keras.shapes[0])[:2], size, strides, strict=True)
    ]
    return ((total[0] // 2, total[0] - total[0] // 2), (total[1] // 2, total[1] - total[1] // 2))


def output_plane(keras: KerasLayer, size: Pair, strides: Pair, padding: Padding) -> Pair:
    """Height and width after a sliding window. Raises ModelError when the window does not fit."""
    height, width, _ = plane(keras.shapes[0])
    rows = (height + sum(padding[0]) - size[0]) // strides[0] + 1
    columns = (width + sum(padding[1]) - size[1]) // strides[1] + 1
    if min(size) < 1 or min(strides) < 1 or rows < 1 or columns < 1:
        raise ModelError(
            f"layer {keras.name!r} ({keras.kind}): a window of {size} with strides {strides} "
            f"does not fit {keras.shapes[0]}",
            hint="use a smaller window, or padding 'same'",
        )
    return rows, columns


def shape_like(rank: int, rows: int, columns: int, channels: int) -> Shape:
    return (columns, channels) if rank == 1 else (rows, columns, channels)


def windows(x: Array, size: Pair, strides: Pair, padding: Padding, fill: float) -> Array:
    """(batch, height, width, channels) -> view (batch, rows, columns, *size, channels) of the padded planes."""
    if any(map(any, padding)):
        x = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))[:, :: strides[0], :: strides[1]]
    return np.asarray(view.transpose(0, 1, 2, 4, 5, 3))


def check_channels_last(keras: KerasLayer) -> None:
    if keras.config.get("data_format", "channels_last") not in (None, "channels_last"):
        raise ModelError(
            f"layer {keras.name!r} ({keras.kind}) is channels first", hint="train with data_format='channels_last'"
        )


def window_parameters(shape: Shape, output: Shape, size: Pair, strides: Pair, padding: Padding) -> dict[str, Any]:
    """Fields that every sliding kernel's parameter struct begins with; what is 0 stays unsaid."""
    height, width, channels = plane(shape)
    rows, columns, filters = plane(output)
    fields = {
        "input_height": height,
        "input_width": width,
        "input_channels": channels,
        "output_height": rows,
        "output_width": columns,
        "output_channels": filters,
        "window_height": size[0],
        "window_width": size[1],
        "stride_height": strides[0],
        "stride_width": strides[1],
        "padding_top": padding[0][0],
        "padding_left": padding[1][0],
    }
    return {name: value for name, value in fields.items() if value}
