"""Shapes -> Dataset of random samples, for models that come without data: enough for time, size and bit-exactness."""

from collections.abc import Mapping

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.system.arrays import Array
from mcusim.system.records import records_of

NAME = "random samples"
SAMPLES = 100
NOTE = (
    "there is no data set: random samples (normal, mean 0, deviation 1) tell time, size and bit-exactness, no accuracy"
)
SCALES = "the scales of its integers fit random samples"


def made_up(inputs: Mapping[str, tuple[int, ...]], seed: int) -> Dataset:
    """Samples for each input, "" for an only one; those for training are others."""
    random = np.random.default_rng(seed)
    return Dataset(NAME, _samples(inputs, random), None, _samples(inputs, random), None, notes=(NOTE,))


def _samples(inputs: Mapping[str, tuple[int, ...]], random: np.random.Generator) -> Array:
    fields = {name: random.standard_normal((SAMPLES, *shape), np.float32) for name, shape in inputs.items()}
    return records_of(fields)
