"""merge: the reports of shards, put together to the one that a whole run would have written."""

from functools import partial
from pathlib import Path

import click

from mcusim.commands import options
from mcusim.commands.session import Session
from mcusim.commands.written import tell
from mcusim.reports import demand, render
from mcusim.system.files import forget


@click.command()
@click.argument("shards", nargs=-1, required=True, type=options.PATH, metavar="SHARD...")
@click.option("--out", type=options.PATH, required=True, metavar="DIR", help="Where the whole report is written.")
@options.report_options
@click.pass_obj
def merge(session: Session, /, shards: tuple[Path, ...], out: Path, **files: Path | None) -> int:
    """Put the shards of a run together.

    Each SHARD is what `mcusim run --shard` has written, its folder or a folder with several below. The report is that
    of one run of all, but for times; its budgets are judged now: exit code 7 tells of a broken one.
    """
    from mcusim.commands.terminal import output
    from mcusim.line.merge import merged
    from mcusim.reports.report import REPORT
    from mcusim.reports.to_console import show

    demand(name for name, path in files.items() if path)
    for path in filter(None, files.values()):
        forget(path)
    session.out = out
    report = merged(shards, out)
    told = partial(render, report, folder=out)
    tell(files, told, lambda: show(report, output()), f"report: {out / REPORT}", rest=REPORT)
    return report.exit_code
