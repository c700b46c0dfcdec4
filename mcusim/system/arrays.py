"""What is meant by an array, by samples and by labels: the same words in every room."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of length 1 are no reason to call two shapes different."""
    return tuple(size for size in shape if size != 1)
