"""Models that onnxruntime's tools quantize with other options: of 16 bits, with weights of reals, as they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.line.float_proof import start_proof
from mcusim.line.front import read_model
from mcusim.line.optimize import optimize
from mcusim.line.stored import with_types
from mcusim.models.onnx.dynamic import AT_RUN_TIME
from mcusim.system.errors import ModelError
from tests.compiled import run_compiled
from tests.models.test_onnx_integers import network, off, real_layers
from tests.onnx_files import File, graph_of, onnxruntime_of, read
from tests.onnx_graphs import quantized, w

quantization = pytest.importorskip("onnxruntime.quantization")
KINDS = quantization.QuantType
SYMMETRIC: dict[str, Any] = {"activation_type": KINDS.QInt16, "extra_options": {"ActivationSymmetric": True}}


def merging() -> File:
    file = File((1, 4, 8, 8), 13)
    first = file.add("Conv", ..., w(6, 4, 3, 3), w(6), pads=[1, 1, 1, 1])
    second = file.add("LeakyRelu", alpha=0.2)
    third = file.add("Conv", ..., w(6, 6, 1, 1), w(6))
    file.add("Mul", second, third)
    file.add("Add", ..., first)
    file.add("Sub", ..., second)
    file.add("Relu")
    file.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    file.add("GlobalAveragePool")
    file.add("Flatten")
    file.add("Gemm", ..., w(5, 6), w(5), transB=1)
    return file


def test_weights_that_are_quantized_in_the_file(tmp_path: Path) -> None:
    """QuantizeLinear of a constant is one, and gives what the tool itself stores."""
    file = network()
    paired = read(quantized(file, tmp_path, "QDQ", extra_options={"AddQDQPairToWeight": True})).source.graph
    stored = read(quantized(file, tmp_path, "QDQ")).source.graph
    x = np.random.default_rng(0).normal(size=(8, *stored.inputs[0].shape)).astype(np.float32)
    assert real_layers(paired) == [] and np.abs(paired.run(x).astype(int) - stored.run(x)).max() <= 1


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ({"per_channel": True}, "w8a16"),
        ({"per_channel": False}, "w8a16"),
        ({"weight_type": KINDS.QInt16, "per_channel": False}, "int16"),
    ],
)
def test_activations_of_16_bits(own: dict[str, Any], name: str, tmp_path: Path) -> None:
    """Within a few of the 32,768 steps that onnxruntime has. Weights of 16 bits have sums of 64."""
    for file in (merging(), network()):
        data = quantized(file, tmp_path, "QDQ", **{**SYMMETRIC, **own})
        made = read(data)
        assert off(made, data, file.samples(16))[1] <= 4
        source = with_types(made.source)
        assert source.graph.data_type == name
        sums = [layer for layer in source.graph if isinstance(layer, (Convolution, Dense))]
        assert sums and {layer.kernel.dtype.itemsize for layer in sums} == {1 if name == "w8a16" else 2}
    graph = optimize(source.graph)
    x = np.random.default_rng(0).normal(size=(8, *graph.inputs[0].shape)).astype(np.float32)
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


def test_16_bits_with_a_zero_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="stores int16 with the zero") as caught:
        read(quantized(network(), tmp_path, "QDQ", activation_type=KINDS.QInt16))
    assert "ActivationSymmetric" in str(caught.value.hint)


@pytest.mark.parametrize("own", [{}, {"weight_type": KINDS.QUInt8}, {"per_channel": True}])
@pytest.mark.parametrize("make", [network, merging])
def test_what_is_quantized_as_it_runs_is_of_reals(make: Any, own: dict[str, Any], tmp_path: Path) -> None:
    """Its weights are those of the file; onnxruntime is half a percent off, which is no proof."""
    file, path = make(), tmp_path / "m.onnx"
    quantization.quantize_dynamic(file.write(tmp_path / "float.onnx"), path, **own)
    source = read_model(path)
    assert AT_RUN_TIME in source.graph.notes and source.graph.data_type == "float32"
    x = file.samples(8)
    (ours,), (theirs,) = graph_of(read(path.read_bytes()), x), onnxruntime_of(path.read_bytes(), x)
    assert np.abs(ours - theirs).max() <= 0.05 * np.abs(theirs).max()
    assert (
        start_proof(path, source, np.zeros((1, *source.graph.inputs[0].shape), np.float32), None)().reason
        == AT_RUN_TIME
    )  # type: ignore[arg-type]
