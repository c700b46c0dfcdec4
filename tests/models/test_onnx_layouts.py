"""How tensors of ONNX lie in memory: channels last, with few copies, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.layers.strided_copy import StridedCopy
from mcusim.line.float_proof import compare
from mcusim.line.optimize import optimize
from mcusim.models import read_model
from mcusim.models.onnx import reference
from mcusim.models.onnx.convert import Converted
from mcusim.models.onnx.recurrent import KINDS
from mcusim.models.source import Order
from tests.onnx_files import File, assert_equal, ints, onnxruntime, w


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


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("shape", [(10, 1, 5), (10, 4, 5), ("steps", 1, 5)])
def test_an_input_that_begins_with_steps_is_one_sample(kind: str, shape: tuple[Any, ...], tmp_path: Path) -> None:
    """As PyTorch's recurrent layers have it: taken for ten samples of one step each, it was silently another model."""
    gates = KINDS[kind].GATES
    file = File(shape)
    file.add("MatMul", ..., w(5, 6))
    y = file.add(kind, ..., w(1, 3 * gates, 6), w(1, 3 * gates, 3), hidden_size=3, outputs=2)
    file.add("Squeeze", y, ints(1))
    path, told = file.write(tmp_path / "model.onnx"), {} if shape[0] == 10 else {"": (10, 5)}
    source, x = read_model(path, "model", told), w(2, 10, 5)
    assert source.graph.inputs[0].shape == (10, 5)
    session = onnxruntime.InferenceSession(file.data())
    (theirs,) = zip(*(session.run(None, {"x": np.repeat(one[:, None], shape[1], 1)}) for one in x), strict=True)
    assert np.abs(source.graph.run(x).reshape(2, 10, 3) - np.stack(theirs)[:, :, 0]).max() < 2e-5
    values = reference.values(path, [x], list(source.origins.values()))
    assert compare(source, x, values, "onnxruntime", path) < 2e-5
