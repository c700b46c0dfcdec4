"""The model's input: written by the caller of `cnn()`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcusim.graph import Layer
from mcusim.numbers.power_of_two import Format

if TYPE_CHECKING:
    from mcusim.line.quantize import Scheme


@dataclass(frozen=True, kw_only=True, eq=False)
class Input(Layer):
    """One to three axes, channels last."""

    KERAS = ("InputLayer",)

    def quantize(self, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> Layer:
        return replace(self, format=scheme.format(peak))
