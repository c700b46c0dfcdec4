"""ConvTranspose -> layers of a Graph."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import Convolution, TransposedConvolution, ZeroPadding
from mcusim.layers.planes import Pair, plane, reach, shape_like
from mcusim.models.onnx.node import EXPORT, OnnxNode
from mcusim.models.onnx.reshaping import cut
from mcusim.models.onnx.sums import bias_of, kernel_of
from mcusim.models.onnx.tensor import Tensor, tensor
from mcusim.models.onnx.windows import padding_of, pair, pairs_of
from mcusim.system.arrays import Array


def _transposed_convolution(node: OnnxNode) -> Tensor:
    """Weights are (channels, filters, ..). What pads cut off at the start is left out, at the end it is not reached."""
    source, shape = node.planes()
    kernel, groups = kernel_of(node, shape), node.whole("group", 1)
    if kernel.shape[0] != shape[-1] or groups < 1 or shape[-1] % groups:
        why = f"has weights for {kernel.shape[0]} channels in {groups} groups, and gets {shape[-1]}"
        raise node.refused(why, EXPORT)
    dilation, strides = pair(node, "dilations"), pair(node, "strides")
    windows = reach((kernel.shape[2], kernel.shape[3]), dilation)
    lengths, lost = _spread(node, shape, windows, strides)
    if min(lengths) < 1 or min(lost) < 0:
        raise node.refused(f"gives a plane of {lengths}", "use less padding")
    if groups > 1:
        return _in_groups(node, kernel, Spread(source, shape, lengths, lost, windows, strides, dilation, groups))
    return node.spread(
        TransposedConvolution(
            name=node.name,
            inputs=(source,),
            shape=shape_like(len(shape) - 1, *lengths, kernel.shape[1]),
            input_shape=shape,
            kernel=np.ascontiguousarray(kernel.transpose(1, 2, 3, 0)),
            **bias_of(node, 2, kernel.shape[1]),
            strides=strides,
            cut=lost,
            dilation=dilation,
        )
    )


class Spread(NamedTuple):
    """Of a transposed convolution: its input and that one's shape, what comes out, and what is cut off before it."""

    source: str
    shape: Shape
    lengths: Pair
    cut: Pair
    windows: Pair
    strides: Pair
    dilation: Pair
    groups: int


def _in_groups(node: OnnxNode, kernel: Array, told: Spread) -> Tensor:
    """A convolution of the input with zeros between its numbers, by the same weights the other way round."""
    (spread, wide), rank = _between_zeros(node, told.source, told.shape, told.strides), len(told.shape) - 1
    before = [window - 1 - cut for window, cut in zip(told.windows, told.cut, strict=True)]
    behind = [length + cut - have for length, cut, have in zip(told.lengths, told.cut, plane(wide)[:2], strict=True)]
    if min(before) < 0:
        raise node.refused(f"cuts off {told.cut} of windows of {told.windows}", "use less padding")
    rows, columns = (length - min(0, end) for length, end in zip(told.lengths, behind, strict=True))
    channels, filters = kernel.shape[0] // told.groups, kernel.shape[1] * told.groups
    turned = kernel.reshape(told.groups, channels, *kernel.shape[1:])[..., ::-1, ::-1].transpose(0, 2, 3, 4, 1)
    made = node.spread(
        Convolution(
            name=node.name,
            inputs=(spread,),
            shape=shape_like(rank, rows, columns, filters),
            input_shape=wide,
            kernel=np.ascontiguousarray(turned.reshape(filters, *turned.shape[2:])),
            **bias_of(node, 2, filters),
            padding=((before[0], max(0, behind[0])), (before[1], max(0, behind[1]))),
            dilation=told.dilation,
            groups=told.groups,
        )
    )
    cuts = [(0, length, 1) for length in (1, filters, *told.lengths[2 - rank :])]
    return cut(node, made, cuts, node.named("reached"))


def _between_zeros(node: OnnxNode, source: str, shape: Shape, strides: Pair) -> tuple[str, Shape]:
    """Each number, and `stride - 1` zeros behind it, along rows and columns: as the end of a longer row."""
    height, width, channels = plane(shape)
    pieces = ((height * width, strides[1], channels), (height, strides[0], width * strides[1] * channels))
    for count, stride, inner in pieces:
        seen = node.made.seen(tensor(source, node.made.shapes[source]), (count, 1, inner))
        own: dict[str, Any] = {"name": node.named("zeros"), "inputs": (seen,), "shape": (count, stride, inner)}
        source = node.made.add(ZeroPadding(**own, input_shape=(count, 1, inner), padding=((0, 0), (0, stride - 1))))
    wide = shape_like(len(shape) - 1, height * strides[0], width * strides[1], channels)
    return node.made.seen(tensor(source, node.made.shapes[source]), wide), wide


def _spread(node: OnnxNode, shape: Shape, windows: Pair, strides: Pair) -> tuple[Pair, Pair]:
    """Height and width of the output, and what is cut off before it. As the standard has it in words."""
    added = pairs_of(node, "output_padding", 0)
    told, mode = node.wholes("output_shape"), node.text("auto_pad", "NOTSET")
    full = [
        (length - 1) * stride + more + window
        for length, stride, more, window in zip(plane(shape)[:2], strides, added, windows, strict=True)
    ]
    if told is not None or mode.startswith("SAME"):
        node.wholes("pads")
        rank = len(shape) - 1
        wanted = [length * stride for length, stride in zip(plane(shape)[:2], strides, strict=True)]
        if told is not None:
            wanted[2 - rank :] = told[-rank:]
        total = [have - want for have, want in zip(full, wanted, strict=True)]
        cut = [lost // 2 if mode == "SAME_UPPER" else lost - lost // 2 for lost in total]
        return (wanted[0], wanted[1]), (cut[0], cut[1])
    (top, bottom), (left, right) = padding_of(node, shape, windows, strides)
    return (full[0] - top - bottom, full[1] - left - right), (top, left)


CONVERTERS: Mapping[str, Callable[[OnnxNode], Tensor]] = {"ConvTranspose": _transposed_convolution}
