"""Run + limits -> Checks: was every budget kept?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.line.stored import IN_THE_FILE
from mcusim.reports import report
from mcusim.reports.figures import BUDGETS, OF_CYCLES, OF_TASKS
from mcusim.reports.of_cascade import CASCADE
from mcusim.reports.report import Check, Run, known, with_margin
from mcusim.tasks import task_named
from mcusim.tasks.figure import Budget, Figure
from mcusim.tasks.none import NAME as NONE
from mcusim.timing.timing import HOW, Margin


def budgets_of(run: Run, experiment: Experiment, case: Case) -> tuple[report.Budget, ...]:
    """What the experiment expects of the run of that case."""
    told = case, run.data_type
    limits, lines, margin = experiment.limits(*told), experiment.lines(*told), experiment.margin(*told)
    return tuple(report.Budget(name, run.id, limit, margin, lines.get(name)) for name, limit in limits.items())


def judged(run: Run, budgets: Sequence[report.Budget]) -> tuple[Check, ...]:
    """One Check for each."""
    return tuple(replace(_check(run, *BUDGETS[one.name], one.limit, one.margin), line=one.line) for one in budgets)


@dataclass(frozen=True)
class Counted:
    """The margin that a figure is held with, `pct` of it; `unknown`: why nobody knows that. All None without one."""

    margin: Margin | None = None
    pct: float | None = None
    unknown: str | None = None


def counted(run: Run, figure: Figure, margin: Margin | None) -> Counted:
    """The error of the run's cycles, where the figure has one to count in: only a model's cycles have."""
    cycles = run.cycles
    if margin is None or figure.key not in OF_CYCLES or (cycles and cycles.how != HOW):
        return Counted()
    if cycles and cycles.error_pct:
        return Counted(margin, cycles.error_pct[margin])
    why = (cycles and cycles.no_error_pct) or "the error of its cycles is not known"
    return Counted(margin, None, f"margin = {margin!r} cannot be counted in: {why}")


def _why_none(run: Run, figure: Figure) -> str:
    if figure.key == "accuracy_drop" and run.scheme.endswith(IN_THE_FILE):
        return "quantized in its file"
    if figure in CASCADE and run.cascade is None:
        return f"{run.model!r} is one network: name the cascade in [[expect_for]]"
    if figure.key in OF_CYCLES and run.no_cycles:
        return run.no_cycles
    if figure not in OF_TASKS or run.task is None:
        return f"engine {run.engine!r}"
    if not any(figure in task_named(name).FIGURES for name in run.task.split(", ")):
        return f"it is scored as {run.task!r}" + (", without labels" if run.task == NONE else "")
    return "there are no labels for it" if run.accuracy is None else "[task] does not ask for it"


def _check(run: Run, budget: Budget, figure: Figure, limit: int | float, margin: Margin | None) -> Check:
    name, value = budget.name, known(run, figure)
    if run.error:
        return Check(name, run.id, limit, None, False, f"the run failed: {run.error.message}")
    if value is None:
        return Check(name, run.id, limit, None, False, f"this run has no {budget.lacks} ({_why_none(run, figure)})")
    more = counted(run, figure, margin)
    reason = more.unknown or (None if run.complete else f"only {run.samples} samples were run")
    passed = reason is None and figure.keeps(with_margin(value, more.pct), limit)
    return Check(name, run.id, limit, value, passed, reason, more.margin, more.pct)
