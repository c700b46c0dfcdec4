"""Sums of 16 bits, two in a word: how they become numbers of 8 bits. NN_PAIRS_END in C."""

from __future__ import annotations

from dataclasses import dataclass

from mcusim.graph import Layer
from mcusim.kernels.calls import Fields
from mcusim.numbers.numbers import Activation

WORD_BYTES = 4
MOST_BITS = 15  # that USAT16 leaves
MOST_SHIFT = 8  # beyond, bits of the next sum would come into the byte that is left
LEAST_PAIR, MOST_PAIR = -(2**15), 2**15 - 1  # sums


@dataclass(frozen=True)
class PairsEnd:
    """A shift to the right, and limits. `zero`: what stands for 0 meanwhile, so that no number is negative."""

    shift: int
    bits: int
    zero: int
    ceiling: int

    @property
    def offset(self) -> int:
        """To be added to sums."""
        return self.zero << self.shift


def pairs_end(layer: Layer, shift: int) -> PairsEnd | None:
    """None where the limits of a number need more bits than there are."""
    numbers, activation = layer.numbers, getattr(layer, "activation", Activation())
    assert numbers is not None
    limits = activation.fields(numbers)
    zero = 0 if activation.relu else -numbers.minimum
    bits = (numbers.maximum + zero).bit_length() + shift
    ceiling = limits.get("ceiling", 0)
    if bits > MOST_BITS or shift > MOST_SHIFT or (activation.ceiling is not None and ceiling == 0):
        return None
    return PairsEnd(shift, bits, zero, ceiling if ceiling < numbers.maximum else 0)


def end_fields(end: PairsEnd) -> Fields:
    fields = {"pair_shift": end.shift, "pair_bits": end.bits, "pair_zero": end.zero, "pair_ceiling": end.ceiling}
    return {name: value for name, value in fields.items() if value}
