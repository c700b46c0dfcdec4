"""What others reported of tools like this one, rebuilt: docs/public-models.md has a row for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.models import read_model
from mcusim.models.tflite.dilation import UNPROVED
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.models.test_onnx_qonnx import Qonnx, w
from tests.models.test_tflite_integers import compare, reals_of
from tests.onnx_files import File as Onnx
from tests.onnx_files import assert_equal, graph_of, onnx, onnxruntime_of, read
from tests.tflite_files import File

SAME = 0


def graph_of_file(content: bytes, folder: Path) -> Graph:
    (folder / "m.tflite").write_bytes(content)
    return read_model(folder / "m.tflite", "m").graph


def weights(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(-127, 128, shape)


def dilated(spread: bool, zero: int) -> bytes:
    """A Conv1D of int8 with dilation 2 and padding: in three operators, as converters write it, or in one."""
    file = File()
    start, end = (
        file.tensor((1, 1, 11, 3), "int8", scale=0.05, zero=zero),
        file.tensor((1, 1, 11, 4), "int8", scale=0.4),
    )
    kernel = file.constant(weights(4, 1, 3, 3), "int8", scale=[0.01, 0.02, 0.013, 0.03])
    bias = file.constant([900, -700, 5, 0], "int32", scale=[0.0005, 0.001, 0.00065, 0.0015])
    options = {"strideW": 1, "strideH": 1, "dilationHFactor": 1}
    if not spread:
        file.op("CONV_2D", (start, kernel, bias), (end,), 3, padding=SAME, dilationWFactor=2, **options)
        return file.written((start,), (end,))
    one, two = file.tensor((2, 1, 8, 3), "int8", scale=0.05, zero=zero), file.tensor((2, 1, 6, 4), "int8", scale=0.4)
    block = file.constant([1, 2])
    file.op("SPACE_TO_BATCH_ND", (start, block, file.constant([[0, 0], [2, 3]])), (one,))
    file.op("CONV_2D", (one, kernel, bias), (two,), 3, padding=1, dilationWFactor=1, **options)
    file.op("BATCH_TO_SPACE_ND", (two, block, file.constant([[0, 0], [0, 1]])), (end,))
    return file.written((start,), (end,))


@pytest.mark.parametrize("zero", [-128, 17])
def test_what_is_padded_around_a_dilated_convolution_is_its_zero(zero: int, tmp_path: Path) -> None:
    """tflite-micro #2319, #1646, #1629, #1231: the padding of SPACE_TO_BATCH_ND was not the zero of the input."""
    graph = compare(dilated(False, zero), tmp_path).as_read
    x = reals_of(graph.inputs[0], 12)
    spread = graph_of_file(dilated(True, zero), tmp_path)
    np.testing.assert_array_equal(spread.run(x), graph.run(x))
    assert read_model(tmp_path / "m.tflite", "m").unproved == UNPROVED  # TFLM's answer is another each time


def test_sums_of_16_bits_are_longer_than_32(tmp_path: Path) -> None:
    """CMSIS_5 #1380: more than 512 products of int16 and int8 overflow 32 bits."""
    file = File()
    start, end = file.tensor((1, 2048), "int16", scale=0.001), file.tensor((1, 5), "int16", scale=10.0)
    kernel = weights(5, 2048)
    kernel[0], kernel[1] = 127, -127
    told = (file.constant(kernel, "int8", scale=0.1), file.constant(np.zeros(5), "int64", scale=0.0001))
    file.op("FULLY_CONNECTED", (start, *told), (end,), 4)
    graph = compare(file.written((start,), (end,)), tmp_path).as_read
    x = reals_of(graph.inputs[0], 6)
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


def test_rows_of_16_bits(tmp_path: Path) -> None:
    """tensorflow #48959: a dense layer of int16 was wrong where its input had more than two axes."""
    file = File()
    start, end = file.tensor((1, 6, 5), "int16", scale=0.001), file.tensor((1, 6, 4), "int16", scale=0.01)
    told = (file.constant(weights(4, 5), "int8", scale=0.1), file.constant([90, -9, 0, 5], "int64", scale=0.0001))
    file.op("FULLY_CONNECTED", (start, *told), (end,), 4, keepNumDims=True)
    compare(file.written((start,), (end,)), tmp_path)


@pytest.mark.parametrize("classes", [511, 512, 1000])
def test_softmax_of_many_classes(classes: int, tmp_path: Path) -> None:
    """No report; the reference stops there: a share below half a step was a shift by 32 bits, undefined in C."""
    file = File()
    start, end = (
        file.tensor((1, classes), "int8", scale=0.02, zero=5),
        file.tensor((1, classes), "int8", scale=1 / 256, zero=-128),
    )
    file.op("SOFTMAX", (start,), (end,), beta=1.0)
    path = tmp_path / "m.tflite"
    path.write_bytes(file.written((start,), (end,)))
    graph = read_model(path, "m").as_read
    x = reals_of(graph.inputs[0], 6)
    assert np.all(graph.run(x)[0] == (-127 if classes < 512 else -128))
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


