"""init: an experiment file for a model, with what can be found out about it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcusim.commands import options
from mcusim.commands.streams import say

if TYPE_CHECKING:
    from mcusim.commands.session import Session


@click.command()
@click.argument("model", type=options.PATH, metavar="MODEL")
@click.argument("data", type=options.PATH, metavar="[DATA.npz]", required=False)
@click.option("--out", type=options.PATH, default="experiment.toml", metavar="F", help="The file [experiment.toml].")
@click.option("--force", is_flag=True, help="Overwrite it.")
@click.pass_obj
def init(session: Session, /, model: Path, data: Path | None, out: Path, force: bool) -> None:
    """Write an experiment file for a model.

    With guesses in its comments: the task, the shapes, and budgets that the float model and the boards allow.
    """
    from mcusim.commands.terminal import Terminal
    from mcusim.line.bench import Bench
    from mcusim.line.draft import draft
    from mcusim.system.errors import ConfigurationError
    from mcusim.system.files import write_text

    if str(out) != "-" and out.exists() and not force:
        raise ConfigurationError(f"{out.name!r} is there already", where=str(out), hint="--force overwrites it")
    with Bench(Terminal(session)) as bench:
        text, notes = draft(model, data, out.parent, bench)
    session.close()
    for note in notes:
        say(f"note: {note}", error=str(out) == "-")
    if str(out) == "-":
        click.echo(text, nl=False)
        return
    write_text(out, text)
    say(f"{out}: read it, then run it: mcusim run {shlex.quote(str(out))}")
