"""Random networks of ONNX: of reals, and chains that onnxruntime's own tool makes integers of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from mcusim.models.onnx.convert import Converted
from mcusim.models.onnx.tensor import lying
from mcusim.numbers.affine import Affine
from mcusim.system.arrays import Array
from tests.onnx_files import File, onnx, onnx_shape, onnxruntime_of, read

quantization = pytest.importorskip("onnxruntime.quantization")

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


def w(*shape: int, seed: int = 3) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1), np.float32)


def quantized(file: File, folder: Path, spelling: str, **own: Any) -> bytes:
    """By onnxruntime's own tool, calibrated on random samples."""
    path, made = file.write(folder / "float.onnx"), folder / "integers.onnx"
    samples = iter([{"x": one[None]} for one in file.samples(8)[0]])

    class Samples(quantization.CalibrationDataReader):  # type: ignore[name-defined,misc]
        def get_next(self) -> Any:
            return next(samples, None)

    kinds, formats = quantization.QuantType, quantization.QuantFormat
    told = {"activation_type": kinds.QInt8, "weight_type": kinds.QInt8, "per_channel": True, **own}
    quantization.quantize_static(path, made, Samples(), quant_format=formats[spelling], **told)
    return made.read_bytes()


def steps_of_layers(made: Converted, data: bytes, samples: list[Array]) -> dict[str, Array]:
    """How far each layer is off onnxruntime's integers when it is given onnxruntime's own: no rounding adds up."""
    graph, model = made.source.graph, onnx.load_from_string(data)
    names = {name: model.graph.node[origin.calls[0]].output[0] for name, origin in made.source.origins.items()}
    known = set(one.name for one in model.graph.output)
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(one) for one in {*names.values()} - known)
    theirs = dict(
        zip((one.name for one in model.graph.output), onnxruntime_of(model.SerializeToString(), samples), strict=True)
    )
    (entry,), (place,) = graph.inputs, made.inputs
    x = np.stack([lying(place, one[None]) for one in samples[0]]).reshape(-1, *entry.shape)
    values, found = {entry.name: graph.encode(x)}, {}
    for layer in graph.layers[1:]:
        if not all(name in values for name in layer.inputs):
            continue
        ours = layer.run(*(values[name] for name in layer.inputs))
        values[layer.name] = ours
        if layer.name in names and isinstance(layer.numbers, Affine):
            rows = [
                lying(made.computed[made.source.origins[layer.name]].tensor, one) for one in theirs[names[layer.name]]
            ]
            values[layer.name] = _stored(np.stack(rows), layer.numbers).reshape(ours.shape)
            found[layer.name] = np.abs(ours.astype(np.int64) - values[layer.name])
    return found


def _stored(values: Array, numbers: Affine) -> Array:
    """As the file stores them; reals are those before a QuantizeLinear."""
    if values.dtype.kind in "iu":
        return (values.astype(np.int64) - (128 if values.dtype == np.uint8 else 0)).astype(np.int8)
    whole = np.rint(values / np.float32(numbers.scale)) + numbers.zero
    return np.clip(whole, numbers.minimum, numbers.maximum).astype(np.int8)


class Grown:
    """A chain of layers that all have integers."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.file = File((1, 4, 8, 8), 13, seed=int(data.draw(st.integers(0, 50))))
        self.shape = self.file.shape

    def grow(self) -> None:
        channels, side = self.shape[1], self.shape[2]
        kind = self.data.draw(st.sampled_from(["Conv", "Depthwise", "Relu", "MaxPool", "AveragePool", "Add", "Tanh"]))
        if kind == "Conv":
            filters = self.data.draw(st.sampled_from([2, 4, 7]))
            self.file.add("Conv", ..., w(filters, channels, 3, 3), w(filters), pads=[1, 1, 1, 1])
            self.shape = (1, filters, side, side)
        elif kind == "Depthwise":
            self.file.add("Conv", ..., w(channels, 1, 3, 3), group=channels, pads=[1, 1, 1, 1])
        elif kind in ("MaxPool", "AveragePool") and side > 1:
            self.file.add(kind, kernel_shape=[2, 2], strides=[2, 2])
            self.shape = (1, channels, side // 2, side // 2)
        elif kind == "Add":
            self.file.add("Add", ..., self.file.last)
        else:
            self.file.add(kind if kind in ("Relu", "Tanh") else "Sigmoid")


def network_of(data: st.DataObject) -> File:
    network = Network(data)
    network.file.add("Mul", "x", np.float32(1.25))
    network.shapes[network.file.last] = network.file.shape
    for _ in range(network.whole(1, 9)):
        network.grow()
    return network.file


def chain_of(data: st.DataObject) -> File:
    grown = Grown(data)
    grown.file.add("Conv", ..., w(4, 4, 1, 1), w(4))
    for _ in range(int(data.draw(st.integers(1, 5)))):
        grown.grow()
    return grown.file


def assert_chain_equal(file: File, folder: Path, spelling: str) -> Converted:
    """Each layer of it in integers is at most a step off what onnxruntime computes."""
    content = quantized(file, folder, spelling)
    made = read(content)
    found = steps_of_layers(made, content, file.samples(6))
    assert found
    for name, steps in found.items():
        assert steps.max() <= 1 and steps.mean() < 0.5, name
    return made
