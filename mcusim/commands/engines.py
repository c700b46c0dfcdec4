"""engines: what can run a firmware, and `install` for what no package manager has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from mcusim.commands.inventory import print_table
from mcusim.commands.session import Session
from mcusim.system.errors import ConfigurationError, suggestion

if TYPE_CHECKING:
    from mcusim.engines.engine import Tell
    from mcusim.system.progress import Listener


@click.group(invoke_without_command=True)
@click.pass_context
def engines(context: click.Context) -> None:
    """What can run a firmware, and whether here."""
    if context.invoked_subcommand is not None:
        return
    from mcusim.engines import ENGINES

    rows = []
    for name, engine in ENGINES.items():
        missing = engine.missing()
        here = f"missing: {missing.what}" if missing else f"yes: {engine.version()}"
        rows.append((name, ", ".join(sorted(engine.FACTS.measures)), here))
    print_table(("name", "measures", "runs here"), rows)


@engines.command()
@click.argument("engine", metavar="ENGINE")
@click.option("--force", is_flag=True, help="Again, also when it is there.")
@click.pass_obj
def install(session: Session, /, engine: str, force: bool) -> None:
    """Fetch an engine that no package manager has: renode.

    It goes into mcusim's cache folder, and pyrenode3 into the Python that runs mcusim.
    """
    from mcusim.engines import ENGINES

    if engine not in ENGINES:
        hint = suggestion(engine, ENGINES)
        raise ConfigurationError(f"unknown engine {engine!r}", where="mcusim engines install", hint=hint)
    chosen = ENGINES[engine]
    if chosen.FACTS.install is not None:
        _install(session, chosen.FACTS.install, force)
    elif problem := chosen.missing():
        raise problem  # its hint is the command of a package manager
    else:
        click.echo(f"engine {engine} needs no installation by mcusim: it runs here ({chosen.version()})")


def _install(session: Session, fetch: Callable[[bool, Tell, Listener], None], force: bool) -> None:
    from mcusim.commands.terminal import Terminal

    def tell(text: str) -> None:
        session.close()  # no bar is drawn over it
        click.echo(text)

    fetch(force, tell, Terminal(session))
