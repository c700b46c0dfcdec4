"""`.tflite` files for tests, built through the schema's own classes: nothing of mcusim's reader is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mcusim.system.arrays import Array

schema: Any = pytest.importorskip(
    "tflite_micro.tensorflow.lite.micro.python.schema_py_generated", reason="tflite-micro is not installed"
)
flatbuffers: Any = pytest.importorskip("flatbuffers")

# Where an operator's options are not called like it.
OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), "Pool2DOptions"),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX"), "ReducerOptions"),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "MaximumMinimumOptions"),
    "PADV2": "PadV2Options",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "SVDF": "SVDFOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
}


def type_of(dtype: str) -> int:
    return int(getattr(schema.TensorType, dtype.upper()))


@dataclass
class File:
    """Tensors and operations are added, and named by their index."""

    model: Any = field(default_factory=schema.ModelT)

    def __post_init__(self) -> None:
        self.model.version, self.model.operatorCodes, self.model.buffers = 3, [], [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        data: Any = None,
        scale: Any = None,
        zero: Any = 0,
        axis: int = 0,
        name: str | None = None,
        variable: bool = False,
        signature: Sequence[int] | None = None,
    ) -> int:
        made = schema.TensorT()
        made.shape, made.type, made.isVariable = [int(size) for size in shape], type_of(dtype), variable
        made.name, made.buffer = name or f"t{len(self.graph.tensors)}", 0
        made.shapeSignature = None if signature is None else list(signature)
        if data is not None:
            made.buffer = self.buffer(np.ascontiguousarray(data).astype(np.dtype(dtype)).tobytes())
        if scale is not None:
            scales, zeros = np.atleast_1d(scale), np.atleast_1d(zero)
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = [float(value) for value in scales]
            made.quantization.zeroPoint = [int(value) for value in np.broadcast_to(zeros, scales.shape)]
            made.quantization.quantizedDimension = axis
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def constant(self, data: Any, dtype: str = "int32", **told: Any) -> int:
        data = np.asarray(data)
        return self.tensor(data.shape, dtype, data=data, **told)

    def weights(self, data: Array, axis: int = 0) -> int:
        """Of sums; `axis`: of their outputs."""
        return self.constant(data, "float32")

    def bias(self, data: Array) -> int:
        return self.constant(data, "float32")

    def slopes(self, data: Array) -> int:
        return self.constant(data, "float32")

    def square(self, data: Array) -> int:
        """Weights with one scale for all."""
        return self.constant(data, "float32")

    def states(self, shape: Sequence[int], output: int) -> tuple[int, int]:
        """Of an LSTM with that output: the state, and the cell."""
        return self.tensor(shape, variable=True), self.tensor(shape, variable=True)

    def before(self, start: int, end: int) -> None:
        """Some operation between two tensors."""
        self.op("TANH", (start,), (end,))

    def buffer(self, content: bytes) -> int:
        made = schema.BufferT()
        made.data = np.frombuffer(content, np.uint8)
        self.model.buffers.append(made)
        return len(self.model.buffers) - 1

    def inner(self) -> File:
        """Of another subgraph of the same model, the next one."""
        made = copy(self)
        made.graph = schema.SubGraphT()
        made.graph.tensors, made.graph.operators = [], []
        made.model.subgraphs = [*self.model.subgraphs, made.graph]
        return made

    def ends(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)

    def op(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], version: int = 1, **options: Any) -> None:
        """`kind` of an operator of its own: CUSTOM:name."""
        code = schema.OperatorCodeT()
        kind, _, code.customCode = kind.partition(":")
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        self.model.operatorCodes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(self.model.operatorCodes) - 1, list(inputs), list(outputs)
        name = OPTIONS.get(kind) or re.sub(r"(?:^|_)(\w)(\w*?)(?=_|$)", lambda m: m[1] + m[2].lower(), kind) + "Options"
        if hasattr(schema, f"{name}T"):
            made.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            made.builtinOptions = getattr(schema, f"{name}T")()
            for key, value in options.items():
                assert hasattr(made.builtinOptions, key), (name, key)
                setattr(made.builtinOptions, key, value)
        else:
            assert not options, (name, options)
        self.graph.operators.append(made)

    def written(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        self.ends(inputs, outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


# Operators whose outputs have the numbers of their inputs, and those that fix them: scale and zero of 8 and 16 bits.
KEEPING = {
    "REDUCE_MAX",
    *(
        "AVERAGE_POOL_2D",
        "MAX_POOL_2D",
        "GATHER",
        "RESHAPE",
        "SQUEEZE",
        "EXPAND_DIMS",
        "TRANSPOSE",
        "CONCATENATION",
        "PACK",
        "PAD",
    ),
    *(
        "PADV2",
        "MIRROR_PAD",
        "SPLIT",
        "SPLIT_V",
        "STRIDED_SLICE",
        "SLICE",
        "UNPACK",
        "RESIZE_NEAREST_NEIGHBOR",
        "RELU6",
    ),
    *(
        "DEPTH_TO_SPACE",
        "SPACE_TO_DEPTH",
        "MAXIMUM",
        "MINIMUM",
        "SPACE_TO_BATCH_ND",
        "BATCH_TO_SPACE_ND",
        "RESIZE_BILINEAR",
    ),
}
FIXED = {
    "LOGISTIC": ((1 / 256, -128), (1 / 32768, 0)),
    "SOFTMAX": ((1 / 256, -128), (1 / 32768, 0)),
    "TANH": ((1 / 128, 0), (1 / 32768, 0)),
}
SUMS = {"CONV_2D": (0, 1, 2), "DEPTHWISE_CONV_2D": (0, 1, 2), "FULLY_CONNECTED": (0, 1, 2), "TRANSPOSE_CONV": (2, 1, 3)}


@dataclass
class Integers(File):
    """The same on integers: reals become int8, or int16 with weights of 8 bits, with scales and zeros by chance."""

    bits: int = 8
    seed: int = 0
    long: bool = True  # biases of 64 bits, where numbers have 16

    def __post_init__(self) -> None:
        super().__post_init__()
        self.random = np.random.default_rng(self.seed)

    def tensor(self, shape: Sequence[int], dtype: str = "float32", *, data: Any = None, **told: Any) -> int:
        if dtype != "float32":
            return super().tensor(shape, dtype, data=data, **told)
        if data is not None:
            data = self.random.integers(-100, 101, np.shape(data))
        return super().tensor(shape, f"int{self.bits}", data=data, scale=self.scale(), zero=self.zero(), **told)

    def scale(self) -> float:
        return float(np.float32(2.0 ** self.random.uniform(*((-8, -4) if self.bits == 8 else (-15, -10)))))

    def zero(self) -> int:
        near = self.random.integers(-40, 40)
        return int(self.random.choice([-128, 127, near, near])) if self.bits == 8 else 0

    def weights(self, data: Array, axis: int = 0) -> int:
        """A scale for each output, or one for all."""
        count = data.shape[axis] if self.random.random() < 0.7 else 1
        scales = (2.0 ** self.random.uniform(-9, -5, count)).astype(np.float32)
        return super().constant(self.random.integers(-127, 128, data.shape), "int8", scale=scales, axis=axis)

    def slopes(self, data: Array) -> int:
        zero = int(self.random.integers(-128, 128))
        return super().constant(self.random.integers(-128, 128, data.shape), "int8", scale=0.01, zero=zero)

    def square(self, data: Array) -> int:
        scale = float(np.float32(2.0 ** self.random.uniform(-8, -5)))
        return super().constant(self.random.integers(-127, 128, data.shape), "int8", scale=scale)

    def states(self, shape: Sequence[int], output: int) -> tuple[int, int]:
        told = self.graph.tensors[output].quantization
        wide = self.bits == 16
        told.scale, told.zeroPoint = [2.0**-15 if wide else 2.0**-7], [0 if wide else int(self.random.integers(-9, 9))]
        state = self.tensor(shape, variable=True)
        self.graph.tensors[state].quantization = told
        fraction = int(self.random.choice([11, 12, 13, 9]))
        return state, super().tensor(shape, "int16", scale=2.0**-fraction, variable=True)

    def bias(self, data: Array) -> int:
        dtype = "int64" if self.bits == 16 and self.long else "int32"
        return super().constant(self.random.integers(-4000, 4001, data.shape), dtype, scale=1.0)

    def before(self, start: int, end: int) -> None:
        self.op("QUANTIZE", (start,), (end,))

    def constant(self, data: Any, dtype: str = "int32", **told: Any) -> int:
        return self.tensor(np.shape(data), dtype, data=data, **told)

    def op(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], version: int = 1, **options: Any) -> None:
        super().op(kind, inputs, outputs, version, **options)
        told = [self.graph.tensors[index].quantization for index in (*inputs, *outputs) if index >= 0]
        if kind in FIXED:
            scale, zero = FIXED[kind][self.bits == 16]
            told[-1].scale, told[-1].zeroPoint = [scale], [zero]
        elif kind in KEEPING:
            found = [one for one in told if one is not None]
            for one in found:
                one.scale, one.zeroPoint = found[0].scale, found[0].zeroPoint
        elif kind in SUMS:
            self._fit(told, *(self.graph.tensors[inputs[place]] for place in SUMS[kind] if place < len(inputs)))
        elif kind == "MUL":
            told[-1].scale = [told[0].scale[0] * told[1].scale[0] * 2.0 ** (self.bits - 2)]
        elif kind in ("SUM", "ADD", "SUB"):
            told[-1].scale = [told[0].scale[0] * 3]

    def _fit(self, told: Sequence[Any], entry: Any, kernel: Any, bias: Any = None) -> None:
        """A scale of the output that most sums fit, and that of the bias."""
        first, scales = entry.quantization.scale[0], np.array(kernel.quantization.scale)
        told[-1].scale = [float(np.float32(first * scales.mean() * 60 * np.sqrt(np.prod(kernel.shape[1:]))))]
        if bias is not None:
            bias.quantization.scale = [float(scale) for scale in np.float32(first) * scales]
            bias.quantization.zeroPoint = [0] * len(scales)


def dense_file(units: int = 3, elements: int = 4, seed: int = 0) -> bytes:
    """A small one with all that the reader looks at: weights, scales, options, a signature."""
    random, file = np.random.default_rng(seed), File()
    start = file.tensor((1, elements), name="serving_default_x:0", signature=(-1, elements))
    kernel = file.constant(random.normal(size=(units, elements)), "float32", name="model/dense/MatMul")
    bias = file.constant(random.normal(size=units), "float32")
    inner = file.tensor((1, units), name="model/dense/Relu;model/dense/BiasAdd")
    end = file.tensor((1, units), name="StatefulPartitionedCall:0")
    file.op("FULLY_CONNECTED", (start, kernel, bias), (inner,), fusedActivationFunction=1)
    file.op("SOFTMAX", (inner,), (end,), beta=1.0)
    return file.written((start,), (end,))


def quantized_file() -> bytes:
    """A convolution of int8, per channel."""
    random, file = np.random.default_rng(1), File()
    start = file.tensor((1, 5, 5, 2), "int8", scale=0.1, zero=3)
    kernel = file.constant(random.integers(-127, 128, (4, 3, 3, 2)), "int8", scale=[0.1, 0.2, 0.3, 0.4])
    bias = file.constant(random.integers(-99, 99, 4), "int32", scale=[0.01, 0.02, 0.03, 0.04])
    end = file.tensor((1, 5, 5, 4), "int8", scale=0.5, zero=-128)
    file.op("CONV_2D", (start, kernel, bias), (end,), 3, strideW=1, strideH=1, fusedActivationFunction=1)
    return file.written((start,), (end,))


def reals(shape: Sequence[int], seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=tuple(shape)).astype(np.float32)
