"""Which samples of a set stand for all of them: a choice at random, by class where there are classes.

Regular steps would not do: they fall into step with sets that are sorted, or in which classes take turns.
"""

import numpy as np

from mcusim.datasets.targets import MOST_CLASSES, are_whole, column, is_one_hot
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of


def choose(total: int, count: int | str, labels: Array | None = None, seed: int = 0) -> Array:
    """Positions of `count` of `total` samples, sorted; "all" of them, or as many as there are.

    Where `labels` are whole numbers (total,) or one-hot, each class has its share of the choice, and at least one
    sample when `count` allows that; where they are records of several outputs, each combination of classes. More than
    MOST_CLASSES are no classes. The same seed makes the same choice on any machine, and what is chosen for a small
    `count` is most of what is chosen for a larger one.
    """
    if count == "all" or int(count) >= total:
        return np.arange(total)
    if int(count) == 0:
        return np.arange(0)
    count = int(count)
    # RandomState and not default_rng: NumPy promises that its numbers never change.
    keys = np.random.RandomState(seed).random_sample(total)
    strata = _strata(labels, total)
    sizes = np.bincount(strata)
    if len(sizes) > min(count, MOST_CLASSES):  # not one for each; or they are amounts, and no classes
        strata, sizes = np.zeros(total, np.int64), np.array([total])
    drawn = [
        members[np.argsort(keys[members], kind="stable")[:quota]]
        for members, quota in zip(_members(strata, len(sizes)), _quotas(sizes, count, keys), strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def _strata(labels: Array | None, total: int) -> Array:
    """Numbers (total,) from 0 without gaps: the class of each sample, or of several outputs their combination."""
    classes = [] if labels is None else [y for y in map(_numbers, fields_of(labels).values()) if y is not None]
    strata = np.zeros(total, np.int64)
    for y in classes:
        own = np.unique(y, return_inverse=True)[1]
        strata = np.unique(strata * (own.max(initial=0) + 1) + own, return_inverse=True)[1]
    return strata


def _numbers(y: Array) -> Array | None:
    """Class numbers, as far as targets may be some: whole numbers, or one-hot."""
    y = y.argmax(axis=1) if is_one_hot(y) else column(y)
    return y if y.ndim == 1 and are_whole(y) else None


def _members(strata: Array, count: int) -> list[Array]:
    """Positions of the samples of each stratum."""
    order = np.argsort(strata, kind="stable")
    return np.split(order, np.searchsorted(strata[order], np.arange(1, count)))


def _quotas(sizes: Array, count: int, keys: Array) -> Array:
    """Shares of `count` by largest remainder, none below 1; `count` is not below the number of strata."""
    exact = sizes * (count / sizes.sum())
    quotas: Array = np.floor(exact).astype(np.int64)
    remainders = exact - quotas
    # Of equal remainders those come first that chance says: else it would always be the first classes.
    order = np.lexsort((keys[: len(sizes)], -np.round(remainders, 9)))
    quotas[order[: count - quotas.sum()]] += 1
    while (quotas == 0).any():
        richest = np.argmax(np.where(quotas > 1, quotas - exact, -np.inf))
        quotas[richest] -= 1
        quotas[np.argmin(quotas)] += 1
    return quotas
