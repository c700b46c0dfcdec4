"""Reproduction -> what a terminal shows of it: accuracy by size, then the paper's largest networks beside ours."""

from rich.console import Console
from rich.text import Text

from mcusim.reports.grid import print_grid, print_line
from mcusim.reproduce import told
from mcusim.reproduce.beside import beside, losses, ours_of
from mcusim.reproduce.run import Reproduction
from mcusim.reproduce.study import METRICS


def show(found: Reproduction, console: Console) -> None:
    ours = ours_of(found)
    for one in found.parts:
        console.print(Text(f"{one.part.name}: {told.summary(one)}", style="bold"))
        _print(console, told.accuracies(found.study, ours, one.part.name))
    _print(console, told.largest_losses(found.study, losses(found)))
    _print(console, largest(found))
    for line in told.remarks(found):
        print_line(console, line, "")


def _print(console: Console, grid: told.Grid) -> None:
    if grid.rows and not print_grid(console, grid.headings, grid.rows, [""] * len(grid.rows), grid.names):
        for row in grid.rows:
            print_line(console, ", ".join(f"{name} {cell}" for name, cell in zip(grid.headings, row, strict=True)), "")


def largest(found: Reproduction) -> told.Grid:
    """What the largest network costs on boards."""
    rows = [
        (
            METRICS[row.metric].title,
            METRICS[row.metric].unit,
            row.framework,
            row.board,
            row.data_type,
            METRICS[row.metric].told(row.paper),
            METRICS[row.metric].told(row.ours),
        )
        for row in beside(found)
        if row.size == max(found.study.sizes) and row.framework and row.board and row.ours is not None
    ]
    return told.Grid(("figure", "unit", "framework", "board", "type", "paper", "ours"), tuple(rows), 5)
