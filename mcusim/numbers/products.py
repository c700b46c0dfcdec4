"""What the sums of a layer are made of, as calibration samples have it: means and covariances of what is multiplied."""

from __future__ import annotations

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
    """

    real: Array
    stored: Array
    covariances: tuple[Array, ...]

    @staticmethod
    def of(real: Array, stored: Array) -> Products | None:
        """Both (groups, samples, taps). None when they are too large to be multiplied."""
        samples = stored.shape[1]
        means = stored.mean(axis=1, keepdims=True, dtype=np.float64)
        centered = (stored - means).astype(np.float32)
        blocks = [centered[..., start : start + BLOCK] for start in range(0, stored.shape[2], BLOCK)]
        with np.errstate(over="ignore", invalid="ignore"):
            covariances = tuple(
                (block.transpose(0, 2, 1) @ block).astype(np.float64) / max(samples, 1) for block in blocks
            )
        real_means = real.mean(axis=1, dtype=np.float64)
        if not all(np.isfinite(array).all() for array in (*covariances, real_means)):
            return None
        return Products(real_means, means[:, 0], tuple(_damped(array, samples) for array in covariances))


def _damped(covariance: Array, samples: int) -> Array:
    """Few samples make correlations where there are none."""
    size = covariance.shape[-1]
    share = SHRINKAGE * size / (SHRINKAGE * size + max(samples, 1))
    variances = np.diagonal(covariance, axis1=1, axis2=2)
    floor = DAMPING * variances.mean(axis=1, keepdims=True) + np.finfo(np.float32).tiny
    return np.asarray((1 - share) * covariance + np.eye(size) * (share * variances + floor)[:, None, :])
