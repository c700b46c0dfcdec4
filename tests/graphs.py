"""Graphs for tests, built by the converters of Keras' layers, but without Keras."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mcusim.graph import Graph, Layer, Output, Shape
from mcusim.layers.input import Input
from mcusim.models.keras.activations import ACTIVATIONS
from mcusim.models.keras.layer import KerasLayer
from mcusim.models.keras.layers import CONVERTERS
from mcusim.system.arrays import Array
from mcusim.system.records import records_of

DEFAULTS: dict[str, dict[str, Any]] = {
    "Conv": {"strides": 1, "padding": "valid", "use_bias": True, "activation": "linear"},
    "Pooling": {"strides": None, "padding": "valid", "pool_size": 2},
    "Dense": {"use_bias": True, "activation": "linear"},
    "BatchNormalization": {"axis": -1, "scale": True, "center": True, "epsilon": 1e-3},
}


@dataclass
class Builder:
    """Adds one Keras-like layer after another; arrays come from a seeded generator."""

    shape: Shape
    seed: int = 0
    spread: float = 1.0  # weights are normal with this deviation over sqrt(fan in)
    layers: list[Layer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.layers.append(Input(name="input", inputs=(), shape=self.shape))

    @property
    def last(self) -> Layer:
        return self.layers[-1]

    def layer(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)

    def weights(self, *shape: int, fan_in: int) -> Array:
        return np.asarray(self.random.normal(size=shape) * self.spread / np.sqrt(fan_in), np.float32)

    def add(self, kind: str, *inputs: str, arrays: tuple[Array, ...] = (), **config: Any) -> str:
        """Append a layer of a Keras kind; -> its name. Without inputs it reads the last layer."""
        sources = inputs or (self.last.name,)
        defaults = next((values for part, values in DEFAULTS.items() if part in kind), {})
        name = f"{kind.lower()}_{len(self.layers)}"
        shapes = tuple(self.layer(source).shape for source in sources)
        view = KerasLayer(name, kind, {**defaults, **config}, arrays, sources, shapes)
        made = CONVERTERS[kind](view)
        self.layers.extend(made)
        return self.last.name

    def conv(self, filters: int, size: int = 3, *inputs: str, groups: int = 1, **config: Any) -> str:
        shape = self.layer(inputs[0]).shape if inputs else self.last.shape
        rank, channels = len(shape) - 1, shape[-1] // groups
        window = (size,) * rank
        arrays = (self.weights(*window, channels, filters, fan_in=size**rank * channels), self.bias(filters))
        return self.add(f"Conv{rank}D", *inputs, arrays=arrays, groups=groups, **config)

    def depthwise(self, size: int = 3, multiplier: int = 1, **config: Any) -> str:
        shape = self.last.shape
        rank, channels = len(shape) - 1, shape[-1]
        window = (size,) * rank
        arrays = (self.weights(*window, channels, multiplier, fan_in=size**rank), self.bias(channels * multiplier))
        return self.add(f"DepthwiseConv{rank}D", arrays=arrays, **config)

    def separable(self, filters: int, size: int = 3, **config: Any) -> str:
        shape = self.last.shape
        rank, channels = len(shape) - 1, shape[-1]
        deep = self.weights(*(size,) * rank, channels, 1, fan_in=size**rank)
        point = self.weights(*(1,) * rank, channels, filters, fan_in=channels)
        return self.add(f"SeparableConv{rank}D", arrays=(deep, point, self.bias(filters)), **config)

    def transposed(self, filters: int, size: int = 3, *inputs: str, **config: Any) -> str:
        shape = self.layer(inputs[0]).shape if inputs else self.last.shape
        rank, channels = len(shape) - 1, shape[-1]
        kernel = self.weights(*(size,) * rank, filters, channels, fan_in=size**rank * channels)
        return self.add(f"Conv{rank}DTranspose", *inputs, arrays=(kernel, self.bias(filters)), **config)

    def around(self, *kinds: str, arrays: tuple[Array, ...] = (), **config: Any) -> str:
        """TimeDistributed of each kind, all with the same config."""
        for kind in kinds:
            self.add("TimeDistributed", arrays=arrays, layer={"class_name": kind, "config": config})
        return self.last.name

    def dense(self, units: int, **config: Any) -> str:
        inputs = self.last.shape[-1]
        return self.add("Dense", arrays=(self.weights(inputs, units, fan_in=inputs), self.bias(units)), **config)

    def normalization(self, axis: Any = -1) -> str:
        channels = self._sizes(axis)[0]
        gamma, beta, mean = (self.random.normal(size=channels).astype(np.float32) for _ in range(3))
        variance = self.random.uniform(0.01, 4, channels).astype(np.float32)
        return self.add("BatchNormalization", arrays=(gamma, beta, mean, variance), axis=axis)

    def standardization(self, axis: Any = -1, epsilon: float = 1e-3) -> str:
        shape = self._sizes(axis)
        gamma, beta = self.weights(*shape, fan_in=1), self.weights(*shape, fan_in=1)
        return self.add("LayerNormalization", arrays=(gamma, beta), axis=axis, epsilon=epsilon)

    def recurrent(self, kind: str, units: int, **config: Any) -> str:
        """LSTM, GRU or SimpleRNN; GRU with `reset_after` has two biases."""
        return self.add(kind, arrays=self._recurrent_arrays(kind, units, config), **config)

    def bidirectional(self, kind: str, units: int, **config: Any) -> str:
        arrays = [self._recurrent_arrays(kind, units, {}) for _ in range(2)]
        layer = {"class_name": kind, "config": {"return_sequences": True}}
        return self.add("Bidirectional", arrays=(*arrays[0], *arrays[1]), layer=layer, **config)

    def _recurrent_arrays(self, kind: str, units: int, config: dict[str, Any]) -> tuple[Array, ...]:
        features, gates = self.last.shape[-1], {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind]
        kernel = self.weights(features, gates * units, fan_in=features)
        states = self.weights(units, gates * units, fan_in=units)
        biases = self.bias(gates * units)
        if kind == "GRU" and config.get("reset_after", True):
            biases = np.stack([biases, self.bias(gates * units)])
        return kernel, states, biases

    def _sizes(self, axis: Any) -> Shape:
        """Of Keras' axis or axes of the last layer; the batch is 0."""
        return tuple(self.last.shape[one - (one > 0)] for one in (axis if isinstance(axis, list) else [axis]))

    def bias(self, count: int) -> Array:
        return (self.random.normal(size=count) * 0.3 * self.spread).astype(np.float32)

    def graph(self, name: str = "model") -> Graph:
        return Graph(tuple(self.layers), name)

    def samples(self, count: int = 8, scale: float = 1.0) -> Array:
        return (self.random.normal(size=(count, *self.shape)) * scale).astype(np.float32)


