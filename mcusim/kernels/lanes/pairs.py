"""Sums of 16 bits, two in a word: how they become numbers of 8 bits."""

from typing import NamedTuple

from mcusim.graph import Layer
from mcusim.kernels.assembly import Assembly, imm
from mcusim.kernels.kernel import known
from mcusim.kernels.lanes.words import Words
from mcusim.numbers.numbers import LINEAR, Activation

MOST_BITS = 15  # that USAT16 leaves
MOST_SHIFT = 8  # beyond, bits of the next sum would come into the byte that is left
LEAST_PAIR, MOST_PAIR = -(2**15), 2**15 - 1  # sums
PAIR_BYTES = 0x00FF00FF
BYTES = Words(8, True, LINEAR, None)


class PairsEnd(NamedTuple):
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
    numbers, activation = known(layer.numbers), getattr(layer, "activation", Activation())
    limits = activation.fields(numbers)
    zero = 0 if activation.relu else -numbers.minimum
    bits = (numbers.maximum + zero).bit_length() + shift
    ceiling = limits.get("ceiling", 0)
    if bits > MOST_BITS or shift > MOST_SHIFT or (activation.ceiling is not None and ceiling == 0):
        return None
    return PairsEnd(shift, bits, zero, ceiling if ceiling < numbers.maximum else 0)


def end_pairs(a: Assembly, even: str, odd: str, end: PairsEnd, mask: str) -> None:
    """Sums of bytes 0 and 2, and of 1 and 3 -> a word, in `even`. `mask` holds PAIR_BYTES where `end` shifts."""
    for name in (even, odd):
        a("usat16", name, imm(end.bits), name)
    if end.shift:
        for name in (even, odd):
            a("and", name, mask, name, f"lsr #{end.shift}")
    a("orr", even, even, odd, "lsl #8")
    BYTES.keep_within(a, even, (None, end.ceiling or None), odd)
    if end.zero:
        a("mov", odd, imm(end.zero * 0x01010101))
        a("usub8", even, even, odd)
