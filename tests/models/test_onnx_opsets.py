"""One model at every opset that is read: operators whose arguments have moved since give the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.onnx_files import File, assert_equal, graph_of, read


def of_opset_7() -> File:
    """What later opsets say otherwise: Clip, Slice, Squeeze, ReduceMean, Softmax, batch normalization."""
    file = File((1, 3, 8, 8), opset=7)
    file.add("Conv", ..., file.numbers(4, 3, 3, 3), file.numbers(4), pads=[1, 1, 1, 1])
    file.add("BatchNormalization", ..., *(file.numbers(4) for _ in range(3)), np.abs(file.numbers(4)) + 1)
    file.add("Clip", ..., min=0.0, max=1.5)
    file.add("MaxPool", ..., kernel_shape=[2, 2], strides=[2, 2])
    file.add("Dropout", ...)
    file.add("Slice", ..., axes=[2], starts=[0], ends=[3])
    file.add("Conv", ..., file.numbers(4, 1, 3, 3), group=4, auto_pad="SAME_UPPER")
    file.add("ReduceMean", ..., axes=[2], keepdims=1)
    file.add("Squeeze", ..., axes=[2])
    file.add("Flatten", ...)
    file.add("Gemm", ..., file.numbers(5, 16), file.numbers(5), transB=1)
    file.add("Softmax", ..., axis=1)
    return file


def test_a_model_gives_the_same_numbers_at_every_opset() -> None:
    """onnxruntime runs it at the first; onnx's own converter makes the others, as far as it knows the way."""
    file = of_opset_7()
    x, wanted = file.samples(20), assert_equal(file)
    first, converter = file.model(), pytest.importorskip("onnx.version_converter")
    for opset in range(8, 24):
        later = converter.convert_version(first, opset)
        assert later.opset_import[0].version == opset
        made = read(later.SerializeToString())
        np.testing.assert_array_equal(graph_of(made, x)[0], graph_of(wanted, x)[0], err_msg=f"opset {opset}")
