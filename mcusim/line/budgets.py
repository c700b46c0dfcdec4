"""Run + limits -> Checks: was every budget kept?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcusim.reports.report import Check, Run

Value = int | float | None


def _drop(run: Run) -> Value:
    if run.accuracy is None or run.accuracy_float is None:
        return None
    return round(run.accuracy_float - run.accuracy, 12)  # 0.95 - 0.948 is not quite 0.002


# Each budget: the figure it limits, and what a run without that figure lacks.
_FIGURES: dict[str, tuple[Callable[[Run], Value], str]] = {
    "accuracy_min": (lambda run: run.accuracy, "accuracy"),
    "accuracy_drop_max": (_drop, "accuracy to compare with the float model's"),
    "mismatches_max": (lambda run: run.mismatches, "comparison with the expected outputs"),
    "cycles_max": (lambda run: run.cycles.mean if run.cycles else None, "cycles"),
    "latency_ms_max": (lambda run: run.latency_ms, "latency"),
    "rom_bytes_max": (lambda run: run.rom_bytes.total if run.rom_bytes else None, "ROM size"),
    "ram_bytes_max": (lambda run: run.ram_bytes.total if run.ram_bytes else None, "RAM size"),
    "energy_uwh_max": (lambda run: run.energy_uwh, "energy"),
}


def check(run: Run, limits: Mapping[str, int | float]) -> tuple[Check, ...]:
    """One Check for each limit. A figure that is not there, or of a part of the samples only, never passes."""
    return tuple(_check(run, name, limit) for name, limit in limits.items())


def figure(run: Run, name: str) -> Value:
    """What the budget of that name limits; None when nobody knows, or the run failed."""
    return None if run.error else _FIGURES[name][0](run)


def _check(run: Run, name: str, limit: int | float) -> Check:
    value, word = figure(run, name), _FIGURES[name][1]
    if run.error:
        return Check(name, run.id, limit, None, False, f"the run failed: {run.error.message}")
    if value is None:
        return Check(name, run.id, limit, None, False, f"this run has no {word} (engine {run.engine!r})")
    kept = value >= limit if name.endswith("_min") else value <= limit
    reason = None if run.complete else f"only {run.samples} samples were run"
    return Check(name, run.id, limit, value, kept and run.complete, reason)
