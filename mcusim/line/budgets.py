"""Run + limits -> Checks: was every budget kept?"""

from __future__ import annotations

from collections.abc import Mapping

from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.line.stored import IN_THE_FILE
from mcusim.reports.figures import BUDGETS, OF_CYCLES
from mcusim.reports.report import Check, Run, with_margin
from mcusim.tasks.figure import Budget, Figure, Value
from mcusim.timing.timing import HOW, Margin


def check_case(run: Run, experiment: Experiment, case: Case) -> tuple[Check, ...]:
    """What the experiment expects of the run of that case."""
    told = case, run.data_type
    return check(run, experiment.limits(*told), experiment.margin(*told))


def check(run: Run, limits: Mapping[str, int | float], margin: Margin | None = None) -> tuple[Check, ...]:
    """One Check for each limit. A figure that is not there, or of a part of the samples only, never passes.

    `margin`: of the model's error, that figures of cycles are held as more by. Where nobody knows it, none passes.
    """
    return tuple(_check(run, *BUDGETS[name], limit, margin) for name, limit in limits.items())


def known(run: Run, figure: Figure) -> Value:
    """What a limit is held against; None when nobody knows, or the run failed."""
    value: Value = None if run.error else figure.value(run)
    return value


def counts_in(run: Run, figure: Figure, margin: Margin | None) -> Margin | None:
    """The margin, where the figure has an error to count in: only a model's cycles have."""
    modelled = figure.key in OF_CYCLES and (run.cycles is None or run.cycles.how == HOW)
    return margin if modelled else None


def margin_pct(run: Run, margin: Margin) -> float | None:
    """The error of the run's cycles; None when nobody knows it."""
    error = run.cycles.error_pct if run.cycles else None
    return error[margin] if error else None


def no_margin(run: Run, margin: Margin) -> str:
    """Why `margin_pct` is None."""
    why = run.cycles.no_error_pct if run.cycles else None
    return f"margin = {margin!r} cannot be counted in: {why or 'the error of its cycles is not known'}"


def _check(run: Run, budget: Budget, figure: Figure, limit: int | float, margin: Margin | None) -> Check:
    name, value = budget.name, known(run, figure)
    if run.error:
        return Check(name, run.id, limit, None, False, f"the run failed: {run.error.message}")
    if value is None:
        why = run.no_cycles if run.no_cycles and figure.key in OF_CYCLES else f"engine {run.engine!r}"
        why = "quantized in its file" if run.scheme.endswith(IN_THE_FILE) and figure.key == "accuracy_drop" else why
        return Check(name, run.id, limit, None, False, f"this run has no {budget.lacks} ({why})")
    counted = counts_in(run, figure, margin)
    more = margin_pct(run, counted) if counted else None
    if counted and more is None:
        return Check(name, run.id, limit, value, False, no_margin(run, counted), counted)
    held = with_margin(value, more)
    reason = None if run.complete else f"only {run.samples} samples were run"
    return Check(name, run.id, limit, value, figure.keeps(held, limit) and run.complete, reason, counted, more)
