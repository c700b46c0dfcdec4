"""doctor: what is missing on this machine, and the command that installs it."""

from __future__ import annotations

import click

from mcusim.system.errors import OK, MissingToolError
from mcusim.system.names import printable


@click.command()
def doctor() -> int:
    """Tell what is missing here, and how to get it."""
    from mcusim.commands.examination import examine

    rows = examine()
    width = max(len(row.name) for row in rows)
    for row in rows:
        if row.found is not None:
            click.echo(f"ok       {row.name:{width}}  {printable(row.found)}")
        else:
            word = "missing" if row.required else "absent "
            click.echo(f"{word}  {row.name:{width}}  {printable(row.problem or 'not found')}")
            click.echo(f"{'':9}{'':{width}}  needed for {row.needed_for}: {row.install or 'no known way to get it'}")
    missing = [row for row in rows if row.found is None and row.required]
    click.echo("everything is there" if not missing else f"{len(missing)} missing")
    return OK if not missing else MissingToolError.exit_code
