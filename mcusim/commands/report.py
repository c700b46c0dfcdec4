"""report: a report.json in other formats, without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcusim.commands import options
from mcusim.commands.streams import say
from mcusim.reports import render
from mcusim.system.files import stream_of, write_text

if TYPE_CHECKING:
    from mcusim.reports.report import Report


@click.command()
@click.argument("run", type=options.PATH, metavar="RUN.json")
@options.report_options
@click.option("--console", "to_console", is_flag=True, help="Print the table [when nothing else is asked for].")
def report(run: Path, to_console: bool, **files: Path | None) -> None:
    """Show a report again, or convert it.

    RUN.json is the report.json of a run, or its folder. A file named `-` is standard output.
    """
    from mcusim.commands.terminal import output
    from mcusim.reports.report import Report
    from mcusim.reports.to_console import show

    loaded = Report.read(run / "report.json" if run.is_dir() else run)
    written = write(loaded, files)
    if to_console or not any(files.values()):
        show(loaded, output())
    for line in written:
        say(line)
    print_those(loaded, files)


def write(report: Report, files: Mapping[str, Path | None]) -> list[str]:
    """Write the formats that have a file, before anything is printed: a reader may go away. -> what there is to tell.

    Raises OSError.
    """
    told = []
    for name, path in files.items():
        if path and not _is_output(path):
            write_text(path, render(report, name))
            told += [f"{name}: {path}"] if path.is_file() else []
    return told


def print_those(report: Report, files: Mapping[str, Path | None]) -> None:
    """The formats that are for standard output."""
    for name, path in files.items():
        if path and _is_output(path):
            click.echo(render(report, name))


def _is_output(path: Path) -> bool:
    return path == Path("-") or stream_of(path) == 1
