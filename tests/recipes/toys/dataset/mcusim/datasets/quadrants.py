"""Points of the plane and the quadrant that each lies in: made, not downloaded."""

from __future__ import annotations

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.system.arrays import Array, Labels
from mcusim.system.progress import Progress

SUMMARY = "points of the plane, 4 features, 3 classes, 60 + 40 samples, made up"
LICENCE = "none needed: made up here"


def load(progress: Progress | None = None) -> Dataset:
    x, y = _points(100)
    return Dataset("quadrants", x[:60], y[:60], x[60:], y[60:], ("left", "above", "below"))


def _points(count: int) -> tuple[Array, Labels]:
    x = np.random.default_rng(4).normal(size=(count, 4)).astype(np.float32)
    return x, np.where(x[:, 0] < 0, 0, np.where(x[:, 1] > 0, 1, 2)).astype(np.int64)
