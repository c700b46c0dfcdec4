"""Operators of ONNX one by one: the graph computes what onnxruntime does, and lies as kernels want it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.layers.dense import Dense
from mcusim.layers.strided_copy import StridedCopy
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.models.onnx.convert import Converted
from mcusim.models.source import Order
from tests.compiled import run_compiled
from tests.onnx_files import File, assert_equal, read

PLANE, SERIES, VECTOR = (1, 4, 7, 6), (1, 4, 11), (1, 12)


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def one(shape: tuple[int, ...], kind: str, *inputs: Any, opset: int = 17, **attributes: Any) -> File:
    file = File(shape, opset)
    file.add(kind, ..., *inputs, **attributes)
    return file


def w(*shape: int, seed: int = 3) -> np.ndarray[Any, Any]:
    return np.asarray(np.random.default_rng(seed).normal(size=shape) / 2, np.float32)


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
CASES = [
    *(CONVOLUTIONS + POOLS + MATRICES + ACTIVATIONS + MERGES + NORMALIZATIONS + SHAPES + PADS + SIZES + REDUCED),
]


@pytest.mark.parametrize("file", CASES, ids=[f"{number}-{file.nodes[0].op_type}" for number, file in enumerate(CASES)])
def test_an_operator_computes_what_onnxruntime_does(file: File) -> None:
    made = assert_equal(file)
    assert len(made.outputs) == 1


@pytest.mark.parametrize("file", CASES, ids=[f"{number}-{file.nodes[0].op_type}" for number, file in enumerate(CASES)])
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


# -- layouts -----------------------------------------------------------------------------------------------------------


def moved(made: Converted) -> list[str]:
    """Layers that move numbers alone."""
    return [layer.name for layer in made.source.graph if isinstance(layer, StridedCopy)]


def test_a_network_of_planes_moves_nothing() -> None:
    """Not at the input, whose channels lie last, nor before the first Dense, whose columns are in another order."""
    file = File((1, 3, 16, 16))
    file.add("Sub", ..., w(3, 1, 1))
    file.add("Conv", ..., w(8, 3, 3, 3), w(8), pads=[1, 1, 1, 1])
    first = file.add("Relu")
    file.add("Conv", ..., w(8, 1, 3, 3), group=8, pads=[1, 1, 1, 1])
    file.add("BatchNormalization", ..., w(8), w(8), w(8), np.abs(w(8)) + 1)
    file.add("Add", ..., first)
    file.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    file.add("Concat", ..., file.last, axis=1)
    file.add("Flatten")
    file.add("Gemm", ..., w(10, 1024) / 30, w(10), transB=1)
    made = assert_equal(file)
    assert moved(made) == [] and made.source.graph.inputs[0].shape == (16, 16, 3)
    assert [layer.kind for layer in optimize(made.source.graph)] == [
        *("Input", "BatchNormalization", "Conv2D", "DepthwiseConv2D", "Add", "MaxPooling2D", "Concatenate"),
        *("Reshape", "Dense"),
    ]


def test_a_network_that_tensorflow_exported_moves_nothing() -> None:
    """Its input has the channels last, and is transposed before each convolution and behind it."""
    file = File((1, 8, 9, 3))
    file.add("Transpose", perm=[0, 3, 1, 2])
    file.add("Conv", ..., w(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2])
    file.add("Transpose", perm=[0, 2, 3, 1])
    file.add("Relu")
    file.add("Transpose", perm=[0, 3, 1, 2])
    file.add("GlobalAveragePool")
    file.add("Squeeze", ..., ints(2, 3))
    file.add("MatMul", ..., w(4, 2))
    made = assert_equal(file)
    assert moved(made) == [] and made.source.graph.inputs[0].shape == (8, 9, 3)


def test_series_go_into_recurrent_layers_as_they_lie() -> None:
    """PyTorch's (batch, channels, samples) through a convolution, then (samples, batch, channels) for the LSTM."""
    file = File((1, 6, 20))
    file.add("Conv", ..., w(8, 6, 3), w(8))
    file.add("Relu")
    file.add("Transpose", perm=[2, 0, 1])
    lstm = file.add("LSTM", ..., w(1, 20, 8), w(1, 20, 5), w(1, 40), hidden_size=5, outputs=2)
    file.add("Squeeze", lstm.replace("_0", "_1"), ints(0))
    file.add("Gemm", ..., w(3, 5), w(3), transB=1)
    made = assert_equal(file)
    assert moved(made) == [] and made.source.graph.inputs[0].shape == (20, 6)


