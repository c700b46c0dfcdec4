"""Handwritten digits of 8x8 pixels, bundled with scikit-learn: a complete data set without a network."""

import importlib.util
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.datasets.dataset import Dataset
from mcusim.system.arrays import Floats, Labels
from mcusim.system.errors import MissingToolError
from mcusim.system.progress import Progress

SUMMARY = "handwritten digits, 8 x 8 x 1, 10 classes, 1,437 + 360 samples, bundled with scikit-learn"
LICENCE = "CC BY 4.0 (UCI Machine Learning Repository)"
TEST_SAMPLES = 360
SEED = 1797


def load(progress: Progress | None = None) -> Dataset:
    """Samples (N, 8, 8, 1) with values 0..16; 1,437 to train and 360 to test, the same ones on every machine."""
    rows = _rows()
    x, y = rows[:, :-1].reshape(-1, 8, 8, 1), rows[:, -1].astype(np.int64)
    is_test = _test_set(y)
    return Dataset("digits", x[~is_test], y[~is_test], x[is_test], y[is_test], tuple("0123456789"))


def _rows() -> Floats:
    """A digit each: 64 pixels and its class. To import scikit-learn takes longer than to run all of them."""
    found = importlib.util.find_spec("sklearn")
    for package in (found and found.submodule_search_locations) or ():
        with suppress(OSError):
            return np.loadtxt(Path(package, "datasets", "data", "digits.csv.gz"), np.float32, delimiter=",")
    raise MissingToolError("data set 'digits' needs scikit-learn", hint="pip install mcusim[examples]")


def _test_set(y: Labels) -> npt.NDArray[np.bool_]:
    """Every fifth sample or so of a list sorted by class and shuffled inside: the same share of each class."""
    # RandomState and not default_rng: NumPy promises that its numbers never change.
    shuffled = np.random.RandomState(SEED).permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    is_test = np.zeros(len(y), dtype=bool)
    is_test[by_class[np.arange(TEST_SAMPLES) * len(y) // TEST_SAMPLES]] = True
    return is_test
