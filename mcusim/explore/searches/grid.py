"""Every point of the space."""

import itertools

from mcusim.explore.searches.search import Asking, Wanted
from mcusim.system.errors import ConfigurationError

NAME = "grid"
SUMMARY = "every point"


def missing() -> None:
    """Nothing."""


def ask(wanted: Wanted) -> Asking:
    """In the order of the axes. Raises ConfigurationError where there are more points than evaluations."""
    if wanted.space.size > wanted.evaluations:
        what = f"a grid has {wanted.space.size:,} points, and there may be {wanted.evaluations:,} evaluations"
        hint = 'raise evaluations in [explore], or choose search = "evolution"'
        raise ConfigurationError(what, where="[explore]", hint=hint)
    every = itertools.product(*(range(len(axis.values)) for axis in wanted.space.axes))
    while batch := list(itertools.islice(every, wanted.batch)):
        yield batch
