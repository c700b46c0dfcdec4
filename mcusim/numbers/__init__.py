"""How reals become integers, and sums become outputs: a module for each number system, listed here."""

from typing import Protocol

from mcusim.numbers import affine_scheme, power_of_two
from mcusim.numbers.numbers import Rounding, Scheme


class NumberSystem(Protocol):
    """A module. `SCHEMES`: words of [[quantization]] `scheme` that it understands; `HEADER`: its C twin."""

    NAME: str
    HEADER: str

    @property
    def SCHEMES(self) -> tuple[str, ...]: ...

    def make_scheme(
        self, bits: int, scheme: str, fraction: int | None, rounding: Rounding, weight_bits: int | None = None
    ) -> Scheme:
        """`weight_bits`: of weights, where they have fewer."""


NUMBERS: tuple[NumberSystem, ...] = (power_of_two, affine_scheme)
DEFAULT_SCHEME = power_of_two.SCHEMES[0]
INT8_SCHEME = affine_scheme.SCHEMES[0]
SCHEMES = tuple(word for system in NUMBERS for word in system.SCHEMES)
