"""Every layer, every data type: the C under the sanitizers gives the integers of `run`, and close floats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mcusim.graph import Graph, Layer, Output
from mcusim.layers.bilinear_resize import BilinearResize
from mcusim.layers.recurrent import Recurrent
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.models.keras.activations import ACTIVATIONS
from mcusim.models.keras.layers import CONVERTERS
from mcusim.models.tflite.resizing import steps_of
from mcusim.system.arrays import Array
from mcusim.system.contents import digest_of
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.graphs import Builder

Make = Callable[[Builder], object]


def _add(b: Builder, start: str) -> None:
    b.add("Add", b.conv(3, 1, start), b.conv(3, 3, start, padding="same"), start)


def _merged(b: Builder, kind: str, axes: str, *, first: bool = False) -> None:
    """With a tensor that has the axes marked with +, length 1 where there is a -, and lacks those before."""
    start = b.last
    shape = tuple(size if mark == "+" else 1 for size, mark in zip(start.shape[-len(axes) :], axes, strict=True))
    b.add("GlobalAveragePooling2D")
    b.dense(int(np.prod(shape)))
    small = b.add("Reshape", target_shape=shape) if shape != b.last.shape else b.last.name
    b.add(kind, *((small, start.name) if first else (start.name, small)))


def _pair(b: Builder, kind: str, count: int = 2) -> None:
    """The input, and convolutions of it."""
    start = b.last.name
    b.add(kind, *(b.conv(3, 1, start) for _ in range(count - 1)), start)


def _square(b: Builder) -> None:
    b.add("Multiply", b.last.name, b.last.name)


def _functions(b: Builder) -> None:
    """Side by side, but for the exponential, which would leave the others no bits."""
    start = b.last.name
    names = [name for name in ACTIVATIONS if name not in ("linear", "softmax", "exponential", "swish", "hard_swish")]
    for name in names:
        b.add("Activation", start, activation=name)
    b.add("Concatenate", *(layer.name for layer in b.layers[-len(names) :]))


def _prelu(b: Builder, axes: str) -> None:
    shape = [size if mark == "+" else 1 for size, mark in zip(b.last.shape, axes, strict=True)]
    b.add("PReLU", arrays=(b.weights(*shape, fan_in=1),))


def _concatenate(b: Builder, start: str) -> None:
    b.add("Concatenate", b.conv(2, 1, start), start)


def _concatenate_along(b: Builder, axis: int) -> None:
    start, channels = b.last.name, b.last.shape[-1]
    b.add("Concatenate", b.conv(channels, 1, start), b.add("ReLU", start), start, axis=axis)


def _shuffle(b: Builder) -> None:
    """The channels of ShuffleNet: groups of 3 as groups of 2."""
    b.add("Reshape", target_shape=(4, 3, 2, 3))
    b.add("Permute", dims=(1, 2, 4, 3))
    b.add("Reshape", target_shape=(4, 3, 6))


def _resized(b: Builder) -> None:
    """To sizes that are no multiples: no layer of Keras' that is read."""
    (height, width, channels), sizes = b.last.shape, (7, 5)
    rows, columns = (steps_of(True, have, want, False, True) for have, want in zip((height, width), sizes, strict=True))
    own = {"name": "resized", "inputs": (b.last.name,), "shape": (*sizes, channels), "input_shape": b.last.shape}
    b.layers.append(BilinearResize(**own, rows=rows, columns=columns))  # type: ignore[arg-type]


def _grouped(b: Builder) -> None:
    channels = b.last.shape[-1]
    b.add("GroupNormalization", groups=3, arrays=(b.weights(channels, fan_in=1), b.bias(channels)))


