"""What every data set is: samples, labels and class names, already split; and the z-score learned from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.system.arrays import Array, Floats, Labels
from mcusim.system.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Samples (N, *shape) float32, labels (N,) int64 as indices into `classes`; the split is the publisher's.

    `groups_train` (N,) names the source of each training sample (a person, a track): samples of one group are so alike
    that a validation set must hold out whole groups. None when samples are independent.
    """

    name: str
    x_train: Floats
    y_train: Labels
    x_test: Floats
    y_test: Labels
    classes: tuple[str, ...]
    groups_train: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, channels last."""
        return tuple(self.x_train.shape[1:])


@dataclass(frozen=True)
class Normalization:
    """(x - mean) / std for each channel, the last axis. Kept with the model: a model is worth nothing without it."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, x_train: Floats) -> Normalization:
        """Statistics of (N, ..., channels) over everything but channels. A constant channel keeps its size: std 1."""
        axes = tuple(range(x_train.ndim - 1))
        wide = x_train.astype(np.float64)
        mean, std = wide.mean(axis=axes), wide.std(axis=axes)
        return cls(_floats(mean), _floats(np.where(std > 0, std, 1.0)))

    def apply(self, x: Floats) -> Floats:
        """(N, ..., channels) float32 -> the same shape. DataError when the number of channels differs."""
        if x.shape[-1] != len(self.mean):
            raise DataError(
                f"the model was normalized for {len(self.mean)} channels, the samples have {x.shape[-1]}",
                hint="use the data set that the model was trained on",
            )
        normalized = (x - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.asarray(normalized, dtype=np.float32)

    def to_dict(self) -> dict[str, list[float]]:
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Normalization:
        """Inverse of `to_dict`. DataError when the numbers cannot be statistics, whoever wrote them."""
        try:
            mean = tuple(float(value) for value in values["mean"])
            std = tuple(float(value) for value in values["std"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise DataError("the stored normalization is unreadable", hint="train the model again") from None
        usable = mean and len(mean) == len(std) and all(map(math.isfinite, mean + std)) and min(std) > 0
        if not usable:
            raise DataError("the stored normalization holds impossible numbers", hint="train the model again")
        return cls(mean, std)


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in np.atleast_1d(values))
