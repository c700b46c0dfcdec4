"""What takes places of an axis at various distances: Gather, Resize by any factor, pooling with gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.line.quantize import quantize
from mcusim.system.errors import ModelError
from tests.compiled import run_compiled
from tests.onnx_files import PLANE, SERIES, File, assert_equal, ints, one, read, w

MODES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def resized(shape: tuple[int, ...], sizes: tuple[int, ...], **settings: Any) -> File:
    return one(shape, "Resize", None, None, ints(1, shape[1], *sizes), opset=18, **settings)


CASES = [
    *(one(PLANE, "Gather", ints(0, 3, 1, 1, 2), axis=axis) for axis in (1, 2, 3)),
    one(SERIES, "Gather", ints(-1, 0, 5, 6, 7, 2), axis=2),
    *(
        resized(PLANE, sizes, coordinate_transformation_mode=mode, nearest_mode=rounding)
        for sizes, mode, rounding in (
            *(((5, 9), mode, rounding) for mode in MODES for rounding in ROUNDINGS),
            *(((14, 4), mode, "floor") for mode in MODES),
        )
    ),
    resized((1, 2, 6, 9), (10, 15), coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    resized(SERIES, (17,)),
    one(PLANE, "Resize", None, np.float32([1, 1, 1.5, 0.7]), opset=18),
    *(
        resized(PLANE, sizes, mode="linear", coordinate_transformation_mode=mode)
        for sizes in ((9, 5), (14, 12), (3, 13))
        for mode in MODES
    ),
    resized(SERIES, (22,), mode="linear"),
    resized(SERIES, (7,), mode="linear", coordinate_transformation_mode="align_corners"),
    *(
        one(shape, "MaxPool", kernel_shape=size, dilations=gaps, opset=19, **settings)
        for shape, size, gaps, settings in (
            (PLANE, [3, 2], [2, 3], {}),
            (PLANE, [2, 2], [2, 1], {"strides": [2, 2], "pads": [1, 0, 1, 1]}),
            (PLANE, [3, 3], [2, 2], {"strides": [2, 3], "pads": [2, 2, 2, 2], "ceil_mode": 1}),
            (SERIES, [3], [4], {"strides": [2], "pads": [1, 2]}),
        )
    ),
    *(
        one(PLANE, "AveragePool", kernel_shape=[2, 3], dilations=[3, 2], opset=19, **settings)
        for settings in ({}, {"strides": [2, 1], "pads": [1, 2, 1, 0], "count_include_pad": 1})
    ),
]


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.nodes[0].op_type)
def test_it_computes_what_onnxruntime_does(file: File) -> None:
    assert_equal(file)


def test_c_computes_it_too() -> None:
    """All of them side by side, on reals and on integers of ours."""
    file = File((1, 2, 6, 9), 19)
    ends = []
    for case in CASES:
        if case.shape == file.shape:
            file.last = "x"
            file.append(case)
            ends.append(file.last)
    file.last = "x"
    ends.append(file.add("MaxPool", kernel_shape=[2, 2], dilations=[2, 3], pads=[1, 1, 1, 1]))
    file.last = "x"
    sizes = ints(1, 2, 7, 5)
    ends.append(file.add("Resize", ..., None, None, sizes, mode="linear"))
    graph = read(file.data(*ends)).source.graph
    x = np.random.default_rng(0).normal(size=(8, *graph.inputs[0].shape)).astype(np.float32)
    for quantized in (graph, quantize(graph, x, "int8")):
        ours, c = quantized.run(x), run_compiled(quantized, x)
        for name in ours.dtype.names or ():
            np.testing.assert_allclose(c[name], ours[name], rtol=0, atol=1e-6 if quantized is graph else 0)


def embedding() -> File:
    file = File((1, 6))
    file.add("Gather", w(50, 4), ..., axis=0)
    return file


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (embedding(), "rows of a table"),
        (one((1, 2, 200), "Gather", ints(*np.random.default_rng(0).permutation(200)), axis=2), "various distances"),
        (one(PLANE, "Gather", ints(9), axis=3), "places 9 to 9"),
        (one(PLANE, "AveragePool", kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 1, 1, 1], opset=19), "outside"),
        (one(PLANE, "MaxPool", kernel_shape=[2, 2], dilations=[2, 2], auto_pad="SAME_UPPER"), "by itself"),
        (resized(PLANE, (9, 5), mode="cubic"), "mode 'cubic'"),
        (one(PLANE, "Resize", None, np.float32([1, 2, 1, 1]), mode="linear"), "rows and columns"),
        (one(PLANE, "PRelu", w(3, 1, 1)), "no larger"),
    ],
)
def test_what_is_refused(file: File, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        read(file.data())
