"""Mixup: train on blends of two samples and of their labels (Zhang et al., ICLR 2018)."""

from __future__ import annotations

import numpy as np

from mcusim.system.arrays import Array


def mixup(x: Array, y: Array, alpha: float, random: np.random.Generator) -> tuple[Array, Array]:
    """Blend a batch with a shuffled copy of itself: one factor a batch from Beta(alpha, alpha), as its authors do.

    `x` (N, ...) and one-hot `y` (N, classes), float32; the same shapes come back. `alpha` 0 leaves the batch alone,
    1 draws every factor with the same chance.
    """
    if alpha == 0:
        return x, y
    factor = np.float32(random.beta(alpha, alpha))
    partner = random.permutation(len(x))
    return factor * x + (1 - factor) * x[partner], factor * y + (1 - factor) * y[partner]
