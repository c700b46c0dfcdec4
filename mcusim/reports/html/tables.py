"""Report -> what the page's tables say: budgets with what is left, every figure of a run, the most confused classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcusim.reports.figures import ENERGY, ROWS, SCORES, SIZE, TIME, WHO_RAN
from mcusim.reports.report import Check, Report, Run
from mcusim.tasks.figure import Row

GROUPS = (("Who ran", WHO_RAN), ("What came out", SCORES), ("Time", TIME), ("Energy", ENERGY), ("Size", SIZE))
MOST_CONFUSED = 10


@dataclass(frozen=True)
class Budgeted:
    """A budget of a run; `number` is that of the run in the tables."""

    number: int
    check: Check

    @property
    def left(self) -> str:
        """How far the figure is from its limit."""
        check, figure = self.check, self.check.figure
        if figure is None or check.held is None:
            return ""
        far = figure.beyond(check.held, check.limit)
        return f"{far} {'left' if figure.keeps(check.held, check.limit) else 'beyond'}" if far else ""


def budgets(report: Report, most: int) -> list[Budgeted]:
    """Broken ones first."""
    numbers = {run.id: number for number, run in enumerate(report.runs, 1)}
    some = sorted(report.checks, key=lambda check: check.passed)[:most]
    return [Budgeted(numbers[check.run], check) for check in some]


def every_figure(runs: Sequence[Run]) -> list[tuple[str, list[tuple[Row, list[str]]]]]:
    """Of each group the rows that any run has a plain value of, and these."""
    found = []
    for title, rows in GROUPS:
        # `right` is packed bits, one a sample: nobody reads it.
        plain = [row for row in rows if "[" not in row.key and row.key != "right"]
        told = [(row, [_told(row.value(run)) for run in runs]) for row in plain]
        found.append((title, [(row, cells) for row, cells in told if any(cells)]))
    return [(title, rows) for title, rows in found if rows]


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:,.6g}"
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return value if isinstance(value, str) else ""


def explained() -> list[Row]:
    """How each number was obtained."""
    return [row for row in ROWS if row.doc]


def most_confused(run: Run) -> list[tuple[str, str, int]]:
    """(label, decided, samples) of the classes that are taken for each other most often."""
    matrix = run.confusion or ()
    wrong = [(count, row, column) for row, counts in enumerate(matrix) for column, count in enumerate(counts)]
    wrong = sorted(one for one in wrong if one[0] and one[1] != one[2])[: -MOST_CONFUSED - 1 : -1]
    return [(_name(run, row), _name(run, column), count) for count, row, column in wrong]


def _name(run: Run, number: int) -> str:
    return run.classes[number].name if number < len(run.classes) else str(number)
