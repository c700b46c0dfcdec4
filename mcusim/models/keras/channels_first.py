"""Keras layer that is told `data_format="channels_first"` -> the same layer with the channels last, between Permutes.

Kernels know channels last alone. Layers that only name an axis (BatchNormalization, Concatenate) stay as they are.
"""

from collections.abc import Callable
from dataclasses import replace

from mcusim.graph import Layer
from mcusim.models.keras.layer import KerasLayer
from mcusim.models.keras.spatial import permuted

FIRST, LAST = "channels_first", "channels_last"


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
