"""Kind of a Keras layer and its configuration -> what its weights are called, and which of them are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
