"""What the converters of `layers.py` may see of a Keras layer, at one place of the model where it is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError


@dataclass(frozen=True)
class KerasLayer:
    """`inputs`: names of the layers that it reads, `shapes` theirs. `arrays` as Keras orders its weights.

    A setting of `config` that may change the result and that the converter does not ask for is refused afterwards.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    arrays: tuple[Array, ...]
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    keras_version: str = ""  # that wrote the file, where it says so

    @property
    def shape(self) -> Shape:
        """Of the first input."""
        return self.shapes[0]

    @property
    def rank(self) -> int:
        """1 for (samples, channels), 2 for (height, width, channels)."""
        return len(self.shape) - 1

    def weight(self, index: int) -> Array:
        """A trained array as float32. Raises ModelError when it is absent, NaN or infinite."""
        if index >= len(self.arrays):
            raise self.refused("has no weights", "save the model after building it")
        with np.errstate(over="ignore"):
            array = np.asarray(self.arrays[index]).astype(np.float32)
        if not np.isfinite(array).all():
            raise self.refused("holds NaN or infinite weights", "train again with a lower learning rate")
        return array

    def refused(self, why: str, hint: str) -> ModelError:
        return ModelError(f"layer {self.name!r} ({self.kind}) {why}", hint=hint)

    def wrong(self, why: str, hint: str) -> ModelError:
        return ModelError(f"layer {self.name!r} ({self.kind}): {why}", hint=hint)
