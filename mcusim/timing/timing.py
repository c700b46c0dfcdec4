"""What one sample takes in time: the types that a report keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cycles:
    """CPU cycles for one sample, over `samples` of them. `how`: modelled, measured (on silicon) or counted."""

    mean: float
    min: int
    max: int
    samples: int
    how: str


@dataclass(frozen=True)
class Timing:
    """What a run takes in time: of one sample, and of each function of the model with those that it calls."""

    cycles: Cycles
    latency_ms: float
    energy_uwh: float
    function_cycles: Mapping[str, float]
    cycles_per_instruction: float
