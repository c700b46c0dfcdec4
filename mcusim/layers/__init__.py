"""Everything Python knows of a layer, one file each: its Keras names, `run`, `quantize`, `lower`."""

from __future__ import annotations

from mcusim.graph import Layer
from mcusim.layers.activation import ReLU
from mcusim.layers.add import Add
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.layers.pooling import AveragePooling, MaxPooling
from mcusim.layers.reshape import Reshape
from mcusim.layers.softmax import Softmax
from mcusim.layers.zero_padding import ZeroPadding

LAYERS: tuple[type[Layer], ...] = (
    Input,
    Add,
    AveragePooling,
    BatchNormalization,
    Concatenate,
    Convolution,
    Dense,
    MaxPooling,
    ReLU,
    Reshape,
    Softmax,
    ZeroPadding,
)
BY_KERAS_NAME = {name: layer for layer in LAYERS for name in layer.KERAS}
# Nothing at inference; "Activation" becomes the layer that it names.
IDENTITIES = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "GaussianNoise",
    "GaussianDropout",
    "ActivityRegularization",
)
KERAS_NAMES = tuple(sorted({*BY_KERAS_NAME, *IDENTITIES, "Activation"}))