@st.composite
def builders(draw: st.DrawFn) -> Builder:
    """Random graphs: 1D or 2D, odd sizes, branches, extreme weights."""
    channels = draw(st.integers(1, 5))
    side = st.integers(3, 13)
    shape = (draw(side), channels) if draw(st.booleans()) else (draw(side), draw(side), channels)
    spread = draw(st.sampled_from([1.0, 1.0, 1e-3, 30.0, 1e4, 0.0]))
    builder = Builder(shape, seed=draw(st.integers(0, 2**32 - 1)), spread=spread)
    for _ in range(draw(st.integers(1, 6))):
        draw(st.sampled_from(MOVES))(builder, draw)
    ending = draw(st.sampled_from(["flatten", "average", "max", "none", "softmax"]))
    _end(builder, ending, draw)
    return builder


def _convolution(builder: Builder, draw: st.DrawFn) -> None:
    builder.conv(
        draw(st.integers(1, 6)),
        draw(st.integers(1, 3)),
        strides=draw(st.integers(1, 2)),
        padding=draw(st.sampled_from(["same", "valid"])) if min(builder.last.shape[:-1]) >= 3 else "same",
        activation=draw(st.sampled_from(["linear", "relu", "relu6"])),
    )


def _grouped(builder: Builder, draw: st.DrawFn) -> None:
    channels = builder.last.shape[-1]
    groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
    builder.conv(groups * draw(st.integers(1, 2)), 2, groups=groups, padding="same")


def _depthwise(builder: Builder, draw: st.DrawFn) -> None:
    builder.depthwise(draw(st.integers(1, 3)), draw(st.integers(1, 2)), padding="same")


def _separable(builder: Builder, draw: st.DrawFn) -> None:
    builder.separable(draw(st.integers(1, 4)), padding="same", activation="relu")


def _residual(builder: Builder, draw: st.DrawFn) -> None:
    start = builder.last
    count = draw(st.integers(1, 2))
    ends = [builder.conv(start.shape[-1], 3, start.name, padding="same") for _ in range(count)]
    builder.add("Add", start.name, *ends)


def _merge(builder: Builder, draw: st.DrawFn) -> None:
    """With a tensor that has all axes, or some."""
    start = builder.last
    shape = tuple(draw(st.sampled_from([1, axis])) for axis in start.shape)[draw(st.integers(0, 1)) :]
    small = start.name
    if shape == start.shape:
        builder.conv(shape[-1], 1, start.name)
    elif int(np.prod(shape)) <= 64:
        builder.add(f"GlobalAveragePooling{len(start.shape) - 1}D", start.name)
        builder.dense(int(np.prod(shape)), activation="sigmoid")
    if builder.last.elements == int(np.prod(shape)):
        small = builder.last.name if builder.last.shape == shape else builder.add("Reshape", target_shape=shape)
    pair = (start.name, small) if draw(st.booleans()) else (small, start.name)
    builder.add(draw(st.sampled_from(["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"])), *pair)


