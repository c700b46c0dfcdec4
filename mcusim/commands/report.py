"""report: a report.json in other formats, without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcusim.commands import options
from mcusim.reports import render

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
    if to_console or not any(files.values()):
        show(loaded, output())
    write(loaded, files)


def write(report: Report, files: Mapping[str, Path | None]) -> None:
    """Write the formats that have a file. Raises OSError."""
    from mcusim.reports.report import write_text

    for name, path in files.items():
        if path == Path("-"):
            click.echo(render(report, name))
        elif path:
            write_text(path, render(report, name))
            click.echo(f"{name}: {path}")
