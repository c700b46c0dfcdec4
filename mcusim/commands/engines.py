"""engines: what can run a firmware, and `install` for what no package manager has."""

from __future__ import annotations

from functools import partial

import click

from mcusim.commands.inventory import print_table
from mcusim.system.errors import OK, ConfigurationError, suggestion


@click.group(invoke_without_command=True)
@click.pass_context
def engines(context: click.Context) -> int:
    """What can run a firmware, and whether here."""
    if context.invoked_subcommand is not None:
        return OK
    from mcusim.engines import ENGINES

    rows = []
    for name, engine in ENGINES.items():
        missing = engine.missing()
        here = f"missing: {missing.what}" if missing else f"yes: {engine.version()}"
        rows.append((name, ", ".join(sorted(engine.FACTS.measures)), here))
    return print_table(("name", "measures", "runs here"), rows)


@engines.command()
@click.argument("engine", metavar="ENGINE")
@click.option("--force", is_flag=True, help="Again, also when it is there.")
def install(engine: str, force: bool) -> int:
    """Fetch an engine that no package manager has: renode.

    It goes into mcusim's cache folder, and pyrenode3 into the Python that runs mcusim.
    """
    from mcusim.engines import ENGINES

    if engine not in ENGINES:
        hint = suggestion(engine, ENGINES)
        raise ConfigurationError(f"unknown engine {engine!r}", where="mcusim engines install", hint=hint)
    chosen = ENGINES[engine]
    if chosen.FACTS.install is not None:
        chosen.FACTS.install(force, click.echo, partial(click.echo, err=True))
        return OK
    problem = chosen.missing()
    if problem is not None:
        raise problem  # its hint is the command of a package manager
    click.echo(f"engine {engine} needs no installation by mcusim: it runs here ({chosen.version()})")
    return OK
