"""Name -> a network that kernels are compared on. Weights and samples are random, and seeded: no framework, no file.

UCI-HAR is MicroAI's ResNetv1-6 (arXiv 2105.13331), whose stride is a max-pool; the others are those of MLPerf Tiny,
with batch normalization folded. None has its softmax: a classification does without. What numbers the weights are
changes neither the code nor the cycles of a kernel, but for outputs that saturate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph, Layer, Shape
from mcusim.layers.add import Add
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.layers.planes import NO_PADDING, Pair, output_plane, plane, same_padding, shape_like
from mcusim.layers.pooling import AveragePooling, MaxPooling, Pooling
from mcusim.layers.relu import ReLU
from mcusim.line.front import quantized_graph
from mcusim.line.optimize import optimize
from mcusim.models.source import Source
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, suggestion

FILTERS = (16, 24, 32, 40, 48, 64, 80)
SAMPLES = 16  # that choose scales
# Powers of two, which kernels were first written for; Q7.9 is MicroAI's own choice for UCI-HAR.
DATA_TYPES: Mapping[str, Quantization] = {
    "int8": Quantization(data_type="int8", scheme="per-layer"),
    "int16": Quantization(data_type="int16"),
    "int16-q7.9": Quantization(data_type="int16", scheme="per-network", format="Q7.9"),
    "w8a16": Quantization(data_type="w8a16", scheme="per-channel"),
    "w8a16-per-layer": Quantization(data_type="w8a16", scheme="per-layer"),
    "float32": Quantization(data_type="float32"),
}


@dataclass(frozen=True)
class Network:
    """`graph` is float32 and optimized; `x` are samples (N, *shape)."""

    title: str
    graph: Graph
    x: Array

    def quantized(self, data_type: str) -> Graph:
        """The Graph on integers that `mcusim run` would make; `data_type` is a key of DATA_TYPES."""
        return quantized_graph(Source(self.graph), self.x, DATA_TYPES[data_type])


@dataclass
class _Layers:
    """One layer after another; each function adds one that reads `source`, else the last, and gives its name."""

    shape: Shape
    seed: int
    layers: dict[str, Layer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self._added(Input(name="input", inputs=(), shape=self.shape))

    def convolution(
        self,
        name: str,
        filters: int,
        size: Pair,
        source: str = "",
        *,
        strides: Pair = (1, 1),
        groups: int = 1,
        activation: Activation = LINEAR,
    ) -> str:
        """With zeros around it as TensorFlow's `same` has them. On (samples, channels) `size` is (1, taps)."""
        entry = self._source(source)
        channels = plane(entry.shape)[2] // groups
        padding = same_padding(entry.shape, size, strides)
        rows, columns = _demanded(output_plane(entry.shape, size, strides, padding))
        kernel, bias = self._weights((filters, *size, channels))
        return self._added(
            Convolution(
                name=name,
                inputs=(entry.name,),
                shape=shape_like(len(entry.shape) - 1, rows, columns, filters),
                kernel=kernel,
                bias=bias,
                activation=activation,
                input_shape=entry.shape,
                strides=strides,
                padding=padding,
                groups=groups,
            )
        )

    def dense(self, name: str, units: int, activation: Activation = LINEAR) -> str:
        entry = self._source()
        kernel, bias = self._weights((units, entry.elements))
        inputs = (entry.name,)
        return self._added(
            Dense(name=name, inputs=inputs, shape=(units,), kernel=kernel, bias=bias, activation=activation)
        )

    def pool(self, name: str, kind: type[Pooling], size: Pair, source: str = "") -> str:
        """Windows side by side; what does not fill one is dropped."""
        entry = self._source(source)
        rows, columns = _demanded(output_plane(entry.shape, size, size, NO_PADDING))
        shape = shape_like(len(entry.shape) - 1, rows, columns, entry.shape[-1])
        return self._pooled(name, kind, size, entry, shape)

    def global_pool(self, name: str, kind: type[Pooling]) -> str:
        entry = self._source()
        return self._pooled(name, kind, plane(entry.shape)[:2], entry, (entry.shape[-1],))

    def _pooled(self, name: str, kind: type[Pooling], size: Pair, entry: Layer, shape: Shape) -> str:
        return self._added(
            kind(
                name=name,
                inputs=(entry.name,),
                shape=shape,
                input_shape=entry.shape,
                size=size,
                strides=size,
                padding=NO_PADDING,
            )
        )

    def relu(self, name: str) -> str:
        entry = self._source()
        return self._added(ReLU(name=name, inputs=(entry.name,), shape=entry.shape, activation=RELU))

    def add(self, name: str, first: str, second: str) -> str:
        return self._added(Add(name=name, inputs=(first, second), shape=self.layers[first].shape))

    def graph(self, name: str) -> Graph:
        return optimize(Graph(tuple(self.layers.values()), name))

    def _source(self, name: str = "") -> Layer:
        return self.layers[name or next(reversed(self.layers))]

    def _added(self, layer: Layer) -> str:
        self.layers[layer.name] = layer
        return layer.name

    def _weights(self, shape: Shape) -> tuple[Array, Array]:
        """Spread so that activations stay about as large as the inputs are."""
        deviation = np.sqrt(2.0 / np.prod(shape[1:]))
        kernel = self.random.normal(0.0, deviation, shape).astype(np.float32)
        return kernel, self.random.normal(0.0, 0.1, shape[0]).astype(np.float32)


