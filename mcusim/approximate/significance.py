"""Channels of a layer in the order in which they may go, the least significant first.

`obs`: optimal brain surgeon by blocks. What the sums of all that read a channel lose when it goes, and the other
weights make up for it as well as they can (Hassibi and Stork, 1993). A sum counts as much as what reads it makes of it,
and as often as it is above zero.
`paper`: |weight| times the mean input, summed over all that reads a channel (Armeniakos et al., 2024).
`magnitude`: |weight| alone. `random`: chance, by the seed. These two show what a choice is worth.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcusim.approximate.approximation import Significance, Wanted
from mcusim.approximate.moments import Moments
from mcusim.approximate.paths import Path, path_of, places, reader_of
from mcusim.graph import Graph
from mcusim.system.arrays import Array


@dataclass(frozen=True, eq=False)
class Reading:
    """A layer that reads the channels: `weights` (K, F), `moments` of its inputs and sums, how much each sum counts."""

    weights: Array
    moments: Moments
    worth: Array


def reading_of(graph: Graph, name: str, moments: Moments) -> Reading:
    layer = reader_of(graph, name)
    weights = layer.kernel.reshape(len(layer.kernel), -1).T.astype(np.float64)
    path = path_of(graph, layer)
    worth = np.ones(layer.shape[-1]) if isinstance(path, str) else read_by(graph, path)  # 1 where it is not known
    return Reading(weights, moments, moments.active * worth)


def read_by(graph: Graph, path: Path) -> Array:
    """Squares of the weights that read each channel."""
    found = np.zeros(path.channels)
    for name in path.readers:
        found += (reader_of(graph, name).kernel.astype(np.float64) ** 2).reshape(-1, path.channels).sum(axis=0)
    return found


def order(readings: Sequence[Reading], channels: int, wanted: Wanted) -> Array:
    """So many `channels`, the least significant first."""
    return ORDERS[wanted.significance](readings, channels, wanted)


def _by_obs(readings: Sequence[Reading], channels: int, wanted: Wanted) -> Array:
    surgeons = [_Surgeon(reading, channels) for reading in readings]
    left, gone = list(range(channels)), list[int]()
    while left:
        lost = sum(surgeon.losses(left) for surgeon in surgeons)
        gone.append(left.pop(int(np.argmin(lost))))
        for surgeon in surgeons:
            surgeon.remove(gone[-1])
    return np.array(gone)


class _Surgeon:
    """Weights of a reading, and the inverse of its inputs' covariance, as channels go."""

    def __init__(self, reading: Reading, channels: int) -> None:
        size = len(reading.weights)
        self._blocks = [places(np.array([channel]), channels, size) for channel in range(channels)]
        self._weights = reading.weights * np.sqrt(reading.worth)
        self._inverse = np.linalg.inv(reading.moments.covariance + reading.moments.ridge * np.eye(size))

    def losses(self, left: Sequence[int]) -> Array:
        """Of each channel that is left: squared error of the sums without it."""
        blocks = np.array([self._blocks[channel] for channel in left])
        own = self._weights[blocks]
        solved = np.linalg.solve(self._inverse[blocks[:, :, None], blocks[:, None, :]], own)
        return np.asarray((own * solved).sum(axis=(1, 2)))

    def remove(self, channel: int) -> None:
        """The other weights make up for it. What is gone stays as if it told nothing of the others."""
        block = self._blocks[channel]
        columns, own = self._inverse[:, block], self._inverse[np.ix_(block, block)]
        self._weights -= columns @ np.linalg.solve(own, self._weights[block])
        self._inverse -= columns @ np.linalg.solve(own, columns.T)
        self._weights[block] = 0
        self._inverse[block], self._inverse[:, block] = 0, 0
        self._inverse[block, block] = 1


def _by_paper(readings: Sequence[Reading], channels: int, wanted: Wanted) -> Array:
    products = [(np.abs(one.weights) * np.abs(one.moments.mean)[:, None]).sum(axis=1) for one in readings]
    return _ascending(products, channels)


def _by_magnitude(readings: Sequence[Reading], channels: int, wanted: Wanted) -> Array:
    return _ascending([np.abs(one.weights).sum(axis=1) for one in readings], channels)


def _by_chance(readings: Sequence[Reading], channels: int, wanted: Wanted) -> Array:
    return np.random.RandomState(wanted.seed).permutation(channels)


def _ascending(of_inputs: Sequence[Array], channels: int) -> Array:
    """By the sum over all inputs of a channel."""
    total = sum(one.reshape(-1, channels).sum(axis=0) for one in of_inputs)
    return np.argsort(total, kind="stable")


ORDERS: Mapping[Significance, Callable[[Sequence[Reading], int, Wanted], Array]] = {
    "obs": _by_obs,
    "paper": _by_paper,
    "magnitude": _by_magnitude,
    "random": _by_chance,
}
