"""Models of integers, QDQ and QOperator, as onnxruntime makes them: within a step or two of what it computes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.models.onnx.convert import ROUNDING, Converted
from mcusim.numbers.affine import Affine
from mcusim.system.arrays import Array
from mcusim.system.errors import McusimError, ModelError
from tests.compiled import run_compiled
from tests.onnx_files import File, graph_of, mutated, onnx, onnxruntime_of, read
from tests.onnx_graphs import assert_chain_equal, chain_of, quantized, steps_of_layers, w

quantization = pytest.importorskip("onnxruntime.quantization")
EXAMPLES = int(os.environ.get("MCUSIM_GRAPHS", "12"))
SPELLINGS = ("QDQ", "QOperator")


def network() -> File:
    file = File((1, 3, 10, 9), 13)
    file.add("Conv", ..., w(8, 3, 3, 3), w(8), pads=[1, 1, 1, 1])
    first = file.add("Relu")
    file.add("Conv", ..., w(8, 1, 3, 3) * 2, w(8), group=8, strides=[2, 2], pads=[1, 1, 1, 1])
    file.add("Clip", ..., np.float32(0), np.float32(6))
    second = file.add("Conv", ..., w(8, 8, 1, 1), w(8))
    file.add("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    file.add("Add", ..., second)
    file.add("Relu")
    third = file.add("Sigmoid")
    file.add("Mul", ..., second)
    file.add("Concat", ..., third, axis=1)
    file.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    file.add("GlobalAveragePool")
    file.add("Flatten")
    file.add("Gemm", ..., w(7, 16), w(7), transB=1)
    file.add("MatMul", ..., w(7, 5))
    file.add("Add", ..., w(5))
    return file


def off(made: Converted, data: bytes, samples: list[Array]) -> tuple[float, float]:
    """The mean and the largest difference from onnxruntime, in steps of the output; a real one has 128 of them."""
    graph = made.source.graph
    found = []
    theirs = onnxruntime_of(data, samples)
    for end, one, other in zip(graph.ends, graph_of(made, samples), theirs, strict=True):
        numbers = end.numbers
        step = numbers.scale if isinstance(numbers, Affine) else float(np.ptp(other)) / 128
        real = numbers.decode(one) if isinstance(numbers, Affine) else one
        found.append(np.abs(real - other).reshape(-1) / step)
    steps = np.concatenate(found)
    return float(steps.mean()), float(steps.max())


def close(steps: tuple[float, float]) -> bool:
    """Roundings of single layers add up; a layer that computes anything else is far off everywhere."""
    return steps[0] < 1 and steps[1] < 16


def real_layers(graph: Graph) -> list[str]:
    return [layer.name for layer in graph if layer.numbers is None]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("own", [{}, {"per_channel": False}, {"activation_type": quantization.QuantType.QUInt8}])
def test_a_network_of_integers(tmp_path: Path, spelling: str, own: dict[str, Any]) -> None:
    file = network()
    data = quantized(file, tmp_path, spelling, **own)
    made = read(data)
    graph = made.source.graph
    assert (graph.data_type, graph.scheme, graph.notes) == ("int8", "affine", (ROUNDING,))
    assert real_layers(graph) == [] and close(off(made, data, file.samples(16)))
    found = steps_of_layers(made, data, file.samples(16))
    assert len(found) >= 12 and all(steps.max() <= 1 for steps in found.values())
    kinds = [layer.kind for layer in graph]
    assert kinds.count("Conv2D") == 2 and kinds.count("DepthwiseConv2D") == 1 and "ReLU" not in kinds


def test_weights_and_biases_are_those_of_the_file(tmp_path: Path) -> None:
    """Bit for bit, in the order of kernels; the zero of the inputs is taken out of the bias."""
    data = quantized(network(), tmp_path, "QOperator")
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load_from_string(data).graph.initializer}
    node = next(one for one in onnx.load_from_string(data).graph.node if one.op_type == "QLinearConv")
    layer: Any = next(one for one in read(data).source.graph if one.kind == "Conv2D")
    kernel, zero = arrays[node.input[3]], int(arrays[node.input[2]])
    assert (layer.kernel == kernel.transpose(0, 2, 3, 1)).all() and layer.zero == zero
    sums = kernel.reshape(len(kernel), -1).astype(np.int64).sum(axis=1)
    assert (layer.bias == arrays[node.input[8]] - zero * sums).all()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_c_computes_it_too(tmp_path: Path, spelling: str) -> None:
    file = network()
    made = read(quantized(file, tmp_path, spelling))
    graph = made.source.graph
    x = np.ascontiguousarray(file.samples(6)[0].transpose(0, 2, 3, 1)) * 3
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


def test_what_has_no_arithmetic_on_integers_is_computed_with_reals(tmp_path: Path) -> None:
    """A softmax that only the float model has, and one tensor that is read both ways."""
    file = File((1, 6, 5), 13)
    conv = file.add("Conv", ..., w(4, 6, 3), w(4))
    file.add("Softmax", axis=1)
    file.add("Mul", ..., conv)
    file.add("Flatten")
    file.add("Gemm", ..., w(3, 12), w(3), transB=1)
    data = quantized(file, tmp_path, "QDQ", op_types_to_quantize=["Conv", "Gemm"])
    made = read(data)
    assert {"Softmax", "Multiply"} <= {layer.kind for layer in made.source.graph if layer.numbers is None}
    assert close(off(made, data, file.samples(16)))


def test_integer_inputs_are_read() -> None:
    """An int8 model without a float end: samples are reals, which it is told the scale of."""
    file = File((1, 4), 13)
    file.add("DequantizeLinear", ..., np.float32(0.5), np.int8(3))
    file.add("Relu")
    file.add("QuantizeLinear", ..., np.float32(0.25), np.int8(-10))
    model = file.model()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    graph = read(model.SerializeToString()).source.graph
    assert graph.layers[0].numbers == Affine(8, 0.5, 3) and graph.layers[-1].numbers == Affine(8, 0.25, -10)
    x = np.array([[-1.0, 0.0, 2.5, 9.0]], np.float32)
    assert graph.run(x).tolist() == [[-10, -10, 0, 26]]


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_random_chains(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    spelling = data.draw(st.sampled_from(SPELLINGS))
    assert_chain_equal(chain_of(data), tmp_path_factory.mktemp("grown"), spelling)


# -- what cannot be ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_mutated_models_are_read_or_refused(tmp_path: Path, spelling: str) -> None:
    model, random = onnx.load_from_string(quantized(network(), tmp_path, spelling)), np.random.default_rng(0)
    for _ in range(150):
        try:
            read(mutated(model, random))
        except McusimError as error:
            assert error.hint


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_scales_that_are_no_numbers(scale: float) -> None:
    file = File((1, 4), 13)
    file.add("Relu")
    file.add("QuantizeLinear", ..., np.float32(scale), np.int8(0))
    file.add("DequantizeLinear", ..., np.float32(scale), np.int8(0))
    with pytest.raises(ModelError, match="scale"):
        read(file.data())


def test_numbers_that_have_no_arithmetic_here() -> None:
    for scale, zero in ((np.ones(4, np.float32), np.zeros(4, np.int8)), (np.float32(1), np.uint16(0))):
        file = File((1, 4), 21)
        file.add("QuantizeLinear", ..., scale, zero)
        with pytest.raises(ModelError, match="stores"):
            read(file.data())


def test_a_tensor_is_read_in_the_numbers_that_it_has() -> None:
    file = File((1, 4), 13)
    file.add("QuantizeLinear", ..., np.float32(1), np.int8(0))
    file.add("DequantizeLinear", ..., np.float32(2), np.int8(0))
    with pytest.raises(ModelError, match="other numbers"):
        read(file.data())


def test_scales_that_are_computed_are_refused() -> None:
    file = File((1, 4), 13)
    file.add("DynamicQuantizeLinear", outputs=3)
    names = list(file.nodes[-1].output)
    file.add("DequantizeLinear", *names)
    with pytest.raises(ModelError) as caught:
        read(file.data())
    assert "quantize_static" in str(caught.value.hint)


def summed(kind: str, zero: int, reshaped: bool = False) -> File:
    """What old tools write of static scales: QuantizeLinear, a sum of integers, and both scales behind it."""
    conv = kind == "ConvInteger"
    file, random = File((1, 4, 6, 6) if conv else (1, 12), 13), np.random.default_rng(0)
    q = file.add("QuantizeLinear", "x", np.float32(0.05), np.uint8(zero))
    if conv:
        q = file.add("MaxPool", q, kernel_shape=[2, 2])
    kernel = file.constant(random.integers(0, 255, (5, 4, 3, 3) if conv else (12, 5)), np.uint8)
    if reshaped:
        reals = np.asarray(random.normal(size=(3, 4, 5)), np.float32)
        kernel = file.add(
            "QuantizeLinear", file.add("Reshape", reals, np.array([12, 5])), np.float32(0.02), np.uint8(120)
        )
    file.add(kind, q, kernel, np.uint8(zero), np.uint8(120))
    file.add("Mul", file.add("Cast", to=1), np.float32(0.05 * 0.02))
    return file


@pytest.mark.parametrize("zero", [0, 119])
@pytest.mark.parametrize(("kind", "own"), [("ConvInteger", False), ("MatMulInteger", False), ("MatMulInteger", True)])
def test_sums_of_integers_with_static_scales(kind: str, own: bool, zero: int) -> None:
    """The scale of what they read was multiplied twice."""
    file = summed(kind, zero, own)
    data, x = file.data(), file.samples(6)
    (ours,), (theirs,) = graph_of(read(data), x), onnxruntime_of(data, x)
    np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-5, atol=1e-5)


def test_sums_of_integers_that_nobody_scales_are_refused() -> None:
    file = summed("MatMulInteger", 7)
    file.nodes[1].input[2] = file.constant(8, np.uint8)
    with pytest.raises(ModelError, match="other numbers"):
        read(file.data())
    file.nodes[1].input[0] = "x"
    with pytest.raises(ModelError, match="reads integers that no QuantizeLinear makes"):
        read(file.data())
