"""Comparison -> text for a terminal, or for the log of a CI system."""

from rich.console import Console
from rich.text import Text

from mcusim.comparison.comparison import Comparison, RunComparison
from mcusim.comparison.told import (
    HEADINGS,
    NAMES,
    broken,
    changed_runs,
    commits,
    limits,
    lines,
    remarks,
    rows,
    summary,
    title,
)
from mcusim.reports import to_console
from mcusim.reports.grid import print_grid, print_line
from mcusim.system.names import printable, shortened

LONGEST_CELL = 200


def show(comparison: Comparison, console: Console) -> None:
    """Nothing of the reports is taken for markup: names are what users call them."""
    console.print(Text(printable(f"{title(comparison)}: {summary(comparison)}"), style="bold"))
    if told := commits(comparison):
        print_line(console, told, "dim")
    if comparison.is_first:
        for report in comparison.head.reports:
            to_console.show(report, console)
        return
    shown = changed_runs(comparison)
    table = [[printable(shortened(cell, LONGEST_CELL)) for cell in row] for run in shown for row in rows(run)]
    if table and not print_grid(console, HEADINGS, table, [""] * len(table), NAMES):
        _print_list(console, table)
    for run in shown:
        _explain(console, run)
    for remark in remarks(comparison):
        print_line(console, remark, "dim")
    for line in broken(comparison):
        print_line(console, f"broken limit: {line}", "red")
    if told := limits(comparison):
        print_line(console, told, "red" if comparison.broken else "green")


def _print_list(console: Console, table: list[list[str]]) -> None:
    """Where the table is too wide for the terminal."""
    for model, kind, board, figure, before, now, change, share in table:
        if model:
            print_line(console, f"{model}, {kind}, {board}", "bold")
        by = ", ".join(filter(None, (f"{before} -> {now}", change, share and f"{share} %")))
        print_line(console, f"  {figure}: {by}" if figure else f"  {by}", "")


def _explain(console: Console, run: RunComparison) -> None:
    if found := [*lines(run)]:
        print_line(console, f"{run.run.label}:", "")
    for line in found:
        print_line(console, f"  {line}", "")
