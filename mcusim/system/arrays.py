"""What is meant by an array, by samples and by labels: the same words in every room."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
