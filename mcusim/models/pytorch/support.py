"""Which functions of PyTorch can be read, for `mcusim layers`: those that modules become when they are exported."""

from mcusim.models.listing import Listing
from mcusim.models.pytorch.translate import GROUPS, ON_LENGTHS

LENGTHS = "of lengths"
WORDS = {LENGTHS: "whole numbers that a program computes where a batch is open"}


def listings() -> tuple[Listing, ...]:
    found = {name: (kind,) for kind, group in GROUPS.items() for name in group} | dict.fromkeys(ON_LENGTHS, (LENGTHS,))
    return (Listing("function", ("what it is",), dict(sorted(found.items())), WORDS),)
