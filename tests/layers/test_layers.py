"""Every layer, every data type: the C under the sanitizers gives the integers of `run`, and close floats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.models.keras.layers import CONVERTERS
from tests.compiled import run_compiled
from tests.graphs import Builder

Make = Callable[[Builder], object]


def _add(b: Builder, start: str) -> None:
    b.add("Add", b.conv(3, 1, start), b.conv(3, 3, start, padding="same"), start)


def _concatenate(b: Builder, start: str) -> None:
    b.add("Concatenate", b.conv(2, 1, start), start)


CASES: dict[str, tuple[tuple[int, ...], Make]] = {
    "Dense": ((7,), lambda b: b.dense(5, activation="relu")),
    "Dense on planes": ((5, 3), lambda b: b.dense(4)),
    "Conv1D same": ((9, 3), lambda b: b.conv(4, 3, padding="same", activation="relu")),
    "Conv1D causal": ((9, 3), lambda b: b.conv(4, 3, padding="causal")),
    "Conv1D stride": ((9, 3), lambda b: b.conv(4, 4, strides=2, padding="same", activation="relu6")),
    "Conv1D longer than its input": ((2, 3), lambda b: b.conv(4, 5, padding="same")),
    "Conv2D same": ((5, 6, 2), lambda b: b.conv(3, 3, padding="same")),
    "Conv2D groups": ((5, 6, 3), lambda b: b.conv(6, 2, groups=3, strides=2)),
    "DepthwiseConv1D": ((7, 3), lambda b: b.depthwise(3, 2)),
    "DepthwiseConv2D": ((7, 5, 3), lambda b: b.depthwise(3, padding="same", activation="relu")),
    "SeparableConv1D": ((7, 3), lambda b: b.separable(4)),
    "SeparableConv2D": ((7, 5, 3), lambda b: b.separable(4, padding="same", activation="relu6")),
    "MaxPooling1D": ((7, 3), lambda b: b.add("MaxPooling1D", pool_size=3, strides=2, padding="same")),
    "MaxPooling2D": ((7, 6, 3), lambda b: b.add("MaxPooling2D", pool_size=(3, 2), padding="same")),
    "AveragePooling1D": ((7, 3), lambda b: b.add("AveragePooling1D", pool_size=3, strides=2, padding="same")),
    "AveragePooling2D": ((7, 6, 3), lambda b: b.add("AveragePooling2D", pool_size=(3, 2), padding="same")),
    "GlobalMaxPooling1D": ((7, 3), lambda b: b.add("GlobalMaxPooling1D")),
    "GlobalMaxPooling2D": ((3, 4, 3), lambda b: b.add("GlobalMaxPooling2D")),
    "GlobalAveragePooling1D": ((7, 3), lambda b: b.add("GlobalAveragePooling1D")),
    "GlobalAveragePooling2D": ((3, 4, 3), lambda b: b.add("GlobalAveragePooling2D")),
    "BatchNormalization": ((4, 3), lambda b: b.normalization()),
    "Rescaling": ((4, 3), lambda b: b.add("Rescaling", scale=0.7, offset=-0.2)),
    "ReLU": ((4, 3), lambda b: b.add("ReLU")),
    "ReLU6": ((4, 3), lambda b: b.add("ReLU", max_value=0.6)),
    "Activation": ((4, 3), lambda b: b.add("Activation", activation="relu6")),
    "Softmax": ((4, 3), lambda b: b.add("Softmax")),
    "Flatten": ((4, 3), lambda b: b.add("Flatten")),
    "Reshape": ((4, 3), lambda b: b.add("Reshape", target_shape=(2, -1))),
    "ZeroPadding1D": ((4, 3), lambda b: b.add("ZeroPadding1D", padding=(1, 2))),
    "ZeroPadding2D": ((4, 3, 2), lambda b: b.add("ZeroPadding2D", padding=((1, 2), (0, 1)))),
    "Add": ((4, 3), lambda b: _add(b, b.last.name)),
    "Concatenate": ((4, 3), lambda b: _concatenate(b, b.last.name)),
}


@pytest.mark.parametrize("name", CASES)
def test_c_equals_run(name: str) -> None:
    shape, make = CASES[name]
    for fuse, spread in ((False, 1.0), (True, 30.0)):
        builder = Builder(shape, seed=int(fuse), spread=spread)
        make(builder)
        graph = optimize(builder.graph()) if fuse else builder.graph()
        x = builder.samples(16)
        x[12:] *= 100
        for data_type in ("int8", "int16", "int9")[fuse:]:
            quantized = quantize(graph, x[:12], data_type)
            np.testing.assert_array_equal(run_compiled(quantized, x, sanitize="undefined"), quantized.run(x))
    expected = graph.run(x)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(run_compiled(graph, x, sanitize="undefined"), expected, rtol=1e-5, atol=1e-5 * scale)


def test_every_layer_has_a_case() -> None:
    tested = {name.split()[0] for name in CASES}
    assert set(CONVERTERS) <= tested
