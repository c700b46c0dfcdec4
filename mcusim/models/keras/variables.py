"""Kind of a Keras layer and its configuration -> what its weights are called, which are trained, and their shapes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcusim.models.keras.layer import KerasLayer


@dataclass(frozen=True)
class Variables:
    """Names as Keras calls them, in the order of `get_weights`."""

    trained: tuple[str, ...]
    rest: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.trained, *self.rest)


RECURRENT = ("LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D")
RANKS = ("", "1D", "2D", "3D")
# With a bias where the layer has one.
SUMS = {
    "Dense": ("kernel",),
    "EinsumDense": ("kernel",),
    **{f"Conv{rank}{transposed}": ("kernel",) for rank in RANKS[1:] for transposed in ("", "Transpose")},
    **{f"DepthwiseConv{rank}": ("depthwise_kernel",) for rank in RANKS[1:]},
    **{f"SeparableConv{rank}": ("depthwise_kernel", "pointwise_kernel") for rank in RANKS[1:]},
    **{kind: ("kernel", "recurrent_kernel") for kind in RECURRENT},
}
NORMALIZATIONS = ("BatchNormalization", "LayerNormalization", "GroupNormalization")


def variables(kind: str, config: Mapping[str, Any]) -> Variables:
    """None for a kind that has none, or that nobody knows."""
    if kind in SUMS:
        return Variables((*SUMS[kind], *(("bias",) if config.get("use_bias", True) else ())))
    if kind in NORMALIZATIONS:
        trained = [name for name, key in (("gamma", "scale"), ("beta", "center")) if config.get(key, True)]
        return Variables(tuple(trained), ("moving_mean", "moving_variance") if kind == NORMALIZATIONS[0] else ())
    if kind == "PReLU":
        return Variables(("alpha",))
    if kind == "Embedding":
        return Variables(("embeddings",))
    if kind == "Normalization" and config.get("mean") is None:
        return Variables((), ("mean", "variance", "count"))
    return _wrapped(kind, config)


def _wrapped(kind: str, config: Mapping[str, Any]) -> Variables:
    inner = config.get("layer")
    if kind not in ("TimeDistributed", "Bidirectional") or not isinstance(inner, Mapping):
        return Variables(())
    settings = inner.get("config")
    found = variables(str(inner.get("class_name")), settings if isinstance(settings, Mapping) else {})
    return found if kind == "TimeDistributed" else Variables(found.trained * 2, found.rest * 2)


def check_weights(keras: KerasLayer, config: Mapping[str, Any]) -> None:
    """Raises ModelError when the stored weights are not those that the settings and the input ask for."""
    names, wanted = variables(keras.kind, config).all, _shapes(keras, config)
    if wanted is None:
        return
    if len(keras.arrays) < len(names):
        raise keras.refused(
            "has no weights" if not keras.arrays else "lacks weights", "save the model after building it"
        )
    if len(keras.arrays) > len(names):
        raise keras.refused(f"has {len(names)} weights, and {len(keras.arrays)} are stored", "save the model again")
    for name, array, shape in zip(names, keras.arrays, wanted, strict=False):
        if len(shape) != array.ndim or any(a not in (b, None) for a, b in zip(shape, array.shape, strict=True)):
            why = f"needs {name} of shape {shape}, and {array.shape} is stored"
            raise keras.refused(why, "save the model again: its settings and its weights differ")


Shapes = list[tuple["int | None", ...]]  # None: any length


def _shapes(keras: KerasLayer, config: Mapping[str, Any]) -> Shapes | None:
    """In the order of `variables`, a bias where there is none included. None for kinds that look for themselves."""
    kind, channels = keras.kind, keras.shape[-1]
    units, filters = config.get("units"), config.get("filters")
    if kind == "Dense":
        return [(channels, units), (units,)]
    if kind == "BatchNormalization":
        return [(channels,)] * 4 if config.get("axis", -1) in (-1, len(keras.shape), [-1], [len(keras.shape)]) else None
    if kind not in SUMS or "Conv" not in kind or kind in RECURRENT:
        return None
    rank, multiplier = keras.rank, config.get("depth_multiplier", 1)
    sizes = config.get("kernel_size")
    window = tuple(sizes) if isinstance(sizes, (list, tuple)) else (sizes,) * rank
    if kind.startswith("Depthwise"):
        return [(*window, channels, multiplier), (channels * multiplier,)]
    if kind.startswith("Separable"):
        return [(*window, channels, multiplier), (*(1,) * rank, channels * multiplier, filters), (filters,)]
    if kind.endswith("Transpose"):
        return [(*window, filters, channels), (filters,)]
    groups = config.get("groups", 1)
    if type(groups) is not int or groups < 1 or channels % groups or (filters or groups) % groups:
        raise keras.wrong(f"{groups!r} groups do not divide {channels} channels", "save the model again")
    return [(*window, channels // groups, filters), (filters,)]
