"""Configuration of a Keras layer, which remembers what was asked for: what nobody reads may not change the result."""

import math
from collections.abc import Mapping
from typing import Any

from mcusim.models.settings import Settings

# Without an effect at inference, or told again by the shapes of weights.
WITHOUT_EFFECT = (
    *("name", "trainable", "batch_shape", "batch_input_shape", "build_input_shape", "input_shape", "input_dim"),
    *("units", "filters", "kernel_size", "depth_multiplier", "rank", "momentum", "renorm_momentum", "synchronized"),
    *("fused", "sparse", "ragged", "optional", "seed", "implementation", "unroll", "use_cudnn"),
    *("unit_forget_bias", "input_length", "dropout", "recurrent_dropout", "autocast", "shared_object_id"),
    *("lora_alpha", "zero_output_for_mask"),
)
ENDINGS = ("_initializer", "_regularizer", "_constraint")
DEFAULTS = (("data_format", "channels_last"), ("groups", 1))  # Keras 2 writes groups where there are none
# What JSON has for them in a file that Keras wrote.
WHOLE, FLAGS, REALS, NAMES = (int,), (bool,), (int, float), (str, dict)
TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("units", "filters", "groups", "depth_multiplier", "n"), WHOLE),
    **dict.fromkeys(("use_bias", "center", "keepdims", "return_sequences", "return_state"), FLAGS),
    **dict.fromkeys(("go_backwards", "stateful", "reset_after", "time_major", "invert"), FLAGS),
    **dict.fromkeys(("epsilon", "rate"), REALS),
    **dict.fromkeys(("activation", "recurrent_activation"), NAMES),
    **dict.fromkeys(("padding_mode", "data_format", "interpolation"), (str,)),
}
LARGEST_NUMBER = 2**24
LARGEST_FLOAT = 3e38
QUANTIZED = ("int8", "int4", "float8", "gptq", "awq")


class Config(Settings):
    """As JSON has it."""

    def peek(self, key: str) -> Any:
        """Without a note of it; None for what is not there."""
        return self._values.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    @property
    def ignored(self) -> Mapping[str, Any]:
        """What is set and was not asked for, though it may change the result."""
        return {
            key: value
            for key, value in self._values.items()
            if key not in self._asked and key != "dtype" and _matters(key)
            if value is not None and value is not False and (key, value) not in DEFAULTS
        }

    @property
    def wild(self) -> str | None:
        """The first setting that is no number a layer can have: NaN, infinite, or beyond all sizes."""
        return next((key for key, value in self._values.items() if _matters(key) and _is_wild(value)), None)

    @property
    def mistyped(self) -> str | None:
        """The first setting that is not of the kind that Keras writes."""
        known = ((key, value, TYPES[key]) for key, value in self._values.items() if key in TYPES)
        return next((key for key, value, types in known if value is not None and type(value) not in types), None)

    @property
    def quantized(self) -> bool:
        """Keras keeps weights of such a layer as integers."""
        return any(str(_policy(self._values.get("dtype"))).startswith(name) for name in QUANTIZED)


def _matters(key: str) -> bool:
    return key not in WITHOUT_EFFECT and not key.endswith(ENDINGS)


def _is_wild(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) > LARGEST_NUMBER
    if isinstance(value, float):
        return not math.isfinite(value) or abs(value) > LARGEST_FLOAT
    if isinstance(value, Config):
        return value.wild is not None
    if isinstance(value, Mapping):
        return any(_is_wild(item) for key, item in value.items() if _matters(str(key)))
    return any(map(_is_wild, value)) if isinstance(value, (list, tuple)) else False


def _policy(dtype: Any) -> Any:
    """The name of a dtype, which newer versions of Keras wrap in an object; or its mode, which is how one begins."""
    config = dtype.get("config") if isinstance(dtype, Mapping) else None
    return config.get("name") or config.get("mode") if isinstance(config, Mapping) else dtype
