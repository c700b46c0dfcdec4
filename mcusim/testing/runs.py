"""Report -> what a test asks of its runs, and the words where they do not give it: alike in every test framework.

What is wrong is an AssertionError, with the line of each run that it is wrong with.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast, get_args

from mcusim.experiment.tables import NO_MARGIN
from mcusim.line.budgets import counted
from mcusim.reports.amounts import read_amount
from mcusim.reports.figures import FIGURES, OF_CYCLES, REGRESS
from mcusim.reports.report import Report, Run, known, why_unknown, with_margin
from mcusim.system.errors import McusimError, suggestion
from mcusim.system.validation import Unusable
from mcusim.tasks.figure import Figure
from mcusim.timing.timing import Margin

PLACES = ("model", "data_type", "board", "engine")
RELATIONS: Mapping[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True)
class Held:
    """A run against a limit: what was `seen` of it, and what is `wrong`; None where it keeps the limit."""

    seen: str
    wrong: str | None


@dataclass(frozen=True)
class Runs:
    """Runs of a report, all of them or those that were chosen."""

    report: Report
    every: tuple[Run, ...]

    @classmethod
    def of(cls, report: Report) -> Runs:
        """All of a report. Fails when one of them did, with its error."""
        __tracebackhide__ = True
        failed = [(run.label, run.error) for run in report.runs if run.error]
        demand([told(f"{label}: {error.message}", error.where, error.hint) for label, error in failed])
        return cls(report, report.runs)

    def where(self, **which: str) -> Runs:
        """Those with that model, data_type, board, engine; at least one."""
        __tracebackhide__ = True
        unknown = sorted(set(which) - set(PLACES))
        if unknown:
            raise AssertionError(f"unknown argument {unknown[0]!r}: runs are chosen by {', '.join(PLACES)}")
        found = tuple(run for run in self.every if all(getattr(run, key) == value for key, value in which.items()))
        if not found:
            asked = f"has {', '.join(f'{k}={v}' for k, v in which.items())}" if which else "is there"
            raise AssertionError(f"no run {asked}; there are: {self._labels or 'none'}")
        return Runs(self.report, found)

    def only(self, name: str) -> Run:
        """The run whose figure of that name is meant: there may be no other."""
        __tracebackhide__ = True
        if len(self.every) != 1:
            hint = f"choose one by {', '.join(PLACES)}"
            raise AssertionError(f"{len(self.every)} runs have a figure {name!r}, {hint}: {self._labels}")
        return self.every[0]

    @property
    def _labels(self) -> str:
        return "; ".join(run.label for run in self.every)

    def demand_budgets(self) -> None:
        """Fails unless these runs kept every limit of the experiment file, and when it has none for them."""
        __tracebackhide__ = True
        checks = [(run, check) for run in self.every for check in self.report.checks_of(run)]
        if not checks:
            raise AssertionError("the experiment has no budgets: add [expect] to its file")
        demand([f"{run.label}: {check}" for run, check in checks if not check.passed])

    def held(self, key: str, limit: float | str, relation: str, margin: str | None = None) -> list[Held]:
        """Each run against a limit of the figure with that key: `16 KiB`, or a number in the figure's unit."""
        if key not in FIGURES:
            raise AssertionError(f"no report has a figure {key!r}: {suggestion(key, FIGURES)}")
        figure = FIGURES[key]
        unit = "" if figure.unit == "share" else figure.unit
        number, more = _number(limit, unit), _margin(margin, figure)
        return [_hold(run, figure, number, unit, relation, more) for run in self.every]


def figure_named(name: str) -> Figure | None:
    """By its key, or as its budget calls it: `rom_bytes` is `rom_bytes.total`."""
    return FIGURES.get(name) or REGRESS.get(name)


def demand(wrong: list[str]) -> None:
    """Fails with what is wrong, if anything is."""
    __tracebackhide__ = True
    if wrong:
        raise AssertionError("\n".join(wrong))


def told(what: str, where: str | None, hint: str | None) -> str:
    """An error as commands tell it."""
    return "\n".join(filter(None, (what, f"in: {where}" if where else "", f"hint: {hint}" if hint else "")))


def told_error(error: McusimError | OSError) -> str:
    """What ended all runs, likewise."""
    if isinstance(error, OSError):
        return f"the system refused {error.filename!r}: {error.strerror or error}"
    return "\n".join(told(one.what, one.where, one.hint) for one in (error, *error.others))


def _number(limit: float | str, unit: str) -> float:
    if isinstance(limit, (int, float)):
        return limit
    try:
        return read_amount(str(limit), unit)
    except Unusable as error:
        raise AssertionError(f"{error}: {error.hint}") from None


def _margin(name: str | None, figure: Figure) -> Margin | None:
    if name is None or name == NO_MARGIN:
        return None
    if figure.key not in OF_CYCLES:
        raise AssertionError(f"{figure.name} has no error to count in: margin is for {', '.join(OF_CYCLES)}")
    if name in get_args(Margin):
        return cast(Margin, name)
    raise AssertionError(f"margin is {name!r}: give {NO_MARGIN} or {' or '.join(get_args(Margin))}")


def _hold(run: Run, figure: Figure, limit: float, unit: str, relation: str, margin: Margin | None) -> Held:
    word, value = figure.name, known(run, figure)
    if value is None:
        nobody = f"{run.label}: nobody knows {word} ({why_unknown(run)})"
        return Held(nobody, nobody)
    more = counted(run, figure, margin)
    held = with_margin(value, more.pct)
    seen = f"{run.label}: {word} {_shown(held)}" + (f" with {more.pct:g} % ({margin} of its error)" if more.pct else "")
    in_unit = f"{seen} {unit}".rstrip()
    if more.unknown:
        return Held(in_unit, f"{seen}: {more.unknown}")
    if run.complete and RELATIONS[relation](held, limit):
        return Held(in_unit, None)
    far = figure.beyond(held, limit)
    wanted = f"{seen} should be {relation} {_shown(limit)} {unit}".rstrip() + (f", off by {far}" if far else "")
    return Held(in_unit, wanted if run.complete else f"{wanted}, but only {run.samples} samples were run")


def _shown(number: float) -> str:
    return f"{int(number):,}" if float(number).is_integer() else f"{number:,.7g}"
