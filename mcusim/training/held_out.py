"""Which training samples choose the best epoch instead of being learned."""

import numpy as np
import numpy.typing as npt

from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError

Indices = npt.NDArray[np.intp]


def hold_out(labels: Array, groups: Array | None, share: float, random: np.random.Generator) -> tuple[Indices, Indices]:
    """Indices to learn from and to validate on; the second is empty for share 0.

    Whole groups are held out when there are groups: windows of one person overlap, so a window held out alone is not
    unseen. Otherwise the same share of every class. ConfigurationError when nothing would be left on either side.
    """
    if share == 0:
        return np.arange(len(labels)), np.arange(0)
    held = _groups(groups, share, random) if groups is not None else _classes(labels, share, random)
    learned, validated = np.flatnonzero(~held), np.flatnonzero(held)
    if not len(validated) or not len(learned):
        raise ConfigurationError(
            f"validation = {share} of {len(labels)} training samples leaves {len(learned)} to learn from and "
            f"{len(validated)} to validate on",
            where="[training]",
            hint="give another share, or 0 for none",
        )
    return learned, validated


def _groups(groups: Array, share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Shuffled groups, taken as long as they bring the number of samples nearer to the share asked for."""
    held = np.zeros(len(groups), dtype=bool)
    wanted = share * len(groups)
    for group in random.permutation(np.unique(groups)):
        members = groups == group
        if abs(held.sum() + members.sum() - wanted) < abs(held.sum() - wanted):
            held |= members
    return held


def _classes(labels: Array, share: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        held[members[: round(share * len(members))]] = True
    return held