def _branches(builder: Builder, draw: st.DrawFn) -> None:
    start = builder.last.name
    ends = [builder.conv(draw(st.integers(1, 3)), 1, start) for _ in range(draw(st.integers(1, 2)))]
    builder.add("Concatenate", start, *ends)


def _pooling(builder: Builder, draw: st.DrawFn) -> None:
    rank = len(builder.last.shape) - 1
    kind = draw(st.sampled_from(["MaxPooling", "AveragePooling"]))
    builder.add(
        f"{kind}{rank}D",
        pool_size=draw(st.integers(1, 3)),
        strides=draw(st.sampled_from([None, 1, 2, 3])),
        padding="same",
    )


def _padding(builder: Builder, draw: st.DrawFn) -> None:
    rank = len(builder.last.shape) - 1
    ends = st.tuples(st.integers(0, 2), st.integers(0, 2))
    builder.add(f"ZeroPadding{rank}D", padding=draw(ends) if rank == 1 else (draw(ends), draw(ends)))


# e**x of extreme weights is infinity, and what comes of two of these depends on the order of sums.
FUNCTIONS = [name for name in ACTIVATIONS if name not in ("linear", "softmax", "exponential")]


def _simple(builder: Builder, draw: st.DrawFn) -> None:
    kinds = ["relu", "normalization", "standardization", "rescaling", "dense", "softmax", "function", "prelu"]
    kind = draw(st.sampled_from(kinds))
    if kind == "relu":
        builder.add("ReLU", max_value=draw(st.sampled_from([None, 6.0, 0.5])))
    elif kind == "normalization":
        builder.normalization()
    elif kind == "standardization":
        builder.standardization(epsilon=draw(st.sampled_from([1e-3, 0.0, 100.0])))
    elif kind == "rescaling":
        builder.add("Rescaling", scale=draw(st.floats(-2, 2, width=32)), offset=draw(st.floats(-2, 2, width=32)))
    elif kind == "dense":
        builder.dense(draw(st.integers(1, 4)), activation="relu")
    elif kind == "prelu":
        shape = builder.last.shape
        builder.add("PReLU", arrays=(builder.weights(*(1,) * (len(shape) - 1), shape[-1], fan_in=1),))
    elif kind == "function":
        builder.add("Activation", activation=draw(st.sampled_from(FUNCTIONS)))
    else:
        builder.add("Softmax", axis=-1)


def _dilated(builder: Builder, draw: st.DrawFn) -> None:
    make = draw(st.sampled_from([builder.depthwise, lambda size, **config: builder.conv(2, size, **config)]))
    make(draw(st.integers(1, 3)), padding="same", dilation_rate=draw(st.integers(1, 3)))


def _transposed(builder: Builder, draw: st.DrawFn) -> None:
    if max(builder.last.shape[:-1]) > 16:
        return
    size, strides = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding = draw(st.sampled_from(["same", "valid"]))
    builder.transposed(draw(st.integers(1, 4)), size, strides=strides, padding=padding)


def _moving(builder: Builder, draw: st.DrawFn) -> None:
    shape = builder.last.shape
    rank = len(shape) - 1
    kind = draw(st.sampled_from(["Permute", "Cropping", "UpSampling"]))
    if kind == "Permute":
        builder.add("Permute", dims=draw(st.permutations(range(1, rank + 2))))
    elif kind == "Cropping" and min(shape[:-1]) >= 3:
        ends = st.tuples(st.integers(0, 1), st.integers(0, 1))
        builder.add(f"Cropping{rank}D", cropping=draw(ends) if rank == 1 else (draw(ends), draw(ends)))
    elif kind == "UpSampling" and max(shape[:-1]) <= 16:
        how = draw(st.sampled_from(["nearest", "bilinear"])) if rank == 2 else "nearest"
        builder.add(f"UpSampling{rank}D", size=draw(st.integers(1, 3)), interpolation=how)


def _joined_along(builder: Builder, draw: st.DrawFn) -> None:
    start = builder.last
    other = builder.conv(start.shape[-1], 1, start.name)
    if start.elements <= 2000:
        builder.add("Concatenate", other, start.name, axis=draw(st.integers(1, len(start.shape))))


MOVES = (_convolution, _grouped, _depthwise, _separable, _residual, _merge, _branches, _pooling, _padding, _simple)