def _demanded(found: Pair | None) -> Pair:
    assert found is not None, "a window that does not fit"
    return found


def _network(title: str, layers: _Layers, *, nonnegative: bool = False) -> Network:
    """`nonnegative`: samples are uniform from 0 to 1, as pixels are; else normal."""
    shape = (SAMPLES, *layers.shape)
    x = layers.random.random(shape) if nonnegative else layers.random.normal(size=shape)
    return Network(title, layers.graph(title), x.astype(np.float32))


def uci_har(filters: int) -> Network:
    """ResNetv1-6: 128 x 9 -> 6. Layers are called as in examples/uci_har."""
    layers, taps = _Layers((128, 9), filters), (1, 3)
    layers.convolution("conv1", filters, taps)
    start = layers.relu("relu1")
    layers.convolution("block1_conv1", filters, taps)
    layers.pool("block1_pool", MaxPooling, (1, 2))
    middle = layers.relu("block1_relu1")
    layers.convolution("block1_shortcut", filters, (1, 1), start)
    end = layers.convolution("block1_conv2", filters, taps, middle)
    layers.add("block1_add", end, layers.pool("block1_shortcut_pool", MaxPooling, (1, 2), "block1_shortcut"))
    start = layers.relu("block1_relu2")
    layers.convolution("block2_conv1", filters, taps)
    layers.relu("block2_relu1")
    layers.add("block2_add", layers.convolution("block2_conv2", filters, taps), start)
    layers.relu("block2_relu2")
    layers.global_pool("global_pool", MaxPooling)
    layers.dense("logits", 6)
    return _network(f"UCI-HAR, {filters} filters", layers)


def resnet_8() -> Network:
    """MLPerf Tiny image classification: 32 x 32 x 3 -> 10."""
    layers, size = _Layers((32, 32, 3), 8), (3, 3)
    start = layers.convolution("conv1", 16, size, activation=RELU)
    for number, filters in enumerate((16, 32, 64), 1):
        strides = (1, 1) if number == 1 else (2, 2)
        layers.convolution(f"stack{number}_conv1", filters, size, start, strides=strides, activation=RELU)
        end = layers.convolution(f"stack{number}_conv2", filters, size)
        if number > 1:
            start = layers.convolution(f"stack{number}_shortcut", filters, (1, 1), start, strides=strides)
        layers.add(f"stack{number}_add", start, end)
        start = layers.relu(f"stack{number}_relu")
    layers.global_pool("average", AveragePooling)
    layers.dense("logits", 10)
    return _network("ResNet-8", layers, nonnegative=True)


def ds_cnn() -> Network:
    """MLPerf Tiny keyword spotting: 49 x 10 x 1 -> 12."""
    layers = _Layers((49, 10, 1), 12)
    layers.convolution("conv1", 64, (10, 4), strides=(2, 2), activation=RELU)
    for number in range(1, 5):
        layers.convolution(f"depthwise{number}", 64, (3, 3), groups=64, activation=RELU)
        layers.convolution(f"pointwise{number}", 64, (1, 1), activation=RELU)
    layers.global_pool("average", AveragePooling)
    layers.dense("logits", 12)
    return _network("DS-CNN", layers)


def autoencoder() -> Network:
    """MLPerf Tiny anomaly detection: 640 -> 640, dense layers only."""
    layers = _Layers((640,), 640)
    for number, units in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128), 1):
        layers.dense(f"dense{number}", units, RELU)
    layers.dense("dense10", 640)
    return _network("autoencoder", layers)


def mobilenet_v1() -> Network:
    """MLPerf Tiny visual wake words: MobileNetV1 of width 0.25, 96 x 96 x 3 -> 2."""
    layers = _Layers((96, 96, 3), 96)
    channels = 8
    layers.convolution("conv1", channels, (3, 3), strides=(2, 2), activation=RELU)
    blocks = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    for number, (filters, stride) in enumerate(blocks, 1):
        strides = (stride, stride)
        layers.convolution(f"depthwise{number}", channels, (3, 3), strides=strides, groups=channels, activation=RELU)
        layers.convolution(f"pointwise{number}", filters, (1, 1), activation=RELU)
        channels = filters
    layers.global_pool("average", AveragePooling)
    layers.dense("logits", 2)
    return _network("MobileNetV1 0.25", layers, nonnegative=True)


NETWORKS: Mapping[str, Callable[[], Network]] = {
    **{f"uci_har_f{filters}": partial(uci_har, filters) for filters in FILTERS},
    "resnet_8": resnet_8,
    "ds_cnn": ds_cnn,
    "autoencoder": autoencoder,
    "mobilenet_v1": mobilenet_v1,
}


def network(name: str) -> Network:
    """Raises ConfigurationError for one that is not there."""
    if name not in NETWORKS:
        raise ConfigurationError(f"there is no network {name!r}", hint=suggestion(name, NETWORKS))
    return NETWORKS[name]()
