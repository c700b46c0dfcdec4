"""Weights of a Graph -> the Keras model that it was read from, in which they may be in parts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.graph import Graph
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.models.source import Origin, Source
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.system.names import printable, shortened
from mcusim.training.keras_setup import LONGEST_TOLD, import_keras


def loaded(file: Path) -> Any:
    """The model of a file. DataError where this Keras does not know what an older one saved."""
    try:
        return import_keras().models.load_model(file, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as error:
        first = printable(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        what = f"Keras cannot load {file.name!r} to train it: {shortened(first, LONGEST_TOLD)}"
        raise DataError(what, where=str(file), hint="save it with Keras 3, or train from an architecture") from None


def biases_without_place(model: Any, source: Source, graph: Graph) -> set[str]:
    """Layers (of `graph`) whose bias the model cannot hold: it stays as it is, 0."""
    found = set()
    for made in graph:
        if isinstance(made, WeightedSum) and not isinstance(made, BatchNormalization):
            own = _layer_of(model, source, made.name)
            if not own.use_bias and _shift_behind(model, source, made.name) is None:
                found.add(made.name)
    return found


def giver(model: Any, source: Source) -> Callable[[Graph], Any]:
    """What gives `model` the weights of a graph made from `source`; normalizations, which are folded, do nothing."""

    sums = [_origin(source, layer.name) for layer in source.graph if isinstance(layer, WeightedSum)]
    twice = next((one for at, one in enumerate(sums) if one and one.path in [o.path for o in sums[:at] if o]), None)
    if twice:
        raise _no_place(".".join(twice.path))

    def give(graph: Graph) -> Any:
        for layer in _all_layers(model):
            if type(layer).__name__ == "BatchNormalization":
                _make_idle(layer)
        for made in graph:
            if isinstance(made, WeightedSum):
                _give(model, source, made)
        return model

    return give


def _give(model: Any, source: Source, made: WeightedSum) -> None:
    own = _layer_of(model, source, made.name)
    if isinstance(made, BatchNormalization):
        if not (own.scale and own.center):
            raise _no_place(made.name)
        own.gamma.assign(made.kernel.reshape(-1))
        own.beta.assign(made.bias)
        return
    kernel = next(getattr(own, name) for name in ("depthwise_kernel", "kernel", "_kernel") if hasattr(own, name))
    kernel.assign(np.moveaxis(made.kernel, 0, -1).reshape(kernel.shape))
    if own.use_bias:
        own.bias.assign(made.bias)
    elif made.bias.any():
        shift = _shift_behind(model, source, made.name)
        if shift is None:
            raise _no_place(made.name)
        shift.assign(made.bias)


def _make_idle(layer: Any) -> None:
    """A scale of exactly 1 in float32: 1 - epsilon and epsilon are 1, but for less than half of its last place."""
    shape = layer.moving_variance.shape
    layer.moving_mean.assign(np.zeros(shape))
    layer.moving_variance.assign(np.full(shape, 1 - layer.epsilon))
    if layer.scale:
        layer.gamma.assign(np.ones(shape))
    if layer.center:
        layer.beta.assign(np.zeros(shape))


def _shift_behind(model: Any, source: Source, name: str) -> Any:
    """What the normalization behind a layer adds, where the bias of one that has none was folded from; or None."""
    for reader in source.as_read.consumers(name):
        if isinstance(reader, BatchNormalization):
            return _layer_of(model, source, reader.name).beta
    return None


def _origin(source: Source, name: str) -> Origin | None:
    """Of a layer, or of the activation behind it, which to Keras is a part of it."""
    origin = source.origins.get(name)
    if origin is not None:
        return origin
    behind = source.as_read.consumers(name)
    step = len(behind) == 1 and not isinstance(behind[0], WeightedSum)
    return _origin(source, behind[0].name) if step else None


def _layer_of(model: Any, source: Source, name: str) -> Any:
    origin = _origin(source, name)
    if origin is None or not origin.path:
        raise _no_place(name)
    for part in origin.path:
        model = model.get_layer(part)
    return model


def _no_place(name: str) -> ConfigurationError:
    hint = "build it of Conv, DepthwiseConv and Dense layers, each called once"
    return ConfigurationError(f"the model has no place for the trained weights of {name!r}", hint=hint)


def _all_layers(model: Any) -> list[Any]:
    return [inner for layer in model.layers for inner in (_all_layers(layer) if hasattr(layer, "layers") else [layer])]