def test_softmax_of_many_rows(tmp_path: Path) -> None:
    """CMSIS_5 #1441: from the second row on softmax wrote to the wrong place."""
    file = File()
    start, inner = (
        file.tensor((1, 6, 7), "int8", scale=0.1, zero=5),
        file.tensor((1, 6, 7), "int8", scale=1 / 256, zero=-128),
    )
    file.op("SOFTMAX", (start,), (inner,), beta=1.0)
    graph = compare(file.written((start,), (inner,)), tmp_path).as_read
    x = reals_of(graph.inputs[0], 6)
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


@pytest.mark.parametrize("perm", [(0, 1, 3, 2), (0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2), (0, 3, 2, 1)])
def test_transposes_of_planes(perm: tuple[int, ...], tmp_path: Path) -> None:
    """CMSIS-NN #153: some permutations gave other outputs than the reference."""
    file, shape = File(), (1, 3, 5, 4)
    start = file.tensor(shape, "int8", scale=0.1, zero=5)
    end = file.tensor([shape[axis] for axis in perm], "int8", scale=0.1, zero=5)
    file.op("TRANSPOSE", (start, file.constant(perm)), (end,))
    compare(file.written((start,), (end,)), tmp_path)


def test_a_depthwise_convolution_of_one_column(tmp_path: Path) -> None:
    """tensorflow #61815: kernel (3, 1), strides (2, 2), padding: the optimized kernel was wrong."""
    file = File()
    start, end = (
        file.tensor((1, 8, 8, 2), "int8", scale=0.1, zero=-9),
        file.tensor((1, 4, 4, 2), "int8", scale=0.2, zero=3),
    )
    told = (
        file.constant(weights(1, 3, 1, 2), "int8", scale=[0.01, 0.02], axis=3),
        file.constant([7, -9], "int32", scale=[0.001, 0.002]),
    )
    options = {"strideW": 2, "strideH": 2, "dilationWFactor": 1, "dilationHFactor": 1, "depthMultiplier": 1}
    file.op("DEPTHWISE_CONV_2D", (start, *told), (end,), 3, padding=SAME, **options)
    compare(file.written((start,), (end,)), tmp_path)


def test_scales_that_constant_nodes_make() -> None:
    """onnx2c #86: Brevitas gives QDQ its scales by nodes, as tensors without dimensions."""
    file = Onnx((1, 1, 12, 12), 13)

    def number(value: float, dtype: type) -> str:
        return file.add("Constant", outputs=1, value=onnx.numpy_helper.from_array(np.array(value, dtype)))

    def qdq(x: str, scale: float) -> str:
        told = (number(scale, np.float32), number(0, np.int8))
        return file.add("DequantizeLinear", file.add("QuantizeLinear", x, *told), *told)

    file.nodes.clear()
    x = qdq("x", 0.03)
    x = file.add("Relu", file.add("Conv", x, qdq(file.constant(w(4, 1, 5, 5)), 0.004), w(4)))
    x = file.add("MaxPool", qdq(x, 0.02), kernel_shape=[2, 2], strides=[2, 2])
    x = file.add("Gemm", file.add("Flatten", x), qdq(file.constant(w(3, 64)), 0.002), w(3), transB=1)
    qdq(x, 0.01)
    data, samples = file.data(), file.samples(20)
    made = read(data)
    assert made.source.graph.is_quantized
    ours, theirs = graph_of(made, samples)[0], onnxruntime_of(data, samples)[0]
    assert np.abs(ours - np.round(theirs / 0.01).reshape(ours.shape)).max() <= 1


def test_averages_of_series_between_quants() -> None:
    """hls4ml #1458: AvgPool1d of a model of Brevitas could not be read."""
    file = Qonnx((1, 4, 16), 11)
    file.add("Conv", file.quant("x", 0.02, 8), file.quant(w(6, 4, 3), 0.01, 4), w(6), pads=[1, 1])
    file.add("AveragePool", file.quant(file.add("Relu"), 0.03, 8, signed=0), kernel_shape=[2], strides=[2])
    x = file.quant(..., 0.025, 8, signed=0)
    file.add("AveragePool", x, kernel_shape=[8])
    file.add(
        "Gemm", file.add("Flatten", file.quant(..., 0.02, 8, signed=0)), file.quant(w(3, 6), 0.01, 4), w(3), transB=1
    )
    samples = file.samples(20)
    ours, theirs = graph_of(read(file.data()), samples)[0], onnxruntime_of(file.plain(), samples)[0]
    assert np.abs(ours - theirs.reshape(ours.shape)).max() <= 0.03


