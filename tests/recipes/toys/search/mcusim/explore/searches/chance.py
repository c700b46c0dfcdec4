"""The base, and points by chance."""

import random

from mcusim.explore.searches.search import Asking, Wanted

NAME = "chance"
SUMMARY = "points by chance"


def missing() -> None:
    """Nothing."""


def ask(wanted: Wanted) -> Asking:
    """As many as there may be, or are."""
    drawn, seen = random.Random(wanted.seed), {wanted.space.base}
    yield [wanted.space.base]
    while len(seen) < min(wanted.evaluations, wanted.space.size):
        genes = tuple(drawn.randrange(len(axis.values)) for axis in wanted.space.axes)
        if genes not in seen:
            seen.add(genes)
            yield [genes]
