"""Division by a constant as a multiplication: exact, which is proved for all numerators that there can be."""

from __future__ import annotations

from dataclasses import dataclass

WORD, MOST = 2**32, 2**31 - 1  # of a product the high word is left; a factor has a sign


@dataclass(frozen=True)
class Reciprocal:
    """floor(n / count) is ((n + base x count) x factor >> 32 + shift) - base."""

    factor: int
    shift: int
    base: int


def reciprocal(count: int, least: int, most: int) -> Reciprocal | None:
    """For every n from `least` to `most`; None where there is no such factor.

    The base makes numerators positive. Then n x factor / 2^(32 + shift) is n / count plus n x error / (count x 2^..):
    less than 1 / count too much, so that it never reaches the next integer.
    """
    base = -(least // count) if least < 0 else 0
    top = most + base * count
    for shift in range(31, -1, -1):
        scale = WORD << shift
        factor = -(-scale // count)
        error = factor * count - scale
        if factor <= MOST:
            return Reciprocal(factor, shift, base) if top <= MOST and top * error < scale else None
    return None