CASES: dict[str, tuple[tuple[int, ...], Make]] = {
    "Dense": ((7,), lambda b: b.dense(5, activation="relu")),
    "Dense on planes": ((5, 3), lambda b: b.dense(4)),
    "Conv1D same": ((9, 3), lambda b: b.conv(4, 3, padding="same", activation="relu")),
    "Conv1D causal": ((9, 3), lambda b: b.conv(4, 3, padding="causal")),
    "Conv1D stride": ((9, 3), lambda b: b.conv(4, 4, strides=2, padding="same", activation="relu6")),
    "Conv1D longer than its input": ((2, 3), lambda b: b.conv(4, 5, padding="same")),
    "Conv1D dilation": ((11, 3), lambda b: b.conv(4, 3, padding="same", dilation_rate=2)),
    "Conv1D causal dilation": ((9, 3), lambda b: b.conv(4, 3, padding="causal", dilation_rate=3)),
    "Conv1D dilation beyond its input": ((4, 3), lambda b: b.conv(4, 5, padding="same", dilation_rate=7)),
    "Conv2D dilation": ((7, 6, 2), lambda b: b.conv(3, 3, padding="same", dilation_rate=(2, 1))),
    "Conv2D groups dilation": ((7, 6, 3), lambda b: b.conv(6, 2, groups=3, dilation_rate=(1, 3))),
    "Conv1DTranspose": ((5, 3), lambda b: b.transposed(4, 3, strides=2, padding="same", activation="relu")),
    "Conv1DTranspose dilation": ((5, 3), lambda b: b.transposed(4, 3, dilation_rate=2)),
    "Conv2DTranspose": ((3, 4, 2), lambda b: b.transposed(3, 3, strides=(2, 3))),
    "Conv2DTranspose gaps": ((3, 4, 2), lambda b: b.transposed(3, 2, strides=3, padding="same", output_padding=1)),
    "Conv2D same": ((5, 6, 2), lambda b: b.conv(3, 3, padding="same")),
    "Conv2D groups": ((5, 6, 3), lambda b: b.conv(6, 2, groups=3, strides=2)),
    "DepthwiseConv1D": ((7, 3), lambda b: b.depthwise(3, 2)),
    "DepthwiseConv2D dilation": ((7, 5, 3), lambda b: b.depthwise(3, padding="same", dilation_rate=2)),
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
    "BatchNormalization of rows": ((4, 3), lambda b: b.normalization(axis=[1])),
    "LayerNormalization": ((4, 3), lambda b: b.standardization()),
    "LayerNormalization of planes": ((4, 3, 2), lambda b: b.standardization(axis=[2, 3], epsilon=1.0)),
    "LayerNormalization of vectors": ((31,), lambda b: b.standardization(epsilon=0.0)),
    "GroupNormalization": ((4, 3, 6), _grouped),
    "Normalization": ((4, 3), lambda b: b.add("Normalization", mean=[1.0, -2.0, 0.5], variance=[4.0, 1.0, 0.2])),
    "Normalization back": ((4, 3), lambda b: b.add("Normalization", axis=None, mean=0.5, variance=2.0, invert=True)),
    "ReLU": ((4, 3), lambda b: b.add("ReLU")),
    "ReLU6": ((4, 3), lambda b: b.add("ReLU", max_value=0.6)),
    "Activation": ((4, 3), lambda b: b.add("Activation", activation="relu6")),
    "LeakyReLU": ((4, 3), lambda b: b.add("LeakyReLU", negative_slope=0.3)),
    "ELU": ((4, 3), lambda b: b.add("ELU", alpha=0.7)),
    "Activation functions": ((4, 3), _functions),
    "ThresholdedReLU": ((4, 3), lambda b: b.add("ThresholdedReLU", theta=0.2)),
    "ReLU with a slope": ((4, 3), lambda b: b.add("ReLU", negative_slope=0.1, threshold=0.3, max_value=1.5)),
    "Dense with an activation": ((7,), lambda b: b.dense(5, activation="sigmoid")),
    "Softmax": ((4, 3), lambda b: b.add("Softmax")),
    "Flatten": ((4, 3), lambda b: b.add("Flatten")),
    "Reshape": ((4, 3), lambda b: b.add("Reshape", target_shape=(2, -1))),
    "ZeroPadding1D": ((4, 3), lambda b: b.add("ZeroPadding1D", padding=(1, 2))),
    "ZeroPadding2D": ((4, 3, 2), lambda b: b.add("ZeroPadding2D", padding=((1, 2), (0, 1)))),
    "Cropping1D": ((7, 3), lambda b: b.add("Cropping1D", cropping=(1, 2))),
    "Cropping2D": ((5, 6, 2), lambda b: b.add("Cropping2D", cropping=((0, 2), (2, 1)))),
    "Permute": ((4, 3), lambda b: b.add("Permute", dims=(2, 1))),
    "Permute images": ((4, 3, 2), lambda b: b.add("Permute", dims=(3, 1, 2))),
    "Permute channels": ((4, 3, 6), _shuffle),
    "Permute nothing": ((4, 3, 1), lambda b: b.add("Permute", dims=(1, 3, 2))),
    "RepeatVector": ((5,), lambda b: b.add("RepeatVector", n=3)),
    "UpSampling1D": ((4, 3), lambda b: b.add("UpSampling1D", size=3)),
    "UpSampling2D": ((3, 4, 2), lambda b: b.add("UpSampling2D", size=(2, 3))),
    "UpSampling2D bilinear": ((3, 4, 2), lambda b: b.add("UpSampling2D", size=(2, 3), interpolation="bilinear")),
    "UpSampling2D bilinear lines": ((1, 4, 2), lambda b: b.add("UpSampling2D", size=(1, 5), interpolation="bilinear")),
    "BilinearResize": ((3, 4, 2), _resized),
    "TimeDistributed": ((4, 3), lambda b: b.around("Flatten", "Activation", activation="relu")),
    "LSTM": ((6, 3), lambda b: b.recurrent("LSTM", 5)),
    "LSTM sequence": ((6, 3), lambda b: b.recurrent("LSTM", 4, return_sequences=True, go_backwards=True)),
    "LSTM relu": ((5, 3), lambda b: b.recurrent("LSTM", 4, activation="relu", recurrent_activation="hard_sigmoid")),
    "LSTM linear": ((5, 3), lambda b: b.recurrent("LSTM", 3, activation="linear")),
    "GRU": ((6, 3), lambda b: b.recurrent("GRU", 5)),
    "GRU before": ((6, 3), lambda b: b.recurrent("GRU", 5, reset_after=False, return_sequences=True)),
    "GRU relu": ((5, 3), lambda b: b.recurrent("GRU", 4, activation="relu", recurrent_activation="hard_sigmoid")),
    "GRU relu before": ((5, 3), lambda b: b.recurrent("GRU", 4, activation="relu", reset_after=False)),
    "LSTM unsigned": ((6, 3), lambda b: (b.conv(4, 2, activation="relu"), b.recurrent("LSTM", 3))),
    "GRU unsigned": ((6, 3), lambda b: (b.conv(4, 2, activation="relu"), b.recurrent("GRU", 3))),
    "Conv2DTranspose unsigned": (
        (3, 4, 2),
        lambda b: (b.conv(3, 2, activation="relu"), b.transposed(2, 3, activation="relu"), b.conv(2, 2)),
    ),
    "SimpleRNN": ((6, 3), lambda b: b.recurrent("SimpleRNN", 5, return_sequences=True)),
    "SimpleRNN relu": ((6, 3), lambda b: b.recurrent("SimpleRNN", 5, activation="relu")),
    "Bidirectional": ((5, 3), lambda b: b.bidirectional("LSTM", 3, merge_mode="ave")),
    "Add": ((4, 3), lambda b: _add(b, b.last.name)),
    "Concatenate rows": ((4, 3, 2), lambda b: _concatenate_along(b, 1)),
    "Concatenate columns": ((4, 3, 2), lambda b: _concatenate_along(b, -2)),
    "Add of channels": ((4, 5, 3), lambda b: _merged(b, "Add", "+")),
    "Add of many": ((4, 3), lambda b: _pair(b, "Add", 18)),
    "Average": ((4, 3), lambda b: _pair(b, "Average", 3)),
    "Multiply": ((4, 3), lambda b: _pair(b, "Multiply")),
    "Multiply with itself": ((4, 3), _square),
    "Multiply by channels": ((4, 5, 3), lambda b: _merged(b, "Multiply", "--+")),
    "Multiply by rows": ((4, 5, 3), lambda b: _merged(b, "Multiply", "+--")),
    "Multiply by both": ((4, 5, 3), lambda b: _merged(b, "Multiply", "+-+")),
    "Subtract": ((4, 3), lambda b: _pair(b, "Subtract")),
    "Subtract from columns": ((4, 5, 3), lambda b: _merged(b, "Subtract", "-+-", first=True)),
    "Maximum": ((4, 3), lambda b: _pair(b, "Maximum", 3)),
    "Minimum": ((4, 3), lambda b: (_pair(b, "Minimum"), b.add("ReLU"))),
    "Minimum of positions": ((4, 5, 3), lambda b: _merged(b, "Minimum", "++-")),
    "PReLU": ((4, 3), lambda b: _prelu(b, "++")),
    "PReLU of channels": ((4, 5, 3), lambda b: _prelu(b, "--+")),
    "Concatenate": ((4, 3), lambda b: _concatenate(b, b.last.name)),
}


