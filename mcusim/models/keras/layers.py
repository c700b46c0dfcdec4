"""Keras layer -> layers of a Graph, a function for each kind: the table of what can be read."""

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from mcusim.graph import Layer
from mcusim.layers import Concatenate, Reshape, Softmax
from mcusim.layers.strided_copy import MOST_AXES
from mcusim.models.keras import activations, merges, normalizations, recurrent, spatial, windows, wrappers
from mcusim.models.keras.activations import activation_layers, activation_name
from mcusim.models.keras.layer import KerasLayer

Converter = Callable[[KerasLayer], list[Layer]]  # the last of the layers is the output

# Nothing at inference: regularization and augmentation. RandomCrop is not among them, it crops there, too.
IDENTITIES = (
    *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "Identity"),
    *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    *("AugMix", "CutMix", "MixUp", "RandAugment", "Solarization"),
    *("RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomElasticTransform"),
    *("RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHeight", "RandomHue"),
    *("RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation"),
    *("RandomSharpness", "RandomShear", "RandomTranslation", "RandomWidth", "RandomZoom"),
)


def _activated(convert: Converter, keras: KerasLayer) -> list[Layer]:
    """With the `activation=...` of a Keras layer as a layer of its own, to be fused by `optimize`."""
    layers = convert(keras)
    end, activation = layers[-1], keras.config.get("activation")
    name = f"{end.name}_{activation_name(activation)}"
    return [*layers, *activation_layers(keras, activation, name, (end.name,), end.shape)]


def _softmax(keras: KerasLayer) -> list[Layer]:
    axis = keras.config.get("axis", -1)
    if axis not in (-1, len(keras.shape)):
        raise keras.refused(f"works on axis {axis}", "use the last axis")
    return [Softmax(name=keras.name, inputs=keras.inputs, shape=keras.shape)]


def _concatenate(keras: KerasLayer) -> list[Layer]:
    shapes, given = keras.shapes, keras.config.get("axis", -1)
    rank = len(shapes[0])
    axis = given - 1 if type(given) is int and given > 0 else given + rank if type(given) is int else rank
    if not 0 <= axis < rank or given == 0 or len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) > 1:
        joined = ", ".join(map(str, shapes))
        raise keras.refused(f"joins {joined} along axis {given}", "its inputs may differ in that axis alone")
    shape = (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])
    return [Concatenate(name=keras.name, inputs=keras.inputs, shape=shape, axis=axis)]


def _reshape(keras: KerasLayer) -> list[Layer]:
    windows.check_channels_last(keras)
    elements = int(np.prod(keras.shape))
    target = [elements] if keras.kind == "Flatten" else keras.config.get("target_shape")
    if not isinstance(target, (list, tuple)) or any(type(size) is not int for size in target):
        raise keras.wrong(f"target_shape is {target!r}", "use whole numbers")
    shape = list(target)
    if shape.count(-1) == 1:
        shape[shape.index(-1)] = elements // max(1, -math.prod(shape))
    if math.prod(shape) != elements or not 1 <= len(shape) <= MOST_AXES or min(shape) < 1:
        hint = f"use one to {MOST_AXES} axes and the same number of elements"
        raise keras.refused(f"turns {keras.shape} into {tuple(shape)}", hint)
    if tuple(shape) == keras.shape:
        return []
    return [Reshape(name=keras.name, inputs=keras.inputs, shape=tuple(shape))]


CONVERTERS: Mapping[str, Converter] = {
    "Concatenate": _concatenate,
    "Dense": partial(_activated, windows.dense),
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Softmax": _softmax,
    **{name: partial(_activated, convert) for name, convert in windows.CONVOLUTIONS.items()},
    **windows.POOLINGS,
    **windows.PADDINGS,
    **normalizations.CONVERTERS,
    **{name: partial(_activated, convert) for name, convert in spatial.TRANSPOSED.items()},
    **spatial.MOVING,
    **recurrent.CONVERTERS,
    "TimeDistributed": lambda keras: wrappers.time_distributed(keras, CONVERTERS, IDENTITIES),
    **activations.CONVERTERS,
    **merges.CONVERTERS,
}
KERAS_NAMES = tuple(sorted({*CONVERTERS, *IDENTITIES, "InputLayer"}))
