"""Operators of ONNX one by one: the graph computes what onnxruntime does, and lies as kernels want it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.layers.dense import Dense
from tests.onnx_files import PLANE, SERIES, VECTOR, File, assert_equal, ints, one, read, w


def weights_times(shape: tuple[int, ...]) -> File:
    """A matrix of weights, to the left of the input."""
    file = File(shape)
    file.add("MatMul", w(5, shape[-2]), "x")
    return file


def turned_gemm() -> File:
    """A bias of one number for each row, of which there is one."""
    return one(VECTOR, "Gemm", w(12, 5), w(1, 1), alpha=0.5)


CONVOLUTIONS = [
    one(PLANE, "Conv", w(5, 4, 3, 3), w(5)),
    one(PLANE, "Conv", w(5, 4, 3, 2), pads=[1, 0, 2, 1], strides=[2, 1]),
    one(PLANE, "Conv", w(8, 1, 3, 3), w(8), group=4, pads=[1, 1, 1, 1]),
    one(PLANE, "Conv", w(6, 2, 3, 3), group=2, dilations=[2, 2], pads=[2, 2, 2, 2]),
    one(PLANE, "Conv", w(6, 4, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"),
    one(PLANE, "Conv", w(6, 4, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    one(PLANE, "Conv", w(6, 4, 3, 3), auto_pad="VALID"),
    one(SERIES, "Conv", w(5, 4, 3), w(5), pads=[2, 0], kernel_shape=[3]),
    one(SERIES, "Conv", w(4, 1, 5), group=4, dilations=[2], strides=[2], pads=[4, 4]),
    one(PLANE, "ConvTranspose", w(4, 5, 3, 3), w(5), strides=[2, 2]),
    one(PLANE, "ConvTranspose", w(4, 5, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    one(PLANE, "ConvTranspose", w(4, 5, 4, 2), strides=[3, 2], pads=[1, 0, 0, 1], dilations=[1, 2]),
    one(PLANE, "ConvTranspose", w(4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    one(SERIES, "ConvTranspose", w(4, 3, 5), strides=[3], output_shape=[32]),
    one(PLANE, "ConvTranspose", w(4, 1, 3, 3), w(4), group=4, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    one(PLANE, "ConvTranspose", w(4, 3, 2, 4), w(6), group=2, strides=[2, 3], dilations=[2, 1], pads=[1, 0, 0, 2]),
    one(PLANE, "ConvTranspose", w(4, 2, 1, 2), group=2, strides=[2, 2]),
    one(SERIES, "ConvTranspose", w(4, 1, 4), w(4), group=4, strides=[2], pads=[1, 1]),
]
POOLS = [
    one(PLANE, f"{kind}Pool", kernel_shape=[3, 2], **settings)
    for kind in ("Max", "Average")
    for settings in (
        {},
        {"strides": [2, 2]},
        {"strides": [2, 3], "pads": [1, 0, 2, 1]},
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
        {"strides": [3, 4], "ceil_mode": 1},
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
    )
]
POOLS += [
    one(
        PLANE,
        "AveragePool",
        kernel_shape=[3, 3],
        count_include_pad=1,
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        ceil_mode=mode,
    )
    for mode in (0, 1)
]
POOLS += [one(SERIES, "MaxPool", kernel_shape=[3], strides=[2], pads=[1, 1]), one(SERIES, "GlobalAveragePool")]
POOLS += [one(PLANE, "GlobalMaxPool"), one(PLANE, "GlobalAveragePool")]
MATRICES = [
    one(VECTOR, "Gemm", w(12, 5), w(5)),
    one(VECTOR, "Gemm", w(5, 12), w(1, 5), transB=1, alpha=0.5, beta=2.0),
    one(VECTOR, "Gemm", w(5, 12), w(1), transB=1),
    one((1, 12), "Gemm", w(5, 12), transB=1),
    one(VECTOR, "MatMul", w(12, 5)),
    one((1, 3, 12), "MatMul", w(12, 5)),
    one((1, 2, 3, 12), "MatMul", w(12, 5)),
    one((1, 3, 12), "MatMul", w(1, 12, 1)),
    turned_gemm(),
    weights_times((1, 12, 3)),
]
ACTIVATIONS = [
    one(PLANE, kind, **settings, opset=20)
    for kind, settings in (
        *((name, {}) for name in ("Relu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh")),
        *(
            (name, {})
            for name in ("Softplus", "Softsign", "Gelu", "Mish", "ThresholdedRelu", "LeakyRelu", "Erf", "Exp", "Neg")
        ),
        *((("Gelu", {"approximate": "tanh"}), ("HardSigmoid", {"alpha": 0.3, "beta": 0.2}), ("Abs", {}))),
        *((("Elu", {"alpha": 0.5}), ("Selu", {"alpha": 2.0, "gamma": 3.0}), ("Softmax", {}), ("Softmax", {"axis": 1}))),
    )
]
ACTIVATIONS += [one(PLANE, "Softmax", axis=axis, opset=11) for axis in (1, 2, 3)]
ACTIVATIONS += [one(VECTOR, "Softmax", opset=11), one(VECTOR, "Softmax"), one(SERIES, "Softmax", axis=1)]
ACTIVATIONS += [one(PLANE, "PRelu", w(4, 1, 1)), one(PLANE, "PRelu", w(1)), one(VECTOR, "PRelu", w(12))]
ACTIVATIONS += [
    one(PLANE, "Clip", *bounds)
    for bounds in (
        (np.float32(0), np.float32(6)),
        (np.float32(-1), np.float32(0.5)),
        (np.float32(0.2),),
        (None, np.float32(0.3)),
    )
]
ACTIVATIONS += [one(PLANE, "Clip", min=0.0, max=1.0, opset=7)]
MERGES = [
    one(PLANE, kind, constant)
    for kind in ("Add", "Sub", "Mul", "Div")
    for constant in (np.float32(1.5), w(4, 1, 1), w(1, 4, 1, 1), w(6), w(7, 1), w(4, 7, 6))
]
MERGES += [one(PLANE, "Pow", np.float32(exponent)) for exponent in (2, 3)]
MERGES += [one(PLANE, "Max", np.float32(0.3)), one(PLANE, "Min", np.float32(0.3), np.float32(0.1))]
NORMALIZATIONS = [
    one(shape, "BatchNormalization", w(n), w(n), w(n), np.abs(w(n)) + 1)
    for shape, n in ((PLANE, 4), (SERIES, 4), (VECTOR, 12))
]
NORMALIZATIONS += [
    one(PLANE, "LayerNormalization", w(6), w(6)),
    one(PLANE, "LayerNormalization", w(4, 7, 6), axis=1, epsilon=1e-3),
    one(PLANE, "InstanceNormalization", w(4), w(4)),
    one(SERIES, "InstanceNormalization", w(4), w(4)),
    one(PLANE, "GroupNormalization", w(4), w(4), num_groups=2, opset=21),
]
SHAPES = [
    one(PLANE, "Flatten"),
    one(PLANE, "Flatten", axis=2),
    one(PLANE, "Reshape", ints(0, -1)),
    one(PLANE, "Reshape", ints(1, 2, 2, -1)),
    one(PLANE, "Transpose", perm=[0, 2, 3, 1]),
    one(PLANE, "Transpose"),
    one((1, 4, 1, 6), "Squeeze", ints(2)),
    one((1, 4, 1, 6), "Squeeze"),
    one((1, 4, 1, 6), "Squeeze", axes=[2], opset=11),
    one(SERIES, "Unsqueeze", ints(0, 3)),
    one(SERIES, "Unsqueeze", axes=[-1], opset=11),
    one(PLANE, "Slice", ints(1, 0), ints(-1, 9999), ints(2, 3), ints(2, 1)),
    one(PLANE, "Slice", ints(-1), ints(-9999), ints(3), ints(-1)),
    one(PLANE, "Slice", axes=[1], starts=[1], ends=[3], opset=9),
    one(PLANE, "Gather", np.int64(-2), axis=2),
    one(PLANE, "Gather", ints(0, 2), axis=1),
    one(PLANE, "Expand", ints(3, 1, 7, 6)),
    one(PLANE, "Tile", ints(1, 2, 1, 3)),
    one((1, 8, 3, 5), "DepthToSpace", blocksize=2),
    one((1, 8, 3, 5), "DepthToSpace", blocksize=2, mode="CRD"),
    one((1, 3, 4, 6), "SpaceToDepth", blocksize=2),
]
PADS = [
    one(PLANE, "Pad", ints(0, 0, 1, 2, 0, 0, 0, 3)),
    one(PLANE, "Pad", ints(0, 1, 0, 0, 0, 2, 0, 0)),
    one(PLANE, "Pad", ints(0, 1, 0, 2, 0, 0, 1, 0), np.float32(1.5)),
    one(PLANE, "Pad", ints(0, 0, -1, 2, 0, 0, 0, -2)),
    one(PLANE, "Pad", ints(0, 0, 1, 2, 0, 0, 2, 3), mode="reflect"),
    one(PLANE, "Pad", ints(0, 2, 1, 0, 0, 0, 2, 0), mode="edge"),
    one(PLANE, "Pad", ints(1, 2, 0, 1), None, ints(2, 3), opset=18),
    one(VECTOR, "Pad", ints(0, 3, 0, 2)),
    one(SERIES, "Pad", pads=[0, 0, 1, 0, 0, 2], opset=10),
    one(PLANE, "Pad", ints(0, 0, 1, 2, 0, 0, 0, 3), mode="wrap", opset=19),
]
SIZES = [
    one(PLANE, "Resize", None, np.array([1, 1, 2, 3], np.float32), mode="nearest"),
    one(
        PLANE,
        "Resize",
        None,
        np.array([1, 1, 2, 2], np.float32),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
    one(PLANE, "Resize", None, None, ints(1, 4, 14, 12), mode="linear"),
    one(
        PLANE,
        "Resize",
        None,
        None,
        ints(1, 4, 14, 12),
        mode="linear",
        coordinate_transformation_mode="pytorch_half_pixel",
    ),
    one(
        (1, 3, 8, 4),
        "Resize",
        None,
        np.array([1, 1, 0.5, 0.25], np.float32),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
    one(SERIES, "Resize", None, np.array([1, 1, 2], np.float32)),
    one(PLANE, "Upsample", np.array([1, 1, 2, 2], np.float32), opset=9),
    one(PLANE, "Upsample", scales=[1.0, 1.0, 2.0, 2.0], opset=7),
]
REDUCED = [
    one(PLANE, kind, **({"axes": list(axes)} if axes else {}), keepdims=keep)
    for kind in ("ReduceMean", "ReduceMax", "ReduceSum")
    for axes, keep in (((2, 3), 1), ((2, 3), 0), ((1,), 1), ((2,), 0), ((1, 3), 0), ((), 1), ((-1,), 1))
    if kind != "ReduceSum"
]
REDUCED += [one(PLANE, "ReduceSum", ints(*axes), keepdims=keep) for axes, keep in (((2, 3), 0), ((1,), 1))]
REDUCED += [one(PLANE, "ReduceMean", ints(1, 2), opset=18)]
# Nothing is computed, which is a model where something is before or behind it.
NOTHING = [
    one(PLANE, "Clip"),
    one(PLANE, "Tile", ints(1, 1, 1, 1)),
    one(PLANE, "Pad", ints(*(0,) * 8)),
]
# A last window would begin behind the padding. onnxruntime's inference of shapes counts it, where something reads it.
ENDS = [one(PLANE, "MaxPool", kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 1, 1], ceil_mode=1)]
CASES = [
    *(CONVOLUTIONS + POOLS + MATRICES + ACTIVATIONS + MERGES + NORMALIZATIONS + SHAPES + PADS + SIZES + REDUCED),
]


def named(files: list[File]) -> dict[str, Any]:
    return {"argvalues": files, "ids": [f"{number}-{file.nodes[0].op_type}" for number, file in enumerate(files)]}


@pytest.mark.parametrize("file", **named(CASES + ENDS))
def test_an_operator_computes_what_onnxruntime_does(file: File) -> None:
    made = assert_equal(file)
    assert len(made.outputs) == 1


@pytest.mark.parametrize("file", **named(CASES + NOTHING))
def test_behind_a_convolution_and_before_a_dense_layer(file: File) -> None:
    """Channels lie last, and a flattened plane feeds a matrix: whatever moves has to move right."""
    shape = file.shape
    if len(shape) < 3:
        return
    rank = len(shape)
    inner = File(shape, file.opset, seed=5)
    inner.add("Conv", ..., w(shape[1], shape[1], *(3,) * (rank - 2)), auto_pad="SAME_UPPER")
    inner.append(file)
    inner.add("Reshape", ..., ints(1, -1))
    elements = read(inner.data()).outputs[0].elements
    inner.add("Gemm", ..., w(5, elements) / 9, w(5), transB=1)
    made = assert_equal(inner)
    assert isinstance(made.source.graph.layers[-1], Dense)