def _side_by_side(fuse: bool, spread: float) -> tuple[Graph, Array]:
    """A graph in which every case has an input and an output of its own, and samples: one build holds them all."""
    layers: list[Layer] = []
    outputs, x = [], {}
    for name, (shape, make) in CASES.items():
        builder = Builder(shape, seed=int(fuse), spread=spread)
        make(builder)
        graph = optimize(builder.graph()) if fuse else builder.graph()
        for layer in graph:
            sources = tuple(f"{name}: {source}" for source in layer.inputs)
            layers.append(replace(layer, name=f"{name}: {layer.name}", inputs=sources))
        outputs.append(Output(name, layers[-1].name))
        x[f"{name}: input"] = builder.samples(16)
        x[f"{name}: input"][12:] *= 100
    return Graph(tuple(layers), outputs=tuple(outputs)), records_of(x)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "fused"])
def cases(request: pytest.FixtureRequest) -> tuple[Graph, Array]:
    return _side_by_side(request.param, spread=30.0 if request.param else 1.0)


@pytest.mark.parametrize("data_type", ["int8", "int16", "int9"])
def test_c_equals_run(cases: tuple[Graph, Array], data_type: str) -> None:
    graph, x = cases
    quantized = quantize(graph, x[:12], data_type)
    computed, expected = run_compiled(quantized, x, sanitize="undefined"), quantized.run(x)
    assert not [name for name in CASES if not np.array_equal(computed[name], expected[name])]


def test_floats_are_close(cases: tuple[Graph, Array]) -> None:
    graph, x = cases
    computed, expected = run_compiled(graph, x, sanitize="undefined"), graph.run(x)
    for name in CASES:
        recurrent = any(isinstance(layer, Recurrent) and layer.name.startswith(f"{name}: ") for layer in graph)
        near = 1e-3 if recurrent else 1e-5  # a state goes on with its rounding
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(computed[name], expected[name], rtol=near, atol=near * scale, err_msg=name)


def test_every_layer_has_a_digest_of_its_own(cases: tuple[Graph, Array]) -> None:
    graph, _ = cases
    assert len({digest_of(layer) for layer in graph}) == len(graph.layers)


def test_every_layer_has_a_case() -> None:
    tested = {name.split()[0] for name in CASES}
    assert set(CONVERTERS) <= tested