def test_what_really_moves_is_moved() -> None:
    file = File((1, 4, 5, 6))
    file.add("Conv", ..., w(4, 4, 3, 3), pads=[1, 1, 1, 1])
    file.add("Reshape", ..., ints(1, 4, 30))
    file.add("Conv", ..., w(2, 4, 3))
    assert moved(assert_equal(file)) == []
    file.add("Reshape", ..., ints(1, 14, 4))
    file.add("Conv", ..., w(2, 14, 3))
    assert moved(assert_equal(file)) != []


def test_channels_are_shuffled() -> None:
    """ShuffleNet: what is transposed within an axis is one copy."""
    file = File((1, 8, 5, 5))
    file.add("Conv", ..., w(8, 2, 1, 1), group=4)
    file.add("Reshape", ..., ints(1, 4, 2, 5, 5))
    file.add("Transpose", perm=[0, 2, 1, 3, 4])
    file.add("Reshape", ..., ints(1, 8, 5, 5))
    file.add("Conv", ..., w(8, 1, 3, 3), group=8)
    made = assert_equal(file)
    assert len(moved(made)) == 1


# -- several tensors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"])
@pytest.mark.parametrize("other", [PLANE, (1, 4, 1, 1), (1, 1, 7, 6), (1, 1, 1, 6), (1, 1)])
def test_merges_of_tensors(kind: str, other: tuple[int, ...]) -> None:
    file = File(PLANE, inputs={"y": other})
    file.add("Conv", ..., w(4, 4, 1, 1))
    if kind in ("Sum", "Mean", "Max", "Min"):
        file.add(kind, "y", ..., "x")
    else:
        file.add(kind, ..., "y")
    assert_equal(file)


def test_constants_that_are_tensors_of_their_own() -> None:
    """Beside others in a Concat, or larger than what they are added to; in int8, too."""
    file = File((1, 4, 6))
    x = file.add("Conv", ..., w(4, 4, 3))
    file.add("Concat", w(1, 4, 2), x, w(1, 4, 1), axis=2)
    file.add("Add", file.add("ReduceMean", ..., axes=[1]), w(1, 3, 1))
    file.add("Sub", w(1, 3, 7), ...)
    graph = assert_equal(file).source.graph
    samples = np.asarray(np.random.default_rng(0).normal(size=(8, *graph.inputs[0].shape)), np.float32)
    integers = quantize(graph, samples, "int8")
    np.testing.assert_array_equal(run_compiled(integers, samples), integers.run(samples))


def test_the_batch_of_a_merge_is_no_axis_of_a_sample() -> None:
    file = File((1, 5), inputs={"y": (1, 5)})
    file.add("Unsqueeze", ..., ints(2))
    file.add("Mul", ..., file.add("Unsqueeze", "y", ints(1)) and "unsqueeze0_0")
    assert_equal(file)


def test_parts_of_a_split_and_their_concatenation() -> None:
    file = File(PLANE)
    file.add("Conv", ..., w(9, 4, 1, 1))
    file.add("Split", ..., ints(2, 3, 4), axis=1, outputs=3)
    file.add("Relu", "split1_2")
    file.add("Concat", ..., "split1_0", "x", axis=1)
    assert_equal(file)
    file = File((1, 3, 8), 11)
    file.add("Split", axis=2, outputs=2)
    file.add("Concat", "split0_1", "split0_0", axis=-2)
    assert_equal(file)