def _recurrent(builder: Builder, draw: st.DrawFn) -> None:
    if len(builder.last.shape) != 2 or builder.last.shape[0] > 16:
        return
    kind = draw(st.sampled_from(["LSTM", "GRU", "SimpleRNN"]))
    own = {"activation": draw(st.sampled_from(["tanh", "tanh", "relu", "linear"])), "go_backwards": draw(st.booleans())}
    own |= {"reset_after": draw(st.booleans())} if kind == "GRU" else {}
    builder.recurrent(kind, draw(st.integers(1, 4)), return_sequences=True, **own)


MOVES += (_recurrent, _dilated, _transposed, _moving, _joined_along)


def _end(builder: Builder, ending: str, draw: st.DrawFn) -> None:
    rank = len(builder.last.shape) - 1
    if ending == "flatten":
        builder.add("Flatten")
        if builder.last.elements <= 512:
            builder.dense(draw(st.integers(1, 4)))
    elif ending == "average":
        builder.add(f"GlobalAveragePooling{rank}D")
    elif ending == "max":
        builder.add(f"GlobalMaxPooling{rank}D")
        builder.add("Reshape", target_shape=(1, -1))
    elif ending == "softmax":
        builder.add("Activation", activation="softmax")
    if len(builder.layers) == 1:
        builder.add("ReLU")


MOST_WEIGHTS, MOST_ELEMENTS = 48_000, 3000  # of a wide network: two in reals go into the flash of every board


@st.composite
def wide_builders(draw: st.DrawFn) -> Builder:
    """Of many channels, and few layers that do something else with each number of them."""
    channels, rank = draw(st.integers(1, 160)), draw(st.sampled_from([1, 2, 2, 2]))
    side = draw(st.integers(3, max(3, min(9, int((MOST_ELEMENTS / channels) ** (1 / rank))))))
    builder = Builder((side,) * rank + (channels,), seed=draw(st.integers(0, 2**32 - 1)))
    for _ in range(draw(st.integers(1, 3))):
        draw(st.sampled_from(WIDE_MOVES))(builder, draw)
    return builder


def _wide_convolution(builder: Builder, draw: st.DrawFn) -> None:
    *sides, channels = builder.last.shape
    size = draw(st.sampled_from([1, 2, 3, 3, 3, 4, 5]))
    taps = channels * size ** len(sides)
    left = MOST_WEIGHTS - builder.graph().parameters
    most = min(160, left // (taps + 1), MOST_ELEMENTS // int(np.prod(sides)))
    if most >= 1:
        activation, padding = draw(st.sampled_from(["linear", "relu"])), draw(st.sampled_from(["same", "valid"]))
        padding = padding if min(sides) >= size else "same"
        strides = draw(st.sampled_from([1, 1, 2]))
        builder.conv(draw(st.integers(1, most)), size, strides=strides, padding=padding, activation=activation)


WIDE_MOVES = (_wide_convolution, _wide_convolution, _wide_convolution, _depthwise, _pooling, _padding)


def mixture() -> tuple[Graph, Array, dict[str, tuple[str, str]], str]:
    """A network, samples, data type and scheme of layers that are to have other numbers than the rest; and a layer
    in its middle.
    """
    builder = Builder((24, 6), seed=5)
    start = builder.conv(8, 3, padding="same", activation="relu")
    own = {start: ("int8", "per-layer"), builder.conv(8, 3, padding="same"): ("w8a16", "per-channel")}
    builder.add("Add", start, builder.last.name)
    builder.add("MaxPooling1D")
    own[builder.add("ReLU")] = ("int16", "per-layer")
    middle = builder.conv(6, 3, padding="same", activation="relu")
    own[builder.add("GlobalMaxPooling1D")] = ("int8", "per-layer")
    builder.dense(5)
    return builder.graph(), builder.samples(32), own, middle


def several(seed: int = 3) -> tuple[Graph, Array]:
    """Two inputs, three outputs: one of them read again, one a view of it. And samples."""
    builder = Builder((12, 2), seed=seed)
    sound = builder.last.name
    builder.layers.append(Input(name="image*/", inputs=(), shape=(5, 5, 3)))
    image = builder.conv(4, 3, "image*/", activation="relu")
    pooled = builder.add("GlobalMaxPooling2D")
    heard = builder.add("GlobalAveragePooling1D", builder.conv(5, 3, sound))
    joined = builder.add("Concatenate", pooled, heard)
    gesture = builder.dense(3)
    builder.add("Softmax")
    soft = builder.last.name
    flat = builder.add("Reshape", joined, target_shape=(3, 3))
    outputs = (Output("gesture", gesture), Output("soft", soft), Output("flat", flat), Output("again", image))
    graph = Graph(tuple(builder.layers), "several", outputs=outputs)
    x = {layer.name: builder.random.normal(size=(9, *layer.shape)).astype(np.float32) for layer in graph.inputs}
    return graph, records_of(x)
