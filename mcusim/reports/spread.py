"""Values of a figure -> mean, deviation, and where the mean of all seeds lies."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev

from mcusim.reports.figures import FIGURES
from mcusim.tasks.figure import Figure

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """Of one figure, in its unit. `deviation` is that of a sample (n - 1); the mean of all seeds is between `low` and
    `high` with 95 % confidence, if figures are distributed normally (Student's t).
    """

    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        mean, deviation = fmean(values), stdev(values)
        around = student_t(len(values) - 1) * deviation / math.sqrt(len(values))
        return cls(mean, deviation, mean - around, mean + around)


@dataclass(frozen=True)
class Repeated:
    """`runs` are ids, one for each repeat. `figures` by key, those that each of the runs has."""

    model: str
    quantization: str
    board: str
    engine: str
    runs: tuple[str, ...]
    figures: Mapping[str, Spread]

    def __str__(self) -> str:
        told = (
            _sentence(FIGURES[key], spread)
            for key, spread in self.figures.items()
            if spread.deviation and key in FIGURES
        )
        what = "; ".join(told) or "no figure differs"
        return f"{len(self.runs)} trainings of {self.model}, {self.quantization}, {self.board}: {what}"


def _sentence(figure: Figure, spread: Spread) -> str:
    scale = 100 if figure.unit == "share" else 1
    numbers = (spread.mean, spread.deviation, spread.low, spread.high)
    mean, deviation, low, high = (f"{scale * number:.4g}" for number in numbers)
    unit = "%" if figure.unit == "share" else figure.unit
    return f"{figure.word or figure.key} {mean} {unit}".rstrip() + f", deviation {deviation}, 95 % {low} to {high}"


@cache
def student_t(freedom: int) -> float:
    """What |t| is below with that confidence, for 1, 2, .. degrees of freedom.

    The distribution's finite series (Abramowitz and Stegun, 26.7.3 and 26.7.4), halved down to it.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _within(middle, freedom) > CONFIDENCE else (middle, high)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|t| < sqrt(freedom) tan(angle))"""
    cosine, odd = math.cos(angle), freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for step in range(1 + odd, freedom, 2):
        total += term
        term *= cosine**2 * step / (step + 1)
    part = math.sin(angle) * total
    return 2 / math.pi * (angle + part) if odd else part
