"""Random graphs of ONNX against onnxruntime: equal but for rounding, whatever stands behind what."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.system.errors import ModelError
from tests.onnx_files import File, assert_equal, onnx_shape

EXAMPLES = int(os.environ.get("MCUSIM_GRAPHS", "60"))
UNARY = ("Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "HardSwish", "Softplus", "Gelu", "Abs", "Identity")

REFUSALS = (
    "computes nothing",
    "axes in memory",  # more loops than a copy has
    "merges shapes",  # more axes in turn than a kernel repeats
    "no larger",
    "gives the shape",
    "lie outside of",  # windows of padding alone
    "does not fit",
)


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def factors(size: int) -> list[int]:
    return [n for n in range(1, size + 1) if size % n == 0]


class Network:
    """A file that grows by what fits the shapes of its tensors."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.file = File(
            self.one_of([(1, 3, 8, 7), (1, 6, 12), (1, 24), (1, 8, 6, 6)]), opset=20, seed=self.whole(0, 99)
        )
        self.shapes = {"x": self.file.shape}

    def one_of(self, values: Any) -> Any:
        return self.data.draw(st.sampled_from(list(values)))

    def whole(self, low: int, high: int) -> int:
        return int(self.data.draw(st.integers(low, high)))

    def grow(self) -> None:
        """One more node on a tensor that is there, mostly the last."""
        name = self.one_of([self.file.last, self.file.last, *self.shapes])
        shape = self.shapes[name]
        kinds = [self.unary, self.constant, self.transpose, self.reshape, self.slice, self.concat, self.merge]
        if len(shape) in (3, 4) and shape[0] == 1:
            kinds += [self.convolution, self.convolution, self.pool, self.normalize, self.global_pool, self.pad]
        kinds += [self.linear, self.softmax, self.reduce]
        self.one_of(kinds)(name, shape)
        made = self.file.last
        if made not in self.shapes:
            self.shapes[made] = onnx_shape(self.file)

    def unary(self, name: str, shape: tuple[int, ...]) -> None:
        self.file.add(self.one_of(UNARY), name)

    def constant(self, name: str, shape: tuple[int, ...]) -> None:
        lengths = [self.one_of([1, size]) for size in shape[1:]]
        self.file.add(self.one_of(["Add", "Sub", "Mul"]), name, self.file.numbers(*lengths))

    def transpose(self, name: str, shape: tuple[int, ...]) -> None:
        order = self.data.draw(st.permutations(range(1, len(shape))))
        self.file.add("Transpose", name, perm=[0, *order])

    def reshape(self, name: str, shape: tuple[int, ...]) -> None:
        elements = int(np.prod(shape))
        first = self.one_of(factors(elements))
        second = self.one_of(factors(elements // first))
        target = self.one_of([(1, elements), (1, first, -1), (1, first, second, -1)])
        self.file.add("Reshape", name, ints(*target))

    def slice(self, name: str, shape: tuple[int, ...]) -> None:
        axis = self.whole(0, len(shape) - 1)
        start = self.whole(0, shape[axis] - 1)
        step = self.one_of([1, 1, 2, -1])
        ends = (start, -9999) if step < 0 else (start, self.whole(start + 1, shape[axis]))
        self.file.add("Slice", name, ints(ends[0]), ints(ends[1]), ints(axis), ints(step))

    def concat(self, name: str, shape: tuple[int, ...]) -> None:
        others = [other for other, own in self.shapes.items() if own == shape]
        self.file.add("Concat", name, self.one_of(others), axis=self.whole(1, len(shape) - 1))

    def merge(self, name: str, shape: tuple[int, ...]) -> None:
        others = [other for other, own in self.shapes.items() if len(own) == len(shape) and fits(own, shape)]
        self.file.add(self.one_of(["Add", "Sub", "Mul", "Max"]), name, self.one_of(others))

    def convolution(self, name: str, shape: tuple[int, ...]) -> None:
        rank, channels = len(shape) - 2, shape[1]
        groups = self.one_of([1, 1, channels])
        filters = groups * self.whole(1, 3)
        size = [min(self.whole(1, 3), length) for length in shape[2:]]
        pads = [self.whole(0, 1) for _ in range(2 * rank)]
        kernel = self.file.numbers(filters, channels // groups, *size, spread=0.5)
        bias = [self.file.numbers(filters)] if self.whole(0, 1) else []
        strides = [self.whole(1, 2) for _ in range(rank)]
        self.file.add("Conv", name, kernel, *bias, pads=pads, strides=strides, group=groups)

    def pool(self, name: str, shape: tuple[int, ...]) -> None:
        size = [min(2, length) for length in shape[2:]]
        kind, mode = self.one_of(["MaxPool", "AveragePool"]), self.whole(0, 1)
        pads = [0 if mode or length < 2 else self.whole(0, 1) for length in 2 * size]  # see onnx_shape
        own = {"count_include_pad": self.whole(0, 1)} if kind == "AveragePool" else {}
        self.file.add(kind, name, kernel_shape=size, strides=size, pads=pads, ceil_mode=mode, **own)

    def global_pool(self, name: str, shape: tuple[int, ...]) -> None:
        self.file.add(self.one_of(["GlobalAveragePool", "GlobalMaxPool"]), name)

    def normalize(self, name: str, shape: tuple[int, ...]) -> None:
        arrays = [np.abs(self.file.numbers(shape[1])) + 0.5 for _ in range(4)]
        self.file.add("BatchNormalization", name, *arrays)

    def pad(self, name: str, shape: tuple[int, ...]) -> None:
        counts = [self.whole(0, 2) for _ in range(len(shape) - 1)]
        self.file.add("Pad", name, ints(0, *counts, 0, *reversed(counts)))

    def linear(self, name: str, shape: tuple[int, ...]) -> None:
        self.file.add("MatMul", name, self.file.numbers(shape[-1], self.whole(1, 6), spread=shape[-1] ** -0.5))

    def softmax(self, name: str, shape: tuple[int, ...]) -> None:
        wide = [axis for axis, size in enumerate(shape) if size > 1]
        if wide:
            self.file.add("Softmax", name, axis=self.one_of(wide))

    def reduce(self, name: str, shape: tuple[int, ...]) -> None:
        axes = self.data.draw(st.sets(st.integers(1, len(shape) - 1), min_size=1))
        kind = self.one_of(["ReduceMean", "ReduceSum", "ReduceMax"])
        self.file.add(kind, name, ints(*axes), keepdims=self.whole(0, 1) if len(shape) - len(axes) > 1 else 1)


def fits(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_random_graphs(data: st.DataObject) -> None:
    network = Network(data)
    network.file.add("Mul", "x", np.float32(1.25))
    network.shapes[network.file.last] = network.file.shape
    for _ in range(network.whole(1, 9)):
        network.grow()
    try:
        assert_equal(network.file, tolerance=1e-3)
    except ModelError as error:
        assert any(word in error.what for word in REFUSALS), error.what
