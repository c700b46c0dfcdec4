"""report: a report.json in other formats, without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcusim.commands import options
from mcusim.system.errors import OK

if TYPE_CHECKING:
    from mcusim.reports.report import Report


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN.json")
@options.junit_option
@options.markdown_option
@click.option("--console", "to_console", is_flag=True, help="Print the table [when nothing else is asked for].")
def report(run: Path, junit: Path | None, markdown: Path | None, to_console: bool) -> int:
    """Show a report again, or convert it.

    RUN.json is the report.json of a run, or its folder. A file named `-` is standard output.
    """
    from mcusim.commands.terminal import output
    from mcusim.reports.report import Report
    from mcusim.reports.to_console import show

    loaded = Report.read(run / "report.json" if run.is_dir() else run)
    if to_console or not (junit or markdown):
        show(loaded, output())
    write(loaded, {"junit": junit, "markdown": markdown})
    return OK


def write(report: Report, files: Mapping[str, Path | None]) -> None:
    """Write the formats that have a file. Raises OSError."""
    from mcusim.reports import FORMATS
    from mcusim.reports.report import write_text

    for name, path in files.items():
        if path == Path("-"):
            click.echo(FORMATS[name](report))
        elif path:
            write_text(path, FORMATS[name](report))
            click.echo(f"{name}: {path}")
