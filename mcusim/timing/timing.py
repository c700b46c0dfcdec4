"""What one sample takes in time: the types that a report keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from typing_extensions import TypedDict  # that of Python 3.12 is the first one whose keys pydantic can check

HOW, MEASURED, COUNTED = "modelled", "measured", "counted"
P95, ROUNDING = 0.95, 1e-9
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
class Spread:
    """Cycles that 95 % of the test samples do not take more than, and those of the slowest."""

    p95: float
    worst: float


@dataclass(frozen=True)
class Timing:
    """What a run takes in time: of one sample, and of each function of the model with those that it calls.

    `each`: cycles of the timed samples. `spread`: None where all samples take the same way through the model.
    """

    cycles: Cycles
    latency_ms: float
    energy_uwh: float
    function_cycles: Mapping[str, float]
    cycles_per_instruction: float
    each: tuple[float, ...] = ()
    spread: Spread | None = None


def mixed(ways: Sequence[tuple[float, Timing]]) -> Timing:
    """What is known of some samples of each way through a model, and which share of all samples takes it: of all.

    Each timed sample stands for as many as its way has for each that was timed. What kind of code it was, and how far
    the model is off in such, is that of the way that takes most of the time.
    """
    each = [timing for _, timing in ways]
    total = sum(share * one.cycles.mean for share, one in ways)
    instructions = sum(share * one.cycles.mean / one.cycles_per_instruction for share, one in ways)
    most = max(ways, key=lambda way: way[0] * way[1].cycles.mean)[1].cycles
    names = dict.fromkeys(name for one in each for name in one.function_cycles)
    return Timing(
        replace(
            most,
            mean=round(total, 1),
            min=min(one.cycles.min for one in each),
            max=max(one.cycles.max for one in each),
            samples=sum(one.cycles.samples for one in each),
        ),
        latency_ms=round(sum(share * one.latency_ms for share, one in ways), 6),
        energy_uwh=round(sum(share * one.energy_uwh for share, one in ways), 9),
        function_cycles={name: sum(s * one.function_cycles.get(name, 0.0) for s, one in ways) for name in names},
        cycles_per_instruction=total / instructions,
        each=tuple(cycles for one in each for cycles in one.each),
        spread=_spread(sorted((cycles, share / len(one.each)) for share, one in ways for cycles in one.each)),
    )


def _spread(weighted: Sequence[tuple[float, float]]) -> Spread:
    """Of cycles, rising, and which share of all samples each stands for."""
    reached = accumulate(share for _, share in weighted)
    p95 = next(cycles for (cycles, _), share in zip(weighted, reached, strict=True) if share >= P95 - ROUNDING)
    return Spread(p95, weighted[-1][0])
