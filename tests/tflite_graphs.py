"""Random networks as `.tflite` files, of reals or integers: operations one after the other, with branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.tflite_files import File, Integers, reals

SAME, VALID = 0, 1
Shape = tuple[int, ...]
MOST_ELEMENTS = 600


@dataclass
class Net:
    """What is computed so far: tensors with their shapes, the last one first read."""

    file: File
    draw: st.DrawFn
    made: list[tuple[int, Shape]]

    @property
    def bits(self) -> int:
        return self.file.bits if isinstance(self.file, Integers) else 0

    @property
    def last(self) -> tuple[int, Shape]:
        return self.made[-1]

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def one_of(self, *choices: object) -> object:
        return self.draw(st.sampled_from(choices))

    def op(self, kind: str, inputs: Sequence[int], shape: Shape, **options: object) -> None:
        end = self.file.tensor(shape)
        self.file.op(kind, inputs, (end,), **options)
        self.made.append((end, shape))

    def like(self, index: int, other: int) -> int:
        """The tensor `other` with the numbers of `index`."""
        if not self.bits:
            return other
        end = self.file.tensor(self.file.graph.tensors[other].shape)
        self.file.op("QUANTIZE", (other,), (end,))
        tensors = self.file.graph.tensors
        tensors[end].quantization = tensors[index].quantization
        return end


def _window(net: Net, shape: Shape) -> tuple[dict[str, int], tuple[int, int], tuple[int, int], int]:
    """Options, size, strides and padding of a window that fits."""
    size = net.number(1, min(3, shape[1])), net.number(1, min(3, shape[2]))
    strides, padding = (net.number(1, 2), net.number(1, 2)), net.number(SAME, VALID)
    return {"padding": padding, "strideH": strides[0], "strideW": strides[1]}, size, strides, padding


def _after(
    shape: Shape, size: tuple[int, int], strides: tuple[int, int], padding: int, dilation: tuple[int, int]
) -> Shape:
    found = []
    for length, window, stride, gap in zip(shape[1:3], size, strides, dilation, strict=True):
        reached = (window - 1) * gap + 1
        found.append(-(-length // stride) if padding == SAME else -(-(length - reached + 1) // stride))
    return tuple(found)


def _convolution(net: Net) -> None:
    start, shape = net.last
    if len(shape) != 4:
        return
    options, size, strides, padding = _window(net, shape)
    gaps = (net.number(1, 2), net.number(1, 2)) if padding == SAME else (1, 1)
    groups = net.number(1, 2) if shape[3] % 2 == 0 else 1
    filters = groups * net.number(1, 3)
    inputs = [start, net.file.weights(reals((filters, *size, shape[3] // groups), net.number(0, 99)))]
    inputs += [net.file.bias(reals((filters,), 1))] if net.draw(st.booleans()) else []
    options |= {"dilationHFactor": gaps[0], "dilationWFactor": gaps[1], "fusedActivationFunction": net.number(0, 3)}
    net.op("CONV_2D", inputs, (1, *_after(shape, size, strides, padding, gaps), filters), **options)


def _depthwise(net: Net) -> None:
    start, shape = net.last
    if len(shape) != 4:
        return
    options, size, strides, padding = _window(net, shape)
    filters = shape[3] * net.number(1, 2)
    kernel = net.file.weights(reals((1, *size, filters), net.number(0, 99)), 3)
    options |= {"depthMultiplier": filters // shape[3], "fusedActivationFunction": net.number(0, 3)}
    inputs = (start, kernel, net.file.bias(reals((filters,), 1)))
    net.op("DEPTHWISE_CONV_2D", inputs, (1, *_after(shape, size, strides, padding, (1, 1)), filters), **options)


def _transposed(net: Net) -> None:
    start, shape = net.last
    if len(shape) != 4 or np.prod(shape) > MOST_ELEMENTS // 8:
        return
    size, strides = (net.number(1, 3), net.number(1, 3)), (net.number(1, 2), net.number(1, 2))
    padding, filters = net.number(SAME, VALID), net.number(1, 3)
    axes = zip(shape[1:3], strides, size, strict=True)
    output = (1, *(n * s if padding == SAME else (n - 1) * s + k for n, s, k in axes), filters)
    inputs = (net.file.constant(output), net.file.weights(reals((filters, *size, shape[3]))), start)
    options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
    net.op("TRANSPOSE_CONV", (*inputs, net.file.bias(reals((filters,), 1))), output, **options)


def _dense(net: Net) -> None:
    start, shape = net.last
    whole = net.draw(st.booleans())
    elements, units = int(np.prod(shape)) if whole else shape[-1], net.number(1, 5)
    output = (1, units) if whole else (*shape[:-1], units)
    inputs = (start, net.file.weights(reals((units, elements), net.number(0, 99))), net.file.bias(reals((units,), 1)))
    net.op("FULLY_CONNECTED", inputs, output, fusedActivationFunction=net.number(0, 3), keepNumDims=not whole)


def _pool(net: Net) -> None:
    start, shape = net.last
    if len(shape) != 4:
        return
    options, size, strides, padding = _window(net, shape)
    options |= {"filterHeight": size[0], "filterWidth": size[1], "fusedActivationFunction": net.number(0, 3)}
    kind = str(net.one_of("AVERAGE_POOL_2D", "MAX_POOL_2D"))
    net.op(kind, (start,), (1, *_after(shape, size, strides, padding, (1, 1)), shape[3]), **options)


def _function(net: Net) -> None:
    start, shape = net.last
    kinds = ["RELU", "RELU6", "LEAKY_RELU", "LOGISTIC", "TANH", "SOFTMAX"] + ["HARD_SWISH"] * (net.bits == 0)
    kind = str(net.one_of(*kinds))
    options = {"alpha": 0.25} if kind == "LEAKY_RELU" else {"beta": 1.0} if kind == "SOFTMAX" else {}
    net.op(kind, (start,), shape, **options)


def _merge(net: Net) -> None:
    """With a tensor of the same shape, with itself, with a constant, or with one of axes of length 1."""
    start, shape = net.last
    same = [index for index, other in net.made if other == shape]
    small = tuple(int(net.one_of(1, size)) for size in shape)  # type: ignore[call-overload]
    other = int(net.one_of(net.file.constant(reals(small), "float32"), *same))  # type: ignore[call-overload]
    kind = str(net.one_of("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"))
    options = {} if kind.startswith("M") and kind != "MUL" else {"fusedActivationFunction": net.number(0, 3)}
    if not options and net.bits:
        other = net.like(start, int(net.one_of(*same)))  # type: ignore[call-overload]
    pair = (start, other) if net.draw(st.booleans()) else (other, start)
    net.op(kind, pair, shape, **options)


def _mean(net: Net) -> None:
    start, shape = net.last
    if len(shape) < 3:
        return
    axes = sorted(net.draw(st.sets(st.integers(1, len(shape) - 1), min_size=1, max_size=len(shape) - 2)))
    keep = net.draw(st.booleans())
    output = tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes)
    net.op(str(net.one_of("MEAN", "SUM")), (start, net.file.constant(axes)), output, keepDims=keep)


def _pad(net: Net) -> None:
    start, shape = net.last
    pads = [(0, 0), *((net.number(0, 1), net.number(0, 2)) for _ in shape[1:])]
    output = tuple(size + sum(pair) for size, pair in zip(shape, pads, strict=True))
    net.op("PAD", (start, net.file.constant(pads)), output)


def _reshape(net: Net) -> None:
    start, shape = net.last
    total = int(np.prod(shape))
    first = net.draw(st.sampled_from([n for n in range(1, 8) if total % n == 0]))
    output = net.draw(st.sampled_from([(1, total), (1, first, total // first), (1, 1, first, total // first)]))
    net.op("RESHAPE", (start, net.file.constant(output)), output, newShape=list(output))


def _transpose(net: Net) -> None:
    start, shape = net.last
    order = [0, *net.draw(st.permutations(range(1, len(shape))))]
    net.op("TRANSPOSE", (start, net.file.constant(order)), tuple(shape[axis] for axis in order))


def _concatenate(net: Net) -> None:
    start, shape = net.last
    axis = net.number(1, len(shape) - 1)
    fits = [
        index
        for index, other in net.made
        if len(other) == len(shape)
        and all(a == b for at, (a, b) in enumerate(zip(other, shape, strict=True)) if at != axis)
    ]
    other = int(net.one_of(*fits))  # type: ignore[call-overload]
    length = net.file.graph.tensors[other].shape[axis] + shape[axis]
    output = (*shape[:axis], length, *shape[axis + 1 :])
    net.op("CONCATENATION", (start, net.like(start, other)), output, axis=axis)


def _slice(net: Net) -> None:
    start, shape = net.last
    begin = [0, *(net.number(0, size - 1) for size in shape[1:])]
    end = [1, *(net.number(first + 1, size) for first, size in zip(begin[1:], shape[1:], strict=True))]
    steps = [1, *(net.number(1, 2) for _ in shape[1:])]
    output = tuple(len(range(*part)) for part in zip(begin, end, steps, strict=True))
    net.op("STRIDED_SLICE", (start, *map(net.file.constant, (begin, end, steps))), output, beginMask=0, endMask=0)


def _resize(net: Net) -> None:
    start, shape = net.last
    if len(shape) == 4:
        sizes = [size * net.number(1, 2) for size in shape[1:3]]
        net.op("RESIZE_NEAREST_NEIGHBOR", (start, net.file.constant(sizes)), (1, *sizes, shape[3]))


MOVES: Sequence[Callable[[Net], None]] = (
    *(_convolution, _convolution, _depthwise, _transposed, _dense, _pool, _function, _merge, _mean, _pad),
    *(_reshape, _transpose, _concatenate, _slice, _resize),
)


@st.composite
def networks(draw: st.DrawFn, bits: int = 0) -> bytes:
    """`bits`: 0 for reals, 8, or 16 with weights of 8."""
    file = Integers(bits=bits, seed=draw(st.integers(0, 2**20))) if bits else File()
    channels = draw(st.integers(1, 4))
    shape: Shape = draw(
        st.sampled_from(
            [(1, 5, 4, channels), (1, 7, channels), (1, 1, 6, channels), (1, 6, 1, channels), (1, 3 * channels)]
        )
    )
    start, inner = file.tensor(shape), file.tensor(shape)
    file.before(start, inner)
    net = Net(file, draw, [(inner, shape)])
    for _ in range(draw(st.integers(1, 7))):
        if int(np.prod(net.last[1])) <= MOST_ELEMENTS:
            draw(st.sampled_from(MOVES))(net)
    ends = [net.last[0]]
    if draw(st.booleans()) and len(net.made) > 2:
        ends.append(draw(st.sampled_from([index for index, _ in net.made[:-1]])))
    return file.written((start,), ends)
