"""Predicted and measured cycles -> how far a model is off: of one program, and of many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Deviation:
    """Of `rows` programs: what half of them do not exceed, what nine of ten do not, and the largest, in percent."""

    rows: int
    median: float
    p90: float
    largest: float

    def __str__(self) -> str:
        return f"{self.rows} rows: median {self.median:.2f} %, p90 {self.p90:.2f} %, largest {self.largest:.2f} %"


def error_pct(predicted: float, measured: float) -> float:
    """Signed: above 0 where the model is too slow."""
    return 100 * (predicted / measured - 1)


def deviation(errors_pct: Sequence[float]) -> Deviation:
    """Of at least one error. Between two of them p90 is interpolated."""
    sizes = np.abs(np.array(errors_pct, np.float64))
    median, p90 = np.percentile(sizes, (50, 90)).tolist()
    return Deviation(len(sizes), median, p90, float(sizes.max()))
