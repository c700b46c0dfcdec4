"""Nodes of ONNX that exporters write in the place of one layer, or to compute a shape."""

from __future__ import annotations

import numpy as np
import pytest

from tests.onnx_files import File, assert_equal, ints, w


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
