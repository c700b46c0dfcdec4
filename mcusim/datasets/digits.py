"""Handwritten digits of 8x8 pixels, bundled with scikit-learn: a complete data set without a network."""

import numpy as np
import numpy.typing as npt

from mcusim.datasets.dataset import Dataset
from mcusim.system.arrays import Labels
from mcusim.system.errors import MissingToolError
from mcusim.system.progress import Progress

SUMMARY = "handwritten digits, 8 x 8 x 1, 10 classes, 1,437 + 360 samples, bundled with scikit-learn"
TEST_SAMPLES = 360
SEED = 1797


def load(progress: Progress | None = None) -> Dataset:
    """Samples (N, 8, 8, 1) with values 0..16; 1,437 to train and 360 to test, the same ones on every machine."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingToolError("data set 'digits' needs scikit-learn", hint="pip install mcusim[examples]") from None
    source = load_digits()
    x = np.asarray(source.images, dtype=np.float32)[..., np.newaxis]
    y = np.asarray(source.target, dtype=np.int64)
    is_test = _test_set(y)
    classes = tuple(str(name) for name in source.target_names)
    return Dataset("digits", x[~is_test], y[~is_test], x[is_test], y[is_test], classes)


def _test_set(y: Labels) -> npt.NDArray[np.bool_]:
    """Every fifth sample or so of a list sorted by class and shuffled inside: the same share of each class."""
    # RandomState and not default_rng: NumPy promises that its numbers never change.
    shuffled = np.random.RandomState(SEED).permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    is_test = np.zeros(len(y), dtype=bool)
    is_test[by_class[np.arange(TEST_SAMPLES) * len(y) // TEST_SAMPLES]] = True
    return is_test
