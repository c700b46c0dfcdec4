"""`.tflite` files for tests, built through the schema's own classes: nothing of mcusim's reader is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
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

    def buffer(self, content: bytes) -> int:
        made = schema.BufferT()
        made.data = np.frombuffer(content, np.uint8)
        self.model.buffers.append(made)
        return len(self.model.buffers) - 1

    def op(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], version: int = 1, **options: Any) -> None:
        code = schema.OperatorCodeT()
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
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def dense_file(units: int = 3, elements: int = 4) -> bytes:
    """A small one with all that the reader looks at: weights, scales, options, a signature."""
    random, file = np.random.default_rng(0), File()
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
