"""A model that is quantized in its file, made by hand: no reader of such files is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from mcusim import models
from mcusim.graph import Graph, Layer
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.layers.pooling import MaxPooling
from mcusim.layers.relu import ReLU
from mcusim.layers.reshape import Reshape
from mcusim.layers.softmax import Softmax
from mcusim.layers.zero_padding import ZeroPadding
from mcusim.models.reference import Values
from mcusim.models.source import NO_SHAPES, Origin, Shapes, Source
from mcusim.numbers import affine, affine_softmax
from mcusim.numbers.affine import Affine, Scaled
from mcusim.numbers.numbers import QuantizedSum
from mcusim.system.arrays import Array
from tests.graphs import Builder

PIXELS = Affine(8, float(np.float32(16 / 255)), -128)  # from 0 to 16
WINDOW = {"size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}


def summing(kernel: Array, bias: Array, entry: Affine, low: float, high: float) -> QuantizedSum:
    """A weighted sum with a scale for each output, whose results lie between `low` and `high`."""
    out = numbers(low, high)
    peaks = np.abs(kernel).reshape(len(kernel), -1).max(axis=1)
    scales = Scaled(8, tuple(float(np.float32(peak / 127)) for peak in peaks))
    start = np.rint(bias / (entry.scale * np.array(scales.scales))).astype(np.int32)
    factors = affine.sum_factors(entry, scales, out)
    return affine.weighted_sum(scales.encode(kernel), start, scales, entry, out, factors, fold=True)


def numbers(low: float, high: float) -> Affine:
    scale = float(np.float32((high - low) / 255))
    return Affine(8, scale, round(-128 - low / scale))


def digits_graph(x: Array, y: Array, name: str = "digits") -> Graph:
    """Of digits `x` (N, 8, 8, 1): padding, random filters, ReLU, pooling, and the best linear readout; a softmax."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(12, 3, 3, 1))
    seen = np.pad(x[..., 0], ((0, 0), (1, 1), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(seen, (3, 3), axis=(1, 2))
    maps = np.maximum(np.einsum("nhwij,fij->nhwf", view, kernel[..., 0]), 0)
    pooled = maps.reshape(-1, 4, 2, 4, 2, 12).max(axis=(2, 4)).reshape(len(x), -1)
    rows = np.hstack([pooled, np.ones((len(x), 1))])
    found = np.linalg.solve(rows.T @ rows + 100 * np.eye(len(rows.T)), rows.T @ np.eye(10)[y])
    conv = summing(kernel, np.zeros(12), PIXELS, -maps.max(), maps.max())
    logits = rows @ found
    dense = summing(found[:-1].T, found[-1], affine.as_affine(conv.numbers), logits.min(), logits.max())
    chances = affine_softmax.softmax(affine.as_affine(dense.numbers), Affine(8, 1 / 256, -128), beta=8.0)
    layers: Sequence[Layer] = (
        Input(name="x", inputs=(), shape=(8, 8, 1), numbers=PIXELS),
        ZeroPadding(
            name="pad",
            inputs=("x",),
            shape=(10, 10, 1),
            input_shape=(8, 8, 1),
            padding=((1, 1), (1, 1)),
            numbers=PIXELS,
        ),
        Convolution(
            name="conv", inputs=("pad",), shape=(8, 8, 12), input_shape=(10, 10, 1), **{**vars(conv), "zero": -128}
        ),
        ReLU(name="relu", inputs=("conv",), shape=(8, 8, 12), numbers=conv.numbers),
        MaxPooling(
            name="pool", inputs=("relu",), shape=(4, 4, 12), input_shape=(8, 8, 12), numbers=conv.numbers, **WINDOW
        ),  # type: ignore[arg-type]
        Reshape(name="flat", inputs=("pool",), shape=(192,), numbers=conv.numbers),
        Dense(name="logits", inputs=("flat",), shape=(10,), **vars(dense)),
        Softmax(name="softmax", inputs=("logits",), shape=(10,), softmaxing=chances, numbers=chances.numbers),
    )
    return Graph(tuple(layers), name)


def float_digits_graph() -> Graph:
    """A float model of the same kind, of random weights."""
    builder = Builder((8, 8, 1), seed=1)
    builder.conv(8, padding="same", activation="relu")
    start = builder.depthwise(3, padding="same", activation="relu")
    builder.conv(8, 1)
    builder.add("Add", builder.last.name, start)
    builder.add("Activation", activation="sigmoid")
    builder.add("AveragePooling2D", pool_size=2)
    builder.conv(12, activation="relu")
    builder.add("GlobalAveragePooling2D")
    builder.dense(10)
    builder.add("Softmax")
    return builder.graph()


@dataclass
class StoredFormat:
    """Files `.ints`, each of which stands for `source`. It is its own reference, off by `wrong` in a layer."""

    source: Source
    wrong: dict[str, int] = field(default_factory=dict)

    NAME = "ints"
    SUFFIXES = (".ints",)

    @property
    def REFERENCE(self) -> StoredFormat:
        return self

    def read(self, path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
        return replace(self.source, graph=replace(self.source.graph, name=name))

    def version(self) -> str | None:
        return "ints 1"

    def install(self) -> str:
        return ""

    def values(self, path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
        """`samples`: as the model stores them."""
        graph, known = self.source.graph, {self.source.graph.inputs[0].name: samples[0]}
        for layer in graph.layers[1:]:
            ran = layer.run(*(known[name] for name in layer.inputs))
            known[layer.name] = ran + np.int8(self.wrong.get(layer.name, 0))
        layers = {origin: known[name].astype(np.float32) for name, origin in self.source.origins.items()}
        return Values([known[end.name].astype(np.float32) for end in graph.ends], layers)


def registered(source: Source, monkeypatch: pytest.MonkeyPatch) -> StoredFormat:
    """A file `.ints` is `source` from here on."""
    made = StoredFormat(source)
    monkeypatch.setattr(models, "MODELS", (*models.MODELS, made))
    monkeypatch.setattr(models, "SUFFIXES", (*models.SUFFIXES, ".ints"))
    return made
