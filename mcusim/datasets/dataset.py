"""What every data set is: samples, labels and class names, already split; and the z-score learned from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.system.arrays import Array, Floats
from mcusim.system.errors import DataError
from mcusim.system.records import fields_of


@dataclass(frozen=True)
class Dataset:
    """N samples and their targets; the split is the publisher's. None where there are none: only `x_test` has to be.

    Of one input `x` is (N, *shape) float32. Targets of one output are (N,) or (N, *shape), numbers of any type: what
    they mean is the business of a task (mcusim/tasks/). Where `classes` are named they are indices into them.
    Of several inputs or outputs there are records, see `records.py`: `x["audio"]` is (N, *shape), and `len(x)` and
    `x[positions]` are the same for both. `classes` of several outputs are told by name.

    `groups_train` (N,) names the source of each training sample (a person, a track): samples of one group are so alike
    that a validation set must hold out whole groups. None when samples are independent. `notes`: what a reader of
    figures should know of the data.
    """

    name: str
    x_train: Array | None
    y_train: Array | None
    x_test: Array
    y_test: Array | None
    classes: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ()
    groups_train: Array | None = None
    notes: tuple[str, ...] = ()

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of one sample for each input, channels last; an only one is called ""."""
        x = self.x_test if self.x_train is None else self.x_train
        return {name: tuple(x.shape[1:]) for name, x in fields_of(x).items()}

    @property
    def outputs(self) -> tuple[str, ...]:
        """What there are targets for; an only one is called ""."""
        y = self.y_test if self.y_train is None else self.y_train
        return () if y is None else tuple(fields_of(y))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample of the only input. DataError when there are several."""
        if len(self.inputs) > 1:
            what = f"data set {self.name!r} has {len(self.inputs)} inputs: {', '.join(self.inputs)}"
            raise DataError(what, hint="use a data set of one input")
        return self.inputs[""]

    def classes_of(self, output: str = "") -> tuple[str, ...]:
        """Class names of an output; "" for the only one. Empty where nobody named them."""
        classes = self.classes if isinstance(self.classes, Mapping) else {"": self.classes}
        return classes.get(output, ())


@dataclass(frozen=True)
class Normalization:
    """(x - mean) / std for each channel, the last axis. Kept with the model: a model is worth nothing without it."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, x_train: Floats) -> Normalization:
        """Statistics of (N, ..., channels) over everything but channels. A constant channel keeps its size: std 1.

        Raises DataError without a sample.
        """
        if not len(x_train):
            hint = "give them, or normalize = 'none' in [dataset]"
            raise DataError("there are no training samples to learn mean and deviation from", hint=hint)
        axes = tuple(range(x_train.ndim - 1))
        wide = x_train.astype(np.float64)
        mean, std = wide.mean(axis=axes), wide.std(axis=axes)
        return cls(tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))

    def apply(self, x: Floats) -> Floats:
        """(N, ..., channels) float32 -> the same shape. DataError when the number of channels differs."""
        if x.shape[-1] != len(self.mean):
            what = f"the model was normalized for {len(self.mean)} channels, the samples have {x.shape[-1]}"
            raise DataError(what, hint="use the data set that the model was trained on")
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


def fit_each(x_train: Array) -> dict[str, Normalization]:
    """Samples (plain or records) -> statistics of each input; an only one is called ""."""
    return {name: Normalization.fit(x) for name, x in fields_of(x_train).items()}
