"""Numbers of one system -> those of another, or reals: where layers of different schemes meet.

Fixed point is affine, too: a power of two for a scale, and 0 for a zero. So the arithmetic between systems is affine.
"""

from mcusim.numbers import affine
from mcusim.numbers.affine import Affine, FromReals, ToReals
from mcusim.numbers.formats import Format
from mcusim.numbers.numbers import Conversion, Numbers, Range, Scheme


def takes(scheme: Scheme | None, entry: Numbers | None) -> bool:
    """Does a layer of that scheme, None for reals, read `entry` as it is?"""
    if scheme is None or entry is None:
        return scheme is None and entry is None
    return entry.bits == scheme.bits and entry.header == scheme.header


def conversion_to(scheme: Scheme, entry: Numbers | None, values: Range) -> tuple[Conversion, Numbers]:
    """How `entry`, None for reals, becomes what `scheme` makes of a tensor with those `values`; and its numbers."""
    to = scheme.numbers_for(values)
    if entry is None:
        return FromReals(affine_of(to)), to
    if isinstance(to, Format) and not isinstance(entry, Format):
        return affine.conversion(affine_of(entry), affine_of(to)), to
    made = scheme.conversion(entry, to)
    assert made.numbers is not None
    return made, made.numbers


def to_reals(entry: Numbers) -> ToReals:
    return ToReals(affine_of(entry))


def affine_of(numbers: Numbers) -> Affine:
    """The same reals: fixed point is affine, too."""
    if isinstance(numbers, Format):
        return Affine(numbers.bits, 2.0**-numbers.fraction, 0, numbers.signed)
    return affine.as_affine(numbers)
