"""Layers of a Graph as TensorFlow computes them of reals: what integers are derived from when gradients flow back."""

from collections.abc import Sequence
from typing import Any

from mcusim import layers
from mcusim.graph import Layer
from mcusim.layers.planes import plane
from mcusim.layers.pooling import Pooling
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import Activation
from mcusim.system.errors import ConfigurationError

Tensor = Any
KINDS = (
    *(layers.Input, layers.Convolution, layers.Dense, layers.BatchNormalization, layers.Add),
    *(layers.MaxPooling, layers.AveragePooling, layers.ReLU, layers.Reshape),
)


def demand_trainable(graph_layers: Sequence[Layer]) -> None:
    """Raises ConfigurationError for a layer whose integers nobody can train here."""
    for layer in graph_layers:
        grouped = isinstance(layer, layers.Convolution) and layer.groups > 1 and not _is_depthwise(layer)
        if not isinstance(layer, KINDS) or grouped:
            what = f"layer {layer.name!r} ({layer.kind}) cannot be trained for integers"
            hint = "leave [training.quantization] out, or use convolutions, dense layers, additions, ReLU and pools"
            raise ConfigurationError(what, hint=hint)


def real_output(layer: Layer, inputs: Sequence[Tensor], kernel: Tensor | None, bias: Tensor | None) -> Tensor:
    """`kernel` and `bias` as the layer has them, where it has some. (batch, *shape)"""
    import tensorflow as tf

    x = inputs[0]
    if isinstance(layer, layers.Convolution):
        x = tf.reshape(_convolved(layer, x, kernel), (-1, *layer.shape)) + bias
    elif isinstance(layer, layers.Dense):
        x = tf.matmul(x, kernel, transpose_b=True) + bias
    elif isinstance(layer, WeightedSum):
        x = x * tf.reshape(kernel, (-1,)) + bias
    elif isinstance(layer, layers.Add):
        x = tf.add_n(list(inputs))
    elif isinstance(layer, Pooling):
        x = tf.reshape(_pooled(layer, x), (-1, *layer.shape))
    elif isinstance(layer, layers.Reshape):
        x = tf.reshape(x, (-1, *layer.shape))
    return _activated(x, getattr(layer, "activation", Activation()))


def _activated(x: Tensor, activation: Activation) -> Tensor:
    import tensorflow as tf

    x = tf.maximum(x, activation.floor) if activation.relu else x
    return x if activation.ceiling is None else tf.minimum(x, activation.ceiling)


def _convolved(layer: layers.Convolution, x: Tensor, kernel: Tensor) -> Tensor:
    """(batch, height, width, filters)"""
    import tensorflow as tf

    x = tf.pad(tf.reshape(x, (-1, *plane(layer.input_shape))), ((0, 0), *layer.padding, (0, 0)))
    strides, dilations = (1, *layer.strides, 1), (1, *layer.dilation, 1)
    rows, columns, _ = plane(layer.shape)
    if not _is_depthwise(layer):
        y = tf.nn.conv2d(x, tf.transpose(kernel, (1, 2, 3, 0)), strides, "VALID", dilations=dilations)
        return y[:, :rows, :columns]
    channels = layer.groups
    filters = tf.reshape(tf.transpose(kernel, (1, 2, 3, 0)), (*kernel.shape[1:3], channels, -1))
    stride = max(layer.strides) if 1 in x.shape[1:3] else layer.strides[0]
    if layer.strides[0] != layer.strides[1] and 1 not in x.shape[1:3]:
        stride = 1  # TensorFlow has no others of two kinds: every window, of which some are taken
    y = tf.nn.depthwise_conv2d(x, filters, (1, stride, stride, 1), "VALID", dilations=layer.dilation)
    return (y if stride > 1 else y[:, :: layer.strides[0], :: layer.strides[1]])[:, :rows, :columns]


def _is_depthwise(layer: layers.Convolution) -> bool:
    return 1 < layer.groups == plane(layer.input_shape)[2]


def _pooled(layer: Pooling, x: Tensor) -> Tensor:
    """(batch, height, width, channels)"""
    import tensorflow as tf

    is_max = isinstance(layer, layers.MaxPooling)
    rows, columns = layer.output_plane
    around = ((0, 0), *layer.padding, (0, 0))
    x = tf.reshape(x, (-1, *plane(layer.input_shape)))
    pool = tf.nn.max_pool2d if is_max else tf.nn.avg_pool2d
    y = pool(tf.pad(x, around, constant_values=x.dtype.min if is_max else 0), layer.size, layer.strides, "VALID")
    if not is_max:
        there = tf.pad(tf.ones((1, *x.shape[1:3], 1)), around)
        y = y / tf.nn.avg_pool2d(there, layer.size, layer.strides, "VALID")
    return y[:, :rows, :columns]
