"""A tensor and constants -> layers: scales, offsets and slopes of the last numbers in memory."""

from collections.abc import Sequence

import numpy as np

from mcusim.graph import Shape
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.models.onnx.node import OnnxNode, channels_last
from mcusim.models.onnx.tensor import Tensor
from mcusim.system.arrays import Array


def with_last(x: Tensor, last: Sequence[int]) -> tuple[int, ...]:
    """All axes: those of `last` innermost, and else as they lie, so that as little as can be moves."""
    lies = x.order or tuple(range(len(x.axes)))
    return (*(axis for axis in lies if axis not in last), *(axis for axis in lies if axis in last))


def rows(node: OnnxNode, x: Tensor, count: int) -> Shape:
    """The shape of `x` as a layer that works on the last `count` numbers in memory: its own, or one of rows."""
    own = node.made.shapes[x.layer]
    if own[-1] == count:
        return own
    return (count,) if x.elements == count else (x.elements // count, count)


def arranged(node: OnnxNode, x: Tensor, *constants: Array) -> tuple[Tensor, list[Array]]:
    """-> `x` with all axes along which the constants vary last in memory, and the constants for just these numbers.

    A single number is repeated along the last axis. Raises ModelError for a constant that is larger than `x`.
    """
    shape, rank = x.shape, len(x.shape)
    full = [array.reshape((1,) * (rank - array.ndim) + array.shape) for array in constants]
    if any(
        array.ndim > rank or any(have not in (1, own) for have, own in zip(array.shape, shape, strict=True))
        for array in full
    ):
        told = ", ".join(str(array.shape) for array in constants)
        raise node.refused(f"has constants of shape {told} for {shape}", "give it some that are no larger")
    varied = tuple(axis for axis in range(rank) if any(array.shape[axis] > 1 for array in full))
    if not varied:
        last = node.made.shapes[x.layer][-1]
        return x, [np.full(last, array.reshape(-1)[0], np.float32) for array in full]
    x = node.made.moved(x, channels_last(rank) if varied == (1,) and rank > 2 else with_last(x, varied))
    inner = [axis for axis in (x.order or range(rank)) if axis in varied]
    sizes = tuple(shape[axis] if axis in varied else 1 for axis in range(rank))
    lying = [axis for axis in range(rank) if axis not in inner] + inner
    return x, [np.broadcast_to(array, sizes).transpose(lying).reshape(-1).astype(np.float32) for array in full]


def rescaled(node: OnnxNode, x: Tensor, scale: Array | float, offset: Array | float, name: str | None = None) -> Tensor:
    """scale x + offset, which broadcast to `x`."""
    x, (kernel, bias) = arranged(node, x, np.asarray(scale, np.float64), np.asarray(offset, np.float64))
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise node.refused("scales by NaN or infinity", "train it again")
    shape, has_bias = rows(node, x, len(kernel)), bool(bias.any())
    return node.like(x, BatchNormalization, name, shape=shape, kernel=kernel, bias=bias, has_bias=has_bias)
