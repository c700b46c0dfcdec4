"""What one sample takes in time: the types that a report keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from typing_extensions import TypedDict  # that of Python 3.12 is the first one whose keys pydantic can check

HOW, MEASURED, COUNTED = "modelled", "measured", "counted"
Margin = Literal["median", "p90"]

ErrorPct = TypedDict("ErrorPct", {"median": float, "p90": float, "from": str})
"""What half of the programs in `from` were not off by more than, and nine of ten, in percent of what silicon took."""


def plus_minus(error: ErrorPct) -> str:
    """What stands behind a figure: `±1.2 %`, the median."""
    return f"±{error['median']:.1f} %"


def told_error(error: ErrorPct) -> str:
    """What `plus_minus` means."""
    return f"median of {error['from']}; nine of ten within {error['p90']:.1f} %"


@dataclass(frozen=True)
class Cycles:
    """CPU cycles for one sample, over `samples` of them. `how`: modelled, measured (on silicon) or counted.

    `kind`: of the code that ran, for which `error_pct` is the model's record; None where there is none, and
    `no_error_pct` tells why. `first`: of the first call after a reset, which is none of the samples: caches were cold.
    `window`: what a cycle counter goes on by around an empty model, which is no part of the others.
    """

    mean: float
    min: int
    max: int
    samples: int
    how: str
    kind: str | None = None
    error_pct: ErrorPct | None = None
    no_error_pct: str | None = None
    first: int | None = None
    window: int | None = None


@dataclass(frozen=True)
class Timing:
    """What a run takes in time: of one sample, and of each function of the model with those that it calls."""

    cycles: Cycles
    latency_ms: float
    energy_uwh: float
    function_cycles: Mapping[str, float]
    cycles_per_instruction: float
