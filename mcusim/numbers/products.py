"""What the sums of a layer are made of, as calibration samples have it: means and covariances of what is multiplied."""

from dataclasses import dataclass

import numpy as np

from mcusim.system.arrays import Array

BLOCK = 768  # inputs of a sum that know of each other: the cost rises with the third power
DAMPING = 0.01  # share of the mean variance that is added to each: what was never seen may come
SHRINKAGE = 0.1  # towards no covariance at all, for as many samples as inputs


@dataclass(frozen=True, eq=False)
class Products:
    """Of the inputs of a layer's sums, by group and tap (groups, taps): their mean, real and as stored.

    `covariances`: of the stored ones, (groups, block, block) for one block of taps after the other.
    `compensations`, likewise: rows of weights, times these, are what is to be added to them, so that sums of stored
    inputs are as near as can be to those of real ones.
    """

    real: Array
    stored: Array
    covariances: tuple[Array, ...]
    compensations: tuple[Array, ...]

    @staticmethod
    def of(real: Array, stored: Array) -> "Products | None":
        """Both (groups, samples, taps). None when they are too large to be multiplied."""
        samples = stored.shape[1]
        parts = [slice(start, start + BLOCK) for start in range(0, stored.shape[2], BLOCK)]
        blocks = [_block(real[..., part], stored[..., part]) for part in parts]
        means, real_means = (x.mean(axis=1, dtype=np.float64) for x in (stored, real))
        if not all(np.isfinite(array).all() for array in (real_means, *(array for block in blocks for array in block))):
            return None
        damped = tuple(_damped(covariance, samples) for covariance, _, _ in blocks)
        changes = [
            _compensation(covariance, cross, lost, samples)
            for covariance, (_, cross, lost) in zip(damped, blocks, strict=True)
        ]
        return Products(real_means, means, damped, tuple(changes))


def _block(real: Array, stored: Array) -> tuple[Array, Array, Array]:
    """Of some taps the covariance of stored inputs, that of what real ones have more with them, and its variance."""
    with np.errstate(over="ignore", invalid="ignore"):
        centered = _centered(stored)
        lost = _centered(real) - centered
        variance = np.square(lost, dtype=np.float64).mean(axis=1).sum(axis=1)
        return _products(centered, centered), _products(lost, centered), variance


def _centered(x: Array) -> Array:
    return np.asarray((x - x.mean(axis=1, keepdims=True, dtype=np.float64)).astype(np.float32))


def _products(first: Array, second: Array) -> Array:
    """Both (groups, samples, taps) -> their mean product (groups, taps, taps)."""
    return np.asarray((first.transpose(0, 2, 1) @ second).astype(np.float64) / max(first.shape[1], 1))


def _compensation(covariance: Array, cross: Array, lost: Array, samples: int) -> Array:
    """What stored inputs tell of what real ones have more: `cross` is the covariance of both, `lost` (groups,) its own.

    As much of that as inputs seem to tell by chance, where they are many and samples few, is not believed.
    """
    change = np.linalg.solve(covariance, cross.transpose(0, 2, 1)).transpose(0, 2, 1)
    told = (change * cross).sum(axis=(1, 2))
    chance = lost * cross.shape[-1] / max(samples, 1)
    share = np.where(told > chance, 1 - chance / np.where(told > 0, told, 1), 0)
    return np.asarray(change * share[:, None, None])


def _damped(covariance: Array, samples: int) -> Array:
    """Few samples make correlations where there are none."""
    size = covariance.shape[-1]
    share = SHRINKAGE * size / (SHRINKAGE * size + max(samples, 1))
    variances = np.diagonal(covariance, axis1=1, axis2=2)
    floor = DAMPING * variances.mean(axis=1, keepdims=True) + np.finfo(np.float32).tiny
    return np.asarray((1 - share) * covariance + np.eye(size) * (share * variances + floor)[:, None, :])
