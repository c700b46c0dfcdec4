"""compare: two reports, what changed between them, and whether that is more than was allowed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcusim.commands import options
from mcusim.commands.written import tell
from mcusim.comparison import FORMATS, render

if TYPE_CHECKING:
    from mcusim.comparison.limits import Limit

RISE, DROP = "--max-rise", "--max-drop"
METAVAR = "FIGURE=LIMIT"
MAY_RISE = "A figure may rise so much: latency_ms=2%, rom_bytes=512 (again for more)."
MAY_DROP = "A figure may fall so much: accuracy=0.2pt (again for more)."


@click.command()
@click.argument("base", type=options.PATH, metavar="BASE")
@click.argument("head", type=options.PATH, metavar="HEAD")
@click.option(RISE, "rises", multiple=True, metavar=METAVAR, help=MAY_RISE)
@click.option(DROP, "drops", multiple=True, metavar=METAVAR, help=MAY_DROP)
@options.files_of(FORMATS)
def compare(base: Path, head: Path, rises: tuple[str, ...], drops: tuple[str, ...], **files: Path | None) -> int:
    """What changed from one report to another.

    BASE and HEAD are each the report.json of a run, its folder, or a folder with several below. Runs of the same model,
    data type, board and engine are compared. Exit code 7 tells that a figure got worse by more than its limit: those of
    [regress] in the experiment of HEAD, or of options in their place. There need not be any BASE yet.
    """
    from mcusim.commands.terminal import output
    from mcusim.comparison import compare as comparing
    from mcusim.comparison.to_console import show

    found = comparing.compare(base, head, _limits(rises, "lower") | _limits(drops, "higher"))
    tell(files, partial(render, found), lambda: show(found, output()), rest="the file of --json")
    return found.exit_code


def _limits(written: tuple[str, ...], better: str) -> dict[str, Limit]:
    """Raises ConfigurationError."""
    from mcusim.comparison.limits import read_option
    from mcusim.system.validation import Place

    with Place(RISE if better == "lower" else DROP).located():
        return {limit.name: limit for limit in (read_option(text, better) for text in written)}
