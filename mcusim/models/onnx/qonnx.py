"""QONNX, what Brevitas and QKeras export: Quant nodes of any width -> integers of constants, numbers of activations.

A Quant rounds x / scale, cuts it to so many bits, and gives reals again (github.com/fastmachinelearning/qonnx). Those
of up to 8 bits are stored in 8: what is narrower lies between bounds that a ReLU can have.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mcusim.models.onnx.model import Node
from mcusim.numbers.affine import Affine
from mcusim.system.arrays import Array

DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
KINDS = ("Quant", "BipolarQuant")
BITS = 8
ROUNDINGS: Mapping[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "ROUND_TO_ZERO": np.trunc,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
}


@dataclass(frozen=True)
class Quant:
    """The integers from `low` to `high`. `round`: of those that are constants."""

    low: int
    high: int
    round: str

    def integers(self, reals: Array, scale: Array) -> Array:
        whole = ROUNDINGS[self.round](reals.astype(np.float64) / scale)
        return np.clip(whole, self.low, self.high).astype(np.int64)

    def numbers(self, scale: float) -> Affine | None:
        """Of an activation; None where 8 bits do not hold it."""
        zero = -(1 << (BITS - 1)) if self.low == 0 and self.high >= 1 << (BITS - 1) else 0
        numbers = Affine(BITS, scale, zero)
        fits = numbers.minimum <= self.low + zero and self.high + zero <= numbers.maximum
        return numbers if fits and self.round == "ROUND" else None

    def bounds(self, numbers: Affine) -> tuple[float, float] | None:
        """What is cut off, as reals; None where it is what the numbers cut off by themselves."""
        if (self.low + numbers.zero, self.high + numbers.zero) == (numbers.minimum, numbers.maximum):
            return None
        return self.low * numbers.scale, self.high * numbers.scale


def is_quant(node: Node) -> bool:
    return node.domain in DOMAINS and node.kind in KINDS


def quant_of(node: Node, bits: int) -> Quant | None:
    """None for one that is no Quant of whole bits, or rounds in another way."""
    signed, narrow = bool(node.attributes.get("signed", 1)), int(bool(node.attributes.get("narrow", 0)))
    rounding = str(node.attributes.get("rounding_mode", "ROUND"))
    if not 1 <= bits <= 32 or rounding not in ROUNDINGS:
        return None
    if signed:
        return Quant(-(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1, rounding)
    return Quant(0, (1 << bits) - 1 - narrow, rounding)