def squeezed() -> Onnx:
    """hls4ml #1054: a pool of a whole series, and a Squeeze of what is left of it."""
    file = Onnx((1, 5, 14))
    file.add("MaxPool", file.add("Relu", file.add("Conv", "x", w(6, 5, 3), w(6))), kernel_shape=[12], strides=[12])
    file.add("Gemm", file.add("Squeeze", ..., np.array([2], np.int64)), w(3, 6), w(3), transB=1)
    return file


def normalized() -> Onnx:
    """hls4ml #1045: a normalization behind a convolution without a bias, whose planes are as many as its rows."""
    file = Onnx((1, 4, 4, 4))
    file.add("Conv", "x", w(4, 4, 3, 3), pads=[1, 1, 1, 1])
    file.add("BatchNormalization", ..., w(4), w(4), w(4), np.abs(w(4)) + 1)
    file.add("Gemm", file.add("Flatten"), w(3, 64), w(3), transB=1)
    return file


def odd_pools() -> Onnx:
    """stm32ai-modelzoo #30: a convolution to odd sides, then pools of 3 that step by 2: its scratch was short."""
    file = Onnx((1, 3, 32, 32))
    file.add("Relu", file.add("Conv", "x", w(8, 3, 3, 3), w(8), strides=[2, 2]))
    file.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    squeeze = file.add("Relu", file.add("Conv", ..., w(4, 8, 1, 1), w(4)))
    wide = file.add("Relu", file.add("Conv", squeeze, w(8, 4, 3, 3), w(8), pads=[1, 1, 1, 1]))
    file.add("Concat", file.add("Relu", file.add("Conv", squeeze, w(8, 4, 1, 1), w(8))), wide, axis=1)
    file.add("MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    return file


@pytest.mark.parametrize("make", [squeezed, normalized, odd_pools])
def test_planes_and_series(make: Callable[[], Onnx]) -> None:
    made = assert_equal(make())
    if make is odd_pools:
        graph = made.source.graph
        x = np.random.default_rng(0).normal(size=(2, *graph.inputs[0].shape)).astype(np.float32)
        np.testing.assert_allclose(run_compiled(graph, x), graph.run(x), atol=1e-4)  # within the arena, too


@pytest.mark.parametrize(
    ("pads", "size", "counted", "expected"),
    [
        ([0, 3], 7, 1, [4.0, 39 / 7, 4.0]),
        ([0, 3], 7, 0, [4.0, 6.5, 8.0]),
    ],
)
def test_a_last_window_that_is_partly_outside(pads: list[int], size: int, counted: int, expected: list[float]) -> None:
    """onnxruntime #29631: padding on one side only, `ceil_mode`: what a window has beyond the padding never counts."""
    file = Onnx((1, 1, 9))
    told = {"kernel_shape": [size], "strides": [3], "pads": pads, "ceil_mode": 1, "count_include_pad": counted}
    file.add("AveragePool", "x", **told)
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 9)
    np.testing.assert_allclose(graph_of(read(file.data()), [x])[0].ravel(), expected, rtol=1e-6)


def test_edges_of_padded_sums_behind_sums(tmp_path: Path) -> None:
    """tvm #13364 (the back end of MLonMCU): a requantization was wrong at the edges of padded tensors."""
    file, options = File(), {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    start, inner = (
        file.tensor((1, 6, 5, 4), "int8", scale=0.1, zero=-128),
        file.tensor((1, 6, 5, 4), "int8", scale=0.3, zero=-128),
    )
    end = file.tensor((1, 6, 5, 4), "int8", scale=0.5, zero=11)
    spread = (
        file.constant(weights(1, 3, 3, 4), "int8", scale=[0.01, 0.02, 0.03, 0.04], axis=3),
        file.constant([9] * 4, "int32", scale=[0.001, 0.002, 0.003, 0.004]),
    )
    file.op(
        "DEPTHWISE_CONV_2D",
        (start, *spread),
        (inner,),
        3,
        padding=SAME,
        depthMultiplier=1,
        fusedActivationFunction=1,
        **options,
    )
    kernel = (
        file.constant(weights(4, 3, 3, 4, seed=1), "int8", scale=[0.01] * 4),
        file.constant([90] * 4, "int32", scale=[0.003] * 4),
    )
    file.op("CONV_2D", (inner, *kernel), (end,), 3, padding=SAME, **options)
    graph = compare(file.written((start,), (end,)), tmp_path).as_read
    x = reals_of(graph.inputs[0], 6)
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))
