"""Run + limits -> Checks: was every budget kept?"""

from __future__ import annotations

from collections.abc import Mapping

from mcusim.line.stored import IN_THE_FILE
from mcusim.reports.figures import BUDGETS, OF_CYCLES
from mcusim.reports.report import Check, Run
from mcusim.tasks.figure import Budget, Figure, Value


def check(run: Run, limits: Mapping[str, int | float]) -> tuple[Check, ...]:
    """One Check for each limit. A figure that is not there, or of a part of the samples only, never passes."""
    return tuple(_check(run, *BUDGETS[name], limit) for name, limit in limits.items())


def known(run: Run, figure: Figure) -> Value:
    """What a limit is held against; None when nobody knows, or the run failed."""
    value: Value = None if run.error else figure.value(run)
    return value


def _check(run: Run, budget: Budget, figure: Figure, limit: int | float) -> Check:
    name, value = budget.name, known(run, figure)
    if run.error:
        return Check(name, run.id, limit, None, False, f"the run failed: {run.error.message}")
    if value is None:
        why = run.no_cycles if run.no_cycles and figure.key in OF_CYCLES else f"engine {run.engine!r}"
        why = "quantized in its file" if run.scheme.endswith(IN_THE_FILE) and figure.key == "accuracy_drop" else why
        return Check(name, run.id, limit, None, False, f"this run has no {budget.lacks} ({why})")
    reason = None if run.complete else f"only {run.samples} samples were run"
    return Check(name, run.id, limit, value, figure.keeps(value, limit) and run.complete, reason)
