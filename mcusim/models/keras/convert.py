"""Keras layer -> layers of a Graph: the converter of its kind, with what goes in and what comes out looked at.

Kernels know channels last alone: a layer that is told `data_format="channels_first"` becomes the same layer between
Permutes. Those that only name an axis (BatchNormalization, Concatenate) stay as they are.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from mcusim.graph import Layer
from mcusim.models.keras.config import Config
from mcusim.models.keras.layer import KerasLayer
from mcusim.models.keras.layers import CONVERTERS, IDENTITIES
from mcusim.models.keras.spatial import permuted
from mcusim.models.keras.variables import check_weights
from mcusim.models.problems import ODD
from mcusim.models.source import demand_computable

MERGING = ("Add", "Average", "Concatenate", "Divide", "Maximum", "Minimum", "Multiply", "Subtract")
WRAPPED = ("layer", "backward_layer")  # where a wrapper keeps what is inside
FIRST, LAST = "channels_first", "channels_last"


def converted(keras: KerasLayer) -> list[Layer]:
    """Raises ModelError for what cannot be converted, also for a setting that changes the result unnoticed."""
    if is_channels_first(keras):
        return around(keras, converted)
    own = _with_memory(keras)
    configs = list(_configs(own.config))
    _check_settings(own, configs)
    try:
        layers = CONVERTERS[keras.kind](own)
        check_weights(own, keras.config)
    except ODD as error:
        with suppress(*ODD):  # which weights such settings ask for may be as little understood
            check_weights(own, keras.config)
        why = f"its settings cannot be understood ({type(error).__name__}: {str(error)[:80]!r})"
        raise keras.wrong(why, "build it with Keras, and save it again") from None
    for config in configs:
        for key, value in config.ignored.items():
            raise keras.wrong(f"{key} = {value!r:.80} has no meaning here", f"leave {key!r} out")
    for layer in layers:
        demand_computable(layer, keras.refused)
    return layers


def _with_memory(keras: KerasLayer) -> KerasLayer:
    """With a Config for its settings, and for those of the layers inside a wrapper."""
    settings = dict(keras.config)
    for key in WRAPPED:
        inner = settings.get(key)
        if isinstance(inner, Mapping) and isinstance(inner.get("config"), Mapping):
            settings[key] = {**inner, "config": Config(inner["config"])}
    return replace(keras, config=Config(settings))


def _configs(config: Mapping[str, object]) -> Iterator[Config]:
    if isinstance(config, Config):
        yield config
        for inner in map(config.peek, WRAPPED):
            if isinstance(inner, Mapping) and inner.get("class_name") not in IDENTITIES:
                yield from _configs(inner.get("config", {}))


def _check_settings(keras: KerasLayer, configs: list[Config]) -> None:
    for config in configs:
        if config.wild is not None:
            hint = "save a model with settings of a sensible size"
            raise keras.wrong(f"{config.wild} is {config.peek(config.wild)!r:.80}", hint)
        if config.mistyped is not None:
            raise keras.wrong(f"{config.mistyped} is {config.peek(config.mistyped)!r:.80}", "save the model again")
        if config.quantized:
            raise keras.refused("is quantized by Keras", "save the float model; mcusim quantizes it")
    if len(keras.inputs) != 1 and keras.kind not in MERGING:
        raise keras.refused(f"is called with {len(keras.inputs)} tensors", "give it one")


def is_channels_first(keras: KerasLayer) -> bool:
    """With axes to move."""
    return keras.config.get("data_format") == FIRST and keras.rank in (1, 2)


def around(keras: KerasLayer, convert: Callable[[KerasLayer], list[Layer]]) -> list[Layer]:
    """`convert` makes the layer itself, on channels that come last."""
    axes = range(len(keras.shape))
    first = permuted(replace(keras, name=f"{keras.name}_channels_last"), [*axes[1:], 0])
    config = {**keras.config, "data_format": LAST}
    own = replace(keras, config=config, inputs=(first.name,), shapes=(first.shape,))
    if keras.kind == "Flatten":  # Keras flattens what has its channels last
        return [first, *convert(own)]
    made = convert(replace(own, name=f"{keras.name}_planes"))
    if not made or len(made[-1].shape) != len(axes):  # nothing is left to move behind a global pooling
        return [first, *convert(own)]
    end = made[-1]
    back = replace(keras, inputs=(end.name,), shapes=(end.shape,))
    return [first, *made, permuted(back, [axes[-1], *axes[:-1]])]
