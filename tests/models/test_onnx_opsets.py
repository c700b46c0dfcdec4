"""One model at every opset that is read: operators whose arguments have moved since give the same numbers."""

from __future__ import annotations

from typing import Any

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


def said_at(opset: int) -> File:
    """What opset 7 says otherwise than those before: how operands broadcast, settings of training, defaults."""
    file, old = File((1, 4, 8, 8), opset), opset < 7
    gone: dict[str, Any] = {"consumed_inputs": [0]} if opset < 6 else {}
    aside, behind = ({"broadcast": 1, "axis": 1, **gone}, {"broadcast": 1, **gone}) if old else ({}, {})
    tested = {"is_test": 1, **gone} if old else {}
    by_channel = (4,) if old else (4, 1, 1)
    file.add("Conv", ..., file.numbers(4, 4, 3, 3), pads=[1, 1, 1, 1])
    file.add("Add", ..., file.numbers(*by_channel), **aside)
    file.add("BatchNormalization", ..., *(file.numbers(4) for _ in range(3)), np.abs(file.numbers(4)) + 1, **tested)
    file.add("PRelu", ..., file.numbers(*by_channel), **gone)
    file.add("Mul", ..., file.numbers(8, 8), **behind)
    same = file.add("Dropout", ..., **tested)
    file.add("Selu", ..., **gone) if opset < 6 else file.add("Selu", ..., alpha=1.6732, gamma=1.0507)
    file.add("Concat", same, ..., **({} if opset < 4 else {"axis": 1}))
    file.add("GlobalAveragePool")
    file.add("Reshape", ..., shape=[1, 8]) if opset < 5 else file.add("Reshape", ..., np.array([1, 8]))
    file.add("Cast", ..., to="DOUBLE" if opset < 6 else 11)
    file.add("Cast", ..., to="FLOAT" if opset < 6 else 1)
    file.add("Gemm", ..., file.numbers(8, 5), file.numbers(5), **({"broadcast": 1} if old else {}))
    return file


def test_what_opset_7_says_is_said_before_it() -> None:
    file = said_at(7)
    x, wanted = file.samples(20), assert_equal(file)
    for opset in (1, 3, 5, 6):
        made = read(said_at(opset).data())
        np.testing.assert_array_equal(graph_of(made, x)[0], graph_of(wanted, x)[0], err_msg=f"opset {opset}")


def test_operands_of_old_opsets_that_are_computed_broadcast_by_axis() -> None:
    made = {}
    for opset in (6, 7):
        file = File((1, 4, 8, 8), opset)
        x = file.add("Conv", ..., file.numbers(4, 4, 3, 3))
        file.add("GlobalAveragePool")
        file.add("Squeeze", ..., axes=[0, 2, 3]) if opset < 7 else ...
        file.add("Mul", x, ..., **({"broadcast": 1, "axis": 1} if opset < 7 else {}))
        made[opset] = graph_of(read(file.data()) if opset < 7 else assert_equal(file), file.samples(5))[0]
    np.testing.assert_array_equal(made[6], made[7])
