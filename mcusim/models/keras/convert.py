"""Keras layer -> layers of a Graph: the converter of its kind, with what goes in and what comes out looked at."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from mcusim.graph import Layer
from mcusim.models.keras.channels_first import around, is_channels_first
from mcusim.models.keras.config import Config
from mcusim.models.keras.layer import KerasLayer
from mcusim.models.keras.layers import CONVERTERS, IDENTITIES
from mcusim.models.keras.variables import check_weights
from mcusim.models.problems import ODD
from mcusim.models.source import demand_computable

MERGING = ("Add", "Average", "Concatenate", "Divide", "Maximum", "Minimum", "Multiply", "Subtract")
WRAPPED = ("layer", "backward_layer")  # where a wrapper keeps what is inside


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
