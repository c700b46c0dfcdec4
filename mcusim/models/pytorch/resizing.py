"""Planes of another size in PyTorch -> nodes of ONNX: adaptive pooling, and what is between pixels."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from mcusim.models.pytorch.call import Call, Translate
from mcusim.system.arrays import Array


def _adaptive(kind: str, rank: int, call: Call) -> None:
    """Windows side by side, where the lengths divide; else from floor(i n / m) to ceil((i + 1) n / m), axis by axis."""
    wanted, have = call.each("output_size", 1, rank), list(call.shape[-rank:])
    if any(size < 1 or size > 4 * length for size, length in zip(wanted, have, strict=True)):
        raise call.refused(f"turns {have} into {wanted}", "use sizes up to that of the plane")
    if not any(length % size for size, length in zip(wanted, have, strict=True)):
        size = [length // one for length, one in zip(have, wanted, strict=True)]
        call.end(kind, call.x, kernel_shape=size, strides=size)
        return
    x, first = call.x, len(call.shape) - rank
    along = _largest if kind == "MaxPool" else _mean
    for axis, (length, count) in enumerate(zip(have, wanted, strict=True), first):
        x = along(call, x, axis, _windows(length, count))
    call.end("Identity", x)


def _windows(length: int, count: int) -> list[range]:
    return [range(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


def _largest(call: Call, x: str, axis: int, windows: list[range]) -> str:
    """Of each window one number after the other; shorter ones have their last again."""
    longest = max(map(len, windows))
    parts = [
        call.add("Gather", x, call.wholes_of(*(one[min(number, len(one) - 1)] for one in windows)), axis=axis)
        for number in range(longest)
    ]
    return parts[0] if longest == 1 else call.add("Max", *parts)


def _mean(call: Call, x: str, axis: int, windows: list[range]) -> str:
    """A product with a matrix: from the right along columns, from the left along rows."""
    matrix = np.zeros((windows[-1].stop, len(windows)), np.float32)
    for place, window in enumerate(windows):
        matrix[window.start : window.stop, place] = 1 / len(window)
    if axis == len(call.shape) - 1:
        return call.add("MatMul", x, call.constant(matrix))
    return call.add("MatMul", call.constant(matrix.T), x)


# -- other sizes -------------------------------------------------------------------------------------------------------


def _nearest(exact: bool, call: Call) -> None:
    """As PyTorch finds places, in float32: one node by whole factors, else the places of each axis."""
    made, x = call.shapes[call.outputs[0]], call.x
    if not exact and all(after % before == 0 for after, before in zip(made, call.shape, strict=True)):
        scales = call.constant([after / before for after, before in zip(made, call.shape, strict=True)])
        call.end("Resize", x, None, scales, mode="nearest", coordinate_transformation_mode="asymmetric",
                 nearest_mode="floor")  # fmt: skip
        return
    rank = len(made)
    for axis, scale in enumerate(_scales(call, rank - 2), 2):
        x = call.add("Gather", x, call.wholes_of(*_places(call.shape[axis], made[axis], scale, exact)), axis=axis)
    call.end("Identity", x)


def _places(have: int, want: int, scale: np.float32, exact: bool) -> list[int]:
    at = (np.arange(want).astype(np.float32) + np.float32(0.5 if exact else 0)) * scale
    found: Array = np.minimum(np.floor(at), have - 1).astype(np.int64)
    return [int(place) for place in found]


def _scales(call: Call, rank: int) -> list[np.float32]:
    """Inputs to an output: one over the factor where one is told, else from the sizes."""
    made, told = call.shapes[call.outputs[0]], call.get("scale_factors")
    factors = told if isinstance(told, list) and len(told) == rank else [None] * rank
    names = ("scales",) if rank == 1 else ("scales_h", "scales_w")
    factors = [call.get(name) if factor is None else factor for name, factor in zip(names, factors, strict=True)]
    return [
        np.float32(1 / factor)
        if isinstance(factor, (int, float)) and factor > 0
        else np.float32(before) / np.float32(after)
        for factor, before, after in zip(factors, call.shape[2:], made[2:], strict=True)
    ]


def _between(call: Call) -> None:
    made, rank = call.shapes[call.outputs[0]], len(call.shape)
    mode = "align_corners" if call.flag("align_corners") else "pytorch_half_pixel"
    scales = call.constant([1.0, 1.0, *(1 / scale for scale in _scales(call, rank - 2))])
    sizes = call.wholes_of(*made)
    told = (None, None, sizes) if mode == "align_corners" else (None, scales)
    call.end("Resize", call.x, *told, mode="linear", coordinate_transformation_mode=mode)


TRANSLATORS: Mapping[str, Translate] = {
    **{f"aten.adaptive_avg_pool{rank}d": partial(_adaptive, "AveragePool", rank) for rank in (1, 2)},
    "aten._adaptive_avg_pool2d": partial(_adaptive, "AveragePool", 2),
    **{f"aten.adaptive_max_pool{rank}d": partial(_adaptive, "MaxPool", rank) for rank in (1, 2)},
    **{f"aten.upsample_nearest{rank}d": partial(_nearest, False) for rank in (1, 2)},
    **{f"aten._upsample_nearest_exact{rank}d": partial(_nearest, True) for rank in (1, 2)},
    **dict.fromkeys(("aten.upsample_linear1d", "aten.upsample_bilinear2d"), _between),
}
