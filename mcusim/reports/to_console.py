"""Report -> table for a terminal, or for the log of a CI system."""

import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mcusim.reports.grid import print_grid, print_line
from mcusim.reports.report import Report, Run
from mcusim.reports.table import NAMES, error_lines, failures, remarks, summary, table
from mcusim.system.names import printable, shortened

LONGEST_CELL = 200
NARROWEST = 10  # of a terminal that may tell any width


def show(report: Report, console: Console) -> None:
    """Table, remarks, broken budgets. Nothing of the report is taken for markup: names are what users call them."""
    headings, rows = table(report)
    console.print(Text(f"{printable(report.experiment)}: {summary(report)}", style="bold"))
    styles = [_style(report, run) for run in report.runs]
    cells = [[printable(shortened(cell, LONGEST_CELL)) for cell in row] for row in rows]
    if not (rows and print_grid(console, headings, cells, styles, len(NAMES))):
        for row, style in zip(cells, styles, strict=True):
            _print_list(console, headings, row, style)
    for error, runs in failures(report).items():
        for line in error_lines(error, runs):
            print_line(console, line, "red")
    for remark in remarks(report):
        print_line(console, remark, "red" if remark.startswith("first mismatch") else "dim")
    for check in report.broken:
        run = report.run(check.run)
        if not run.error:
            print_line(console, f"broken budget: {run.label}: {check}", "red")
    if report.checks:
        kept = len(report.checks) - len(report.broken)
        marked = " (! is before figures that broke one)" if report.broken else ""
        style = "red" if report.broken else "green"
        print_line(console, f"budgets: {kept} of {len(report.checks)} kept{marked}", style)


def _print_list(console: Console, headings: Sequence[str], row: Sequence[str], style: str) -> None:
    """A run as text that wraps, where the table is too wide for the terminal."""
    print_line(console, ", ".join(row[: len(NAMES)]), style)
    figures = []
    for heading, cell in zip(headings[len(NAMES) :], row[len(NAMES) :], strict=True):
        word, _, unit = heading.partition(" ")
        if cell:
            told = " ".join(filter(None, (word, cell, unit if cell[-1].isdigit() else "")))
            figures.append(told.replace("± ", "±"))
    width = max(console.width, NARROWEST)
    for line in textwrap.wrap(", ".join(figures), width, initial_indent="  ", subsequent_indent="  "):
        console.out(line, style=style or None, highlight=False)


def _style(report: Report, run: Run) -> str:
    if run.error or run.first_mismatch:
        return "red"
    return "yellow" if any(not check.passed for check in report.checks_of(run)) else ""
