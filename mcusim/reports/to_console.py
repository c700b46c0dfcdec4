"""Report -> table for a terminal, or for the log of a CI system."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from mcusim.reports.report import Report, Run
from mcusim.reports.table import NAMES, error_lines, failures, remarks, summary, table
from mcusim.system.names import printable

NARROW_NAME = 16  # a model's name may wrap to this width
GAP = 2  # between columns
HYPHENATED = {"mismatches": "mis-\nmatches", "instructions": "instruc-\ntions", "accuracy %": "accu-\nracy %"}


def show(report: Report, console: Console) -> None:
    """Table, remarks, broken budgets. Nothing of the report is taken for markup: names are what users call them."""
    headings, rows = table(report)
    console.print(Text(f"{printable(report.experiment)}: {summary(report)}", style="bold"))
    styles = [_style(report, run) for run in report.runs]
    cells = [[Text(printable(cell), style) for cell in row] for style, row in zip(styles, rows, strict=True)]
    if rows and _width(headings, rows) <= console.width:
        console.print(_grid(headings, cells))
    else:
        for row in cells:
            _print_list(console, headings, row)
    for error, runs in failures(report).items():
        for line in error_lines(error, runs):
            _line(console, line, "red")
    for remark in remarks(report):
        _line(console, remark, "red" if remark.startswith("first mismatch") else "dim")
    for check in report.broken:
        run = report.run(check.run)
        if not run.error:
            _line(console, f"broken budget: {run.label}: {check}", "red")
    if report.checks:
        kept = len(report.checks) - len(report.broken)
        _line(console, f"budgets: {kept} of {len(report.checks)} kept", "red" if report.broken else "green")


def _grid(headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for index, heading in enumerate(headings):
        # Headings of two lines: narrow columns leave room for names, and only a model's may wrap.
        justify: JustifyMethod = "left" if index < len(NAMES) else "right"
        grid.add_column(Text(_stacked(heading)), justify=justify, overflow="fold", no_wrap=index > 0)
    for row in rows:
        grid.add_row(*row)
    return grid


def _stacked(heading: str) -> str:
    return HYPHENATED.get(heading, heading.replace(" ", "\n"))


def _width(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Columns that the table needs; a long model name may wrap."""
    cells = zip(*rows, strict=True)
    columns = [[*_stacked(heading).split(), *column] for heading, column in zip(headings, cells, strict=True)]
    widths = [max(cell_len(printable(cell)) for cell in column) for column in columns]
    return min(widths[0], NARROW_NAME) + sum(widths[1:]) + GAP * (len(widths) - 1)


def _print_list(console: Console, headings: Sequence[str], row: Sequence[Text]) -> None:
    """A run as text that wraps, where the table is too wide for the terminal."""
    style = row[0].style
    console.print(Text(", ").join(row[: len(NAMES)]))
    figures = []
    for heading, cell in zip(headings[len(NAMES) :], row[len(NAMES) :], strict=True):
        word, _, unit = heading.partition(" ")
        if cell.plain:
            figures.append(" ".join(filter(None, (word, cell.plain, unit if cell.plain[-1].isdigit() else ""))))
    for line in textwrap.wrap(", ".join(figures), console.width, initial_indent="  ", subsequent_indent="  "):
        console.print(Text(line, style))


def _line(console: Console, text: str, style: str) -> None:
    indent = " " * (len(text) - len(text.lstrip()))
    console.print(Text(indent + printable(text), style=style))


def _style(report: Report, run: Run) -> str:
    if run.error or run.first_mismatch:
        return "red"
    return "yellow" if any(not check.passed for check in report.checks_of(run)) else ""
