"""Rows of text -> a table in a terminal, where it is wide enough."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mcusim.system.names import printable, shortened

NARROW_NAME = 16  # a model's name may wrap to this width
GAPS = (2, 1)  # between columns: the first that leaves room
HYPHENATED = {"mismatches": "mis-\nmatches", "instructions": "instruc-\ntions", "accuracy %": "accu-\nracy %"}


def print_grid(
    console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str], names: int
) -> bool:
    """By hand: rich takes a millisecond for each row. Only the first cell may wrap, where it is too long.

    The first `names` columns are words, to the left; numbers follow. False where there is no room for them all.
    """
    widths = _widths(headings, rows)
    narrowest = min(widths[0], NARROW_NAME) + sum(widths[1:])
    gap = next((gap for gap in GAPS if narrowest + gap * (len(widths) - 1) <= console.width), None)
    if gap is None:
        return False
    widths = [min(widths[0], console.width - sum(widths[1:]) - gap * (len(widths) - 1)), *widths[1:]]
    stacked = [_stacked(heading).split("\n") for heading in headings]
    height = max(map(len, stacked))
    for level in range(height):
        lines = [[""] * (height - len(parts)) + parts for parts in stacked]
        console.out(_padded([parts[level] for parts in lines], widths, gap, names), style="bold", highlight=False)
    console.out("─" * (sum(widths) + gap * (len(widths) - 1)), highlight=False)
    for row, style in zip(rows, styles, strict=True):
        first, *more = _folded(console, row[0], widths[0])
        console.out(_padded([first, *row[1:]], widths, gap, names), style=style or None, highlight=False)
        for line in more:
            console.out(line, style=style or None, highlight=False)
    return True


def _padded(cells: Sequence[str], widths: Sequence[int], gap: int, names: int) -> str:
    """Names to the left, numbers to the right."""
    parts = []
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - cell_len(cell))
        parts.append(cell + space if index < names else space + cell)
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


def print_line(console: Console, text: str, style: str) -> None:
    """A line of text as it is, which wraps where it is too long."""
    indent = " " * (len(text) - len(text.lstrip()))
    shown = indent + printable(shortened(text))
    if cell_len(shown) <= console.width:
        console.out(shown, style=style or None, highlight=False)
    else:
        console.print(Text(shown, style=style))
