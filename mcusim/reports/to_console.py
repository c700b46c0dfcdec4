"""Report -> table for a terminal, or for the log of a CI system."""

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mcusim.reports.report import Report, Run
from mcusim.reports.table import NAMES, error_lines, failures, remarks, summary, table
from mcusim.system.names import printable, shortened

NARROW_NAME = 16  # a model's name may wrap to this width
GAPS = (2, 1)  # between columns: the first that leaves room
LONGEST_CELL = 200
NARROWEST = 10  # of a terminal that may tell any width
HYPHENATED = {"mismatches": "mis-\nmatches", "instructions": "instruc-\ntions", "accuracy %": "accu-\nracy %"}


def show(report: Report, console: Console) -> None:
    """Table, remarks, broken budgets. Nothing of the report is taken for markup: names are what users call them."""
    headings, rows = table(report)
    console.print(Text(f"{printable(report.experiment)}: {summary(report)}", style="bold"))
    styles = [_style(report, run) for run in report.runs]
    cells = [[printable(shortened(cell, LONGEST_CELL)) for cell in row] for row in rows]
    widths = _widths(headings, cells)
    narrowest = min(widths[0], NARROW_NAME) + sum(widths[1:])
    gap = next((gap for gap in GAPS if narrowest + gap * (len(widths) - 1) <= console.width), None)
    if rows and gap is not None:
        _print_grid(console, headings, cells, widths, styles, gap)
    else:
        for row, style in zip(cells, styles, strict=True):
            _print_list(console, headings, row, style)
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
        marked = " (! is before figures that broke one)" if report.broken else ""
        _line(console, f"budgets: {kept} of {len(report.checks)} kept{marked}", "red" if report.broken else "green")


def _print_grid(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    styles: Sequence[str],
    gap: int,
) -> None:
    """By hand: rich takes a millisecond for each row. Only a model's name may wrap, where it is too long."""
    widths = [min(widths[0], console.width - sum(widths[1:]) - gap * (len(widths) - 1)), *widths[1:]]
    stacked = [_stacked(heading).split("\n") for heading in headings]
    height = max(map(len, stacked))
    for level in range(height):
        lines = [[""] * (height - len(parts)) + parts for parts in stacked]
        console.out(_padded([parts[level] for parts in lines], widths, gap), style="bold", highlight=False)
    console.out("─" * (sum(widths) + gap * (len(widths) - 1)), highlight=False)
    for row, style in zip(rows, styles, strict=True):
        first, *more = _folded(console, row[0], widths[0])
        console.out(_padded([first, *row[1:]], widths, gap), style=style or None, highlight=False)
        for line in more:
            console.out(line, style=style or None, highlight=False)


def _padded(cells: Sequence[str], widths: Sequence[int], gap: int) -> str:
    """Names to the left, numbers to the right."""
    parts = []
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - cell_len(cell))
        parts.append(cell + space if index < len(NAMES) else space + cell)
    return (" " * gap).join(parts).rstrip()


def _folded(console: Console, text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    return [line.plain for line in Text(text).wrap(console, width, overflow="fold")]


def _stacked(heading: str) -> str:
    return HYPHENATED.get(heading, heading.replace(" ", "\n"))


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """What each column needs. Headings of two lines: narrow columns leave room for names."""
    widths = [max(map(cell_len, _stacked(heading).split("\n"))) for heading in headings]
    for row in rows:
        widths = [max(width, cell_len(cell)) for width, cell in zip(widths, row, strict=True)]
    return widths


def _print_list(console: Console, headings: Sequence[str], row: Sequence[str], style: str) -> None:
    """A run as text that wraps, where the table is too wide for the terminal."""
    _line(console, ", ".join(row[: len(NAMES)]), style)
    figures = []
    for heading, cell in zip(headings[len(NAMES) :], row[len(NAMES) :], strict=True):
        word, _, unit = heading.partition(" ")
        if cell:
            told = " ".join(filter(None, (word, cell, unit if cell[-1].isdigit() else "")))
            figures.append(told.replace("± ", "±"))
    width = max(console.width, NARROWEST)
    for line in textwrap.wrap(", ".join(figures), width, initial_indent="  ", subsequent_indent="  "):
        console.out(line, style=style or None, highlight=False)


def _line(console: Console, text: str, style: str) -> None:
    indent = " " * (len(text) - len(text.lstrip()))
    shown = indent + printable(shortened(text))
    if cell_len(shown) <= console.width:
        console.out(shown, style=style or None, highlight=False)
    else:
        console.print(Text(shown, style=style))


def _style(report: Report, run: Run) -> str:
    if run.error or run.first_mismatch:
        return "red"
    return "yellow" if any(not check.passed for check in report.checks_of(run)) else ""
