"""Conv, ConvTranspose, Gemm and MatMul with weights that are constants -> layers of a Graph."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import Convolution, Dense
from mcusim.layers.planes import Padding, Pair, output_plane, reach, shape_like
from mcusim.models.onnx.node import EXPORT, OnnxNode
from mcusim.models.onnx.operands import rescaled, with_last
from mcusim.models.onnx.tensor import Tensor, merged, tensor, transposed
from mcusim.models.onnx.windows import padding_of, pair
from mcusim.system.arrays import Array

Convert = Callable[[OnnxNode], Tensor]


def bias_of(node: OnnxNode, index: int, outputs: int) -> dict[str, Any]:
    """Fields of a sum."""
    if not node.has(index):
        return {"bias": np.zeros(outputs, np.float32), "has_bias": False}
    bias = node.weights(index).reshape(-1)
    if len(bias) != outputs:
        raise node.refused(f"has a bias of {len(bias)} numbers for {outputs} channels", EXPORT)
    return {"bias": bias, "has_bias": True}


def kernel_of(node: OnnxNode, shape: Shape) -> Array:
    """(outputs, inputs, rows, columns); of one axis a plane of height 1."""
    kernel = node.weights(1)
    if kernel.ndim != len(shape) + 1:
        raise node.refused(f"has a kernel of shape {kernel.shape} for {shape}", EXPORT)
    told = node.wholes("kernel_shape")
    if told is not None and told != kernel.shape[2:]:
        raise node.refused(f"has kernel_shape {told} and a kernel of {kernel.shape}", EXPORT)
    return kernel[:, :, None] if kernel.ndim == 3 else kernel


def _convolution(node: OnnxNode) -> Tensor:
    source, shape = node.planes()
    kernel, groups = kernel_of(node, shape), node.whole("group", 1)
    filters, channels = kernel.shape[:2]
    if groups < 1 or channels * groups != shape[-1] or filters % groups:
        why = f"has a kernel of shape {kernel.shape} in {groups} groups, and gets {shape[-1]} channels"
        raise node.refused(why, EXPORT)
    dilation, strides = pair(node, "dilations"), pair(node, "strides")
    size = reach((kernel.shape[2], kernel.shape[3]), dilation)
    padding = padding_of(node, shape, size, strides)
    rows, columns = fitting(node, shape, size, strides, padding)
    return node.spread(
        Convolution(
            name=node.name,
            inputs=(source,),
            shape=shape_like(len(shape) - 1, rows, columns, filters),
            input_shape=shape,
            kernel=np.ascontiguousarray(kernel.transpose(0, 2, 3, 1)),
            **bias_of(node, 2, filters),
            strides=strides,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
    )


def fitting(node: OnnxNode, shape: Shape, size: Pair, strides: Pair, padding: Padding) -> Pair:
    """Raises ModelError when a window does not fit."""
    found = output_plane(shape, size, strides, padding)
    if found is None:
        raise node.refused(f"has a window of {size} that does not fit {shape}", "use a smaller window, or more padding")
    return found


# -- matrices ----------------------------------------------------------------------------------------------------------


def _gemm(node: OnnxNode) -> Tensor:
    """alpha A B + beta C, A and B perhaps transposed."""
    x, kernel = node.x, node.weights(1, rank=2)
    x = transposed(x, (1, 0)) if node.whole("transA", 0) and len(x.shape) == 2 else x
    kernel = kernel if node.whole("transB", 0) else kernel.T
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    bias: Array = beta * node.weights(2) if node.has(2) else np.zeros(1)
    one = bias.size in (1, len(kernel)) and (bias.size == 1 or bias.shape[-1] == len(kernel))
    if one:
        full = np.broadcast_to(bias.reshape(-1), len(kernel)).astype(np.float32)
        return linear(node, x, (alpha * kernel).astype(np.float32), full, has_bias=node.has(2))
    none = np.zeros(len(kernel), np.float32)
    return rescaled(node, linear(node, x, alpha * kernel, none, name=node.named("product")), 1.0, bias)


def _matmul(node: OnnxNode) -> Tensor:
    """One of them is a constant: the weights. From the left they mix the last axis but one."""
    if node.is_constant(0) and not node.is_constant(1):
        x, kernel = node.tensor(1), node.weights(0, rank=2)
        turned = [*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2]
        if len(x.shape) < 2:
            raise node.refused(f"gets {x.shape}", "give it a matrix")
        none = np.zeros(len(kernel), np.float32)
        return transposed(linear(node, transposed(x, turned), kernel, none, has_bias=False), turned)
    if not node.is_constant(1):
        raise node.refused("multiplies two tensors that are computed", "one of them has to be weights")
    array = node.weights(1)
    kernel = array.reshape(array.shape[-2:]) if array.ndim >= 2 and math.prod(array.shape[:-2]) == 1 else array
    if kernel.ndim != 2:
        raise node.refused(f"has weights of shape {array.shape}", "use a matrix")
    return linear(node, node.x, kernel.T, np.zeros(kernel.shape[1], np.float32), has_bias=False)


def linear(
    node: OnnxNode, x: Tensor, kernel: Array, bias: Array, name: str | None = None, *, has_bias: bool = True
) -> Tensor:
    """A sum over the last axis: kernel (outputs, inputs). On a single row the inputs may lie in any order."""
    own: dict[str, Any] = {"name": name or node.name, "bias": bias, "has_bias": has_bias}
    shape, inputs = x.shape, x.shape[-1] if x.shape else 0
    if not shape or inputs != kernel.shape[1]:
        raise node.refused(f"has weights for {kernel.shape[1]} numbers and gets {shape}", EXPORT)
    if x.elements == inputs:
        source, columns = node.made.seen(x, (inputs,)), _as_they_lie(kernel, x)
        dense = Dense(**own, inputs=(source,), shape=(len(kernel),), kernel=columns)
        return tensor(node.made.add(dense), (*shape[:-1], len(kernel)))
    order = with_last(x, (len(shape) - 1,))
    moved, count = node.made.moved(x, order), x.elements // inputs
    planes = (count, inputs)
    own |= {"inputs": (node.made.seen(moved, planes),), "input_shape": planes, "shape": (count, len(kernel))}
    made = node.made.add(Convolution(**own, kernel=np.ascontiguousarray(kernel.reshape(len(kernel), 1, 1, -1))))
    return _with_channels(moved, made, inputs, len(kernel))


def _with_channels(x: Tensor, layer: str, inputs: int, outputs: int) -> Tensor:
    """As `x`, whose last axis is the innermost in memory, with another length of that axis."""
    kept, axes = x.sizes[: len(x.sizes) - (inputs > 1)], x.axes[:-1]
    if outputs == 1:
        return merged(Tensor(layer, kept, (*axes, ())))
    return merged(Tensor(layer, (*kept, outputs), (*axes, (len(kept),))))


def _as_they_lie(kernel: Array, x: Tensor) -> Array:
    """Columns in the order of memory."""
    logical = tuple(x.sizes[place] for place in x.places)
    memory = [1 + x.places.index(place) for place in range(len(x.sizes))]
    columns = kernel.reshape(len(kernel), *logical).transpose(0, *memory).reshape(len(kernel), -1)
    return np.ascontiguousarray(columns, np.float32)


def _linear_of_pytorch(node: OnnxNode) -> Tensor:
    """x A' + b along the last axis, whatever stands before it."""
    kernel = node.weights(1, rank=2)
    bias = node.weights(2, rank=1) if node.has(2) else np.zeros(len(kernel), np.float32)
    if len(bias) != len(kernel):
        raise node.refused(f"has a bias of {len(bias)} numbers for {len(kernel)} outputs", EXPORT)
    return linear(node, node.x, kernel, bias, has_bias=node.has(2))


CONVERTERS: Mapping[str, Convert] = {
    "Conv": _convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "pytorch.Linear": _linear_of_pytorch,
}