@pytest.mark.parametrize("kind, gates", [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("output", ["{}0_0", "{}0_1", "both"])
def test_recurrent_layers(kind: str, gates: int, direction: str, output: str) -> None:
    ways, units, features = 1 + (direction == "bidirectional"), 3, 5
    file = File((1, 7, features))
    file.add("Transpose", perm=[1, 0, 2])
    weights = (w(ways, gates * units, features), w(ways, gates * units, units), w(ways, 2 * gates * units))
    settings = {"linear_before_reset": 1} if kind == "GRU" else {}
    file.nodes, given = [], file.nodes
    file.add(kind, given[0].output[0], *weights, direction=direction, hidden_size=units, outputs=2, **settings)
    file.nodes = [*given, *file.nodes]
    names = [f"{kind.lower()}0_{number}" for number in (0, 1)]
    assert_equal(file, *(names if output == "both" else [output.format(kind.lower())]))


# -- what exporters write ----------------------------------------------------------------------------------------------


def test_shapes_are_computed_and_folded() -> None:
    """A view of PyTorch with an open batch: Shape, Gather, Unsqueeze, Concat, Reshape."""
    file = File(("batch", 4, 6))
    file.add("Conv", ..., w(4, 4, 3))
    made = file.last
    file.add("Shape", made)
    size = file.add("Gather", ..., np.int64(0), axis=0)
    file.add("Unsqueeze", size, ints(0))
    file.add("Concat", ..., ints(-1), axis=0)
    file.add("Reshape", made, file.last)
    file.add("Gemm", ..., w(3, 16), transB=1)
    assert [layer.kind for layer in assert_equal(file).source.graph] == ["Input", "Conv1D", "Reshape", "Dense"]


@pytest.mark.parametrize("axes", [[-1], [-2, -1]])
def test_a_layer_normalization_in_pieces_is_one(axes: list[int]) -> None:
    """As PyTorch exports it before opset 17."""
    file, shape = File((1, 5, 8), 13), (5, 8)[-len(axes) :]
    x = file.add("MatMul", ..., w(8, 8))
    centered = file.add("Sub", x, file.add("ReduceMean", x, axes=axes))
    variance = file.add("ReduceMean", file.add("Pow", centered, np.float32(2)), axes=axes, keepdims=1)
    file.add("Sqrt", file.add("Add", variance, np.float32(1e-3)))
    file.add("Div", centered, ...)
    file.add("Add", file.add("Mul", ..., w(*shape)), w(*shape))
    kinds = [layer.kind for layer in assert_equal(file).source.graph if layer.kind != "Reshape"]
    assert kinds == ["Input", "Conv1D", "LayerNormalization"]


@pytest.mark.parametrize("function", ["Gelu", "Swish", "HardSwish", "Mish", "HardSigmoid"])
def test_functions_that_are_written_in_pieces_are_one(function: str) -> None:
    file = File((1, 9))
    x = file.add("Gemm", ..., w(9, 9))
    one, two, half, six = (np.float32(value) for value in (1, np.sqrt(2), 0.5, 6))
    if function == "Gelu":
        file.add("Add", one, file.add("Erf", file.add("Div", x, two)))
        file.add("Mul", file.add("Mul", x, ...), half)
    elif function == "Swish":
        file.add("Mul", file.add("Sigmoid", x), x)
    elif function == "Mish":
        file.add("Mul", x, file.add("Tanh", file.add("Softplus", x)))
    else:
        file.add("Clip", file.add("Add", x, np.float32(3)), np.float32(0), six)
        file.add("Div", file.add("Mul", x, ...) if function == "HardSwish" else file.last, six)
    made = assert_equal(file)
    assert [layer.kind for layer in made.source.graph][2:] == [{"Gelu": "GELU"}.get(function, function)]


# -- inputs and outputs ------------------------------------------------------------------------------------------------


def test_a_file_for_a_batch_of_several_is_read_for_one_sample() -> None:
    file = File((5, 4, 6))
    file.add("Conv", ..., w(4, 4, 3))
    file.add("Reshape", ..., ints(5, 16))
    file.add("Gemm", ..., w(3, 16), transB=1)
    assert_equal(file, samples=[w(4, 4, 6)])


def test_the_order_of_inputs_and_outputs_is_told() -> None:
    file = File((1, 3, 5, 6))
    file.add("Conv", ..., w(3, 3, 3, 3), pads=[1, 1, 1, 1])
    source = assert_equal(file).source
    told = Order((3, 5, 6), (1, 2, 0))
    assert source.input_orders == source.output_orders == {"": told}
    x = w(2, 3, 5, 6)
    assert (source.arranged(x) == x.transpose(0, 2, 3, 1)).all()
    other = x.transpose(0, 2, 3, 1)
    assert source.arranged(other) is other


def test_an_output_that_repeats_the_input_has_its_order() -> None:
    """What is compared number by number must not be in two orders: then both have that of the file."""
    file = File((1, 3, 4, 4))
    file.add("Conv", ..., w(2, 3, 3, 3))
    file.add("Flatten")
    file.add("Gemm", ..., w(48, 8), transB=1)
    source = assert_equal(file).source
    assert source.input_orders == source.output_orders == {} and source.graph.inputs[0].shape == (3, 4, 4)
