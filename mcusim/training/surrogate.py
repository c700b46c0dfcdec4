"""Layers of a Graph as TensorFlow computes them of reals: gradients flow back through them to weights."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mcusim import layers
from mcusim.graph import Graph, Layer
from mcusim.layers.planes import NO_PADDING, Padding, plane
from mcusim.layers.pooling import Pooling
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import Activation
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from mcusim.training.keras_setup import import_keras

Tensor = Any
KINDS = (
    *(layers.Input, layers.Convolution, layers.Dense, layers.BatchNormalization, layers.Add),
    *(layers.Concatenate, layers.MaxPooling, layers.AveragePooling, layers.ReLU, layers.Reshape),
)


def demand_trainable(graph_layers: Sequence[Layer], how: str, instead: str) -> None:
    """Raises ConfigurationError for a layer that nobody can train here. `how`: for what; `instead`: of that."""
    for layer in graph_layers:
        grouped = isinstance(layer, layers.Convolution) and layer.groups > 1 and not _is_depthwise(layer)
        if not isinstance(layer, KINDS) or grouped:
            what = f"layer {layer.name!r} ({layer.kind}) cannot be {how}"
            hint = f"{instead}, or use convolutions, dense layers, additions, ReLU and pools"
            raise ConfigurationError(what, hint=hint)


def with_weights(graph: Graph, new: Mapping[str, tuple[Array, Array]]) -> Graph:
    """With this kernel and bias of each of its sums, by name."""
    made = [_with(layer, *new[layer.name]) if isinstance(layer, WeightedSum) else layer for layer in graph]
    return replace(graph, layers=tuple(made))


def _with(layer: WeightedSum, kernel: Array, bias: Array) -> WeightedSum:
    return replace(layer, kernel=kernel, bias=bias, has_bias=layer.has_bias or bool(bias.any()))


def real_output(layer: Layer, inputs: Sequence[Tensor], kernel: Tensor | None, bias: Tensor | None) -> Tensor:
    """`kernel` and `bias` as the layer has them, where it has some. (batch, *shape)"""
    import tensorflow as tf

    x = inputs[0]
    if isinstance(layer, layers.Convolution):
        x = tf.reshape(tf.nn.bias_add(_convolved(layer, x, kernel), bias), (-1, *layer.shape))
    elif isinstance(layer, layers.Dense):
        x = tf.matmul(x, kernel, transpose_b=True) + bias
    elif isinstance(layer, WeightedSum):
        x = x * tf.reshape(kernel, (-1,)) + bias
    elif isinstance(layer, layers.Add):
        x = tf.add_n(list(inputs))
    elif isinstance(layer, layers.Concatenate):
        x = tf.concat(list(inputs), layer.axis + (layer.axis >= 0))
    elif isinstance(layer, Pooling):
        x = tf.reshape(_pooled(layer, x), (-1, *layer.shape))
    elif isinstance(layer, layers.Reshape):
        x = tf.reshape(x, (-1, *layer.shape))
    return _activated(x, getattr(layer, "activation", Activation()))


def _activated(x: Tensor, activation: Activation) -> Tensor:
    import tensorflow as tf

    if activation.relu:  # the first has a gradient that costs less
        x = tf.maximum(x, activation.floor) if activation.floor else tf.nn.relu(x)
    return x if activation.ceiling is None else tf.minimum(x, activation.ceiling)


def _convolved(layer: layers.Convolution, x: Tensor, kernel: Tensor) -> Tensor:
    """(batch, height, width, filters)"""
    import tensorflow as tf

    x = _padded(tf.reshape(x, (-1, *plane(layer.input_shape))), layer.padding)
    strides, dilations = (1, *layer.strides, 1), (1, *layer.dilation, 1)
    rows, columns, _ = plane(layer.shape)
    if not _is_depthwise(layer):
        y = tf.nn.conv2d(x, tf.transpose(kernel, (1, 2, 3, 0)), strides, "VALID", dilations=dilations)
        return _first(y, rows, columns)
    channels = layer.groups
    filters = tf.reshape(tf.transpose(kernel, (1, 2, 3, 0)), (*kernel.shape[1:3], channels, -1))
    stride = max(layer.strides) if 1 in x.shape[1:3] else layer.strides[0]
    if layer.strides[0] != layer.strides[1] and 1 not in x.shape[1:3]:
        stride = 1  # TensorFlow has no others of two kinds: every window, of which some are taken
    y = tf.nn.depthwise_conv2d(x, filters, (1, stride, stride, 1), "VALID", dilations=layer.dilation)
    return _first(y if stride > 1 else y[:, :: layer.strides[0], :: layer.strides[1]], rows, columns)


def _is_depthwise(layer: layers.Convolution) -> bool:
    return 1 < layer.groups == plane(layer.input_shape)[2]


def _pooled(layer: Pooling, x: Tensor) -> Tensor:
    """(batch, height, width, channels)"""
    import tensorflow as tf

    is_max = isinstance(layer, layers.MaxPooling)
    rows, columns = layer.output_plane
    x = tf.reshape(x, (-1, *plane(layer.input_shape)))
    pool = tf.nn.max_pool2d if is_max else tf.nn.avg_pool2d
    y = pool(_padded(x, layer.padding, x.dtype.min if is_max else 0), layer.size, layer.strides, "VALID")
    if not is_max:
        there = _padded(tf.ones((1, *x.shape[1:3], 1)), layer.padding)
        y = y / tf.nn.avg_pool2d(there, layer.size, layer.strides, "VALID")
    return _first(y, rows, columns)


def _padded(x: Tensor, padding: Padding, value: float = 0) -> Tensor:
    """(batch, height, width, channels); no copy where nothing is added, here and in `_first`."""
    import tensorflow as tf

    return x if padding == NO_PADDING else tf.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)


def _first(x: Tensor, rows: int, columns: int) -> Tensor:
    return x if tuple(x.shape[1:3]) == (rows, columns) else x[:, :rows, :columns]


class Trainable:
    """A graph of reals as TensorFlow computes it, with weights that can change: `kernels` and `biases`, by layer."""

    def __init__(self, graph: Graph) -> None:
        keras = import_keras()
        self._graph = graph
        sums = [layer for layer in graph if isinstance(layer, WeightedSum)]
        self.kernels = {layer.name: keras.Variable(layer.kernel, dtype="float32") for layer in sums}
        self.biases = {layer.name: keras.Variable(layer.bias, dtype="float32") for layer in sums}

    @property
    def variables(self) -> list[Any]:
        return [*self.kernels.values(), *self.biases.values()]

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, elements)"""
        import tensorflow as tf

        values, both = dict[str, Tensor](), (self.kernels, self.biases)
        for layer in self._graph:
            kernel, bias = (own[layer.name].value if layer.name in own else None for own in both)
            inputs = [values[name] for name in layer.inputs]
            values[layer.name] = x if layer.INPUT else real_output(layer, inputs, kernel, bias)
        (end,) = self._graph.ends
        return tf.reshape(values[end.name], (-1, end.elements))

    @property
    def graph(self) -> Graph:
        """With the weights as they are now."""
        new = {name: (kernel.numpy(), self.biases[name].numpy()) for name, kernel in self.kernels.items()}
        return with_weights(self._graph, new)
