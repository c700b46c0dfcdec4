"""mcusim*.toml -> tests of pytest: one for each run, and one for each of its budgets."""

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import pytest

from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.line.identity import identity
from mcusim.reports.report import Check, Run
from mcusim.reports.to_junit import names, properties
from mcusim.system.errors import McusimError
from mcusim.testing.pytest_runs import shared
from mcusim.testing.runs import demand, told, told_error
from mcusim.testing.session import opened


class ExperimentFile(pytest.File):
    """An experiment, as the options of pytest change it."""

    experiment: Experiment

    def __init__(self, *, options: Mapping[str, list[str]], **told: Any) -> None:
        super().__init__(**told)
        self.options = options

    def collect(self) -> Iterator[pytest.Item]:
        engine, samples = ",".join(self.options["engine"]) or None, self.options["samples"]
        try:
            self.experiment = opened(
                self.path, board=self.options["board"], engine=engine, samples=samples[-1] if samples else None
            )
        except McusimError as error:
            raise self.CollectError(told_error(error)) from None
        cases = list(self.experiment.cases())
        for case, name in zip(cases, names([(identity(case).label, case.id) for case in cases]), strict=True):
            yield RunTest.from_parent(self, name=name, case=case)
            for budget in self.experiment.limits(case):
                yield BudgetTest.from_parent(self, name=f"{name}: {budget}", case=case, budget=budget)


class _Test(pytest.Item):
    """Of a case."""

    parent: ExperimentFile

    def __init__(self, *, case: Case, **told: Any) -> None:
        super().__init__(**told)
        self.case = case

    def found(self) -> tuple[Run, tuple[Check, ...]]:
        """The run, and what came of its budgets. The first test that asks waits for all runs of the experiment."""
        report = shared(self.config).report(self.parent.experiment)
        run = report.run(self.case.id)
        return run, tuple(report.checks_of(run))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **more: Any) -> Any:
        """As the command tells it."""
        error = excinfo.value
        if isinstance(error, (McusimError, OSError)):
            return told_error(error)
        return str(error) if isinstance(error, AssertionError) else super().repr_failure(excinfo, *args, **more)


class RunTest(_Test):
    """Passes when the run did; its figures are properties, which pytest writes to --junit-xml."""

    def runtest(self) -> None:
        run, checks = self.found()
        self.user_properties += list(properties(run))
        if run.error:
            demand([told(run.error.message, run.error.where, run.error.hint)])
        own = self.parent.experiment.limits(self.case)  # others are for a data type that only the model's file knows
        demand([str(check) for check in checks if not check.passed and check.name not in own])

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        return self.path, None, self.name


class BudgetTest(_Test):
    """Passes when the budget was kept."""

    def __init__(self, *, budget: str, **told: Any) -> None:
        super().__init__(**told)
        self.budget = budget

    def runtest(self) -> None:
        run, checks = self.found()
        if run.error:
            pytest.skip("the run failed")
        demand([str(check) for check in checks if check.name == self.budget and not check.passed])

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        line = self.parent.experiment.lines(self.case).get(self.budget)
        return Path(self.path), None if line is None else line - 1, self.name
