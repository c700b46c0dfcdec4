"""report: a report.json in other formats, without running anything."""

from functools import partial
from pathlib import Path

import click

from mcusim.commands import options
from mcusim.commands.written import tell
from mcusim.reports import render


@click.command()
@click.argument("run", type=options.PATH, metavar="RUN.json")
@options.report_options
@click.option("--console", "to_console", is_flag=True, help="Print the table [when nothing else is asked for].")
def report(run: Path, to_console: bool, **files: Path | None) -> None:
    """Show a report again, or convert it.

    RUN.json is the report.json of a run, or its folder. A file named `-` is standard output.
    """
    from mcusim.commands.terminal import output
    from mcusim.reports.report import REPORT, Report
    from mcusim.reports.to_console import show

    file = run / REPORT if run.is_dir() else run
    loaded = Report.read(file)
    shown = partial(show, loaded, output()) if to_console or not any(files.values()) else None
    tell(files, partial(render, loaded, folder=file.parent), shown)
