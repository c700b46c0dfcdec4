"""The end of a cascade: the answer of its first network, or of the second where that is not sure enough."""

from dataclasses import dataclass

import numpy as np

from mcusim.graph import Layer
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Cascade(Layer):
    """Two answers of equal numbers -> one of them: the first where its margin is at least `threshold`, else the next.

    The margin is the largest number less the second largest, `threshold` an integer where these are: nothing is
    rounded. What comes next is not computed where it is not needed: the answers lie in one place, so that there is
    nothing to do here, and `lower` tells where `cnn()` is left. No model has one: `line/cascade.py` joins two.
    """

    threshold: float

    VIEW = True

    def run(self, *inputs: Array) -> Array:
        first, then = inputs
        return np.where(self.goes_on(first)[:, None], then, first)

    def goes_on(self, first: Array) -> Array:
        """(N, elements) -> (N,): which samples the first network is not sure of."""
        return ~(margins(first) >= self.threshold)


def margins(answers: Array) -> Array:
    """(N, elements) of any numbers -> (N,), as C computes them. Where a network gives NaN, others decide."""
    wide = np.where(np.isnan(answers), -np.inf, answers).astype(np.float32 if answers.dtype.kind == "f" else np.int32)
    second, top = np.partition(wide, -2, axis=1)[:, -2:].T
    with np.errstate(invalid="ignore"):
        return np.asarray(top - second)
