"""engines: what can run a firmware, and `install` for what no package manager has."""

from __future__ import annotations

from pathlib import Path

import click

from mcusim.commands.inventory import print_table
from mcusim.commands.session import Session
from mcusim.system.errors import OK, ConfigurationError, McusimError, MissingToolError, suggestion
from mcusim.system.names import printable


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
        rows.append((name, ", ".join(sorted(engine.MEASURES)), here))
    return print_table(("name", "measures", "runs here"), rows)


@engines.command()
@click.argument("engine", metavar="ENGINE")
@click.option("--force", is_flag=True, help="Again, also when it is there.")
@click.pass_obj
def install(session: Session, /, engine: str, force: bool) -> int:
    """Fetch an engine that no package manager has: renode.

    It goes into mcusim's cache folder, and pyrenode3 into the Python that runs mcusim.
    """
    from mcusim.engines import ENGINES

    if engine not in ENGINES:
        hint = suggestion(engine, ENGINES)
        raise ConfigurationError(f"unknown engine {engine!r}", where="mcusim engines install", hint=hint)
    if engine == "renode":
        return _install_renode(session, force)
    problem = ENGINES[engine].missing()
    if problem is not None:
        raise problem  # its hint is the command of a package manager
    click.echo(f"engine {engine} needs no installation by mcusim: it runs here ({ENGINES[engine].version()})")
    return OK


def _install_renode(session: Session, force: bool) -> int:
    from mcusim.commands.terminal import Terminal
    from mcusim.engines.renode.download import install_renode

    watcher = Terminal(session)
    watcher.stage("Renode")
    renode = install_renode(force=force, progress=watcher.downloading)
    session.close()
    state = "installed in" if renode.fresh else "is there already:"
    click.echo(printable(f"Renode {renode.version} {state} {renode.program.parent}"))
    _install_pyrenode3(force)
    _tell_what_is_used(renode.program)
    return OK


def _install_pyrenode3(force: bool) -> None:
    """Without it Renode works as well: not to get it is no failure."""
    from mcusim.engines.renode.download import install_pyrenode3
    from mcusim.engines.renode.installation import missing_packages

    if force or missing_packages():
        click.echo("installing pyrenode3 ...", err=True)
    try:
        fresh = install_pyrenode3(force=force)
    except MissingToolError as error:
        told = f"pyrenode3 not installed ({error.what}): mcusim drives Renode by Monitor scripts instead"
        click.echo(printable(told))
        click.echo(f"  by hand: {printable(str(error.hint))}")
    else:
        click.echo("pyrenode3 installed" if fresh else "pyrenode3 is there already")


def _tell_what_is_used(installed: Path) -> None:
    """Variables of the user come before what is installed here, and may be wrong."""
    from mcusim.engines.renode.installation import find_installation

    try:
        used = find_installation()
    except McusimError as error:
        click.echo(printable(f"note: engine renode does not run yet: {error.what}"))
        return
    driver = "Monitor scripts" if used.worker is None else "pyrenode3"
    click.echo(printable(f"engine renode runs here: Renode {used.version}, driven by {driver}"))
    notes = list(used.notes)
    if used.program != installed:
        notes.append(f"it is {used.program}: RENODE_ROOT, PYRENODE_BIN and PYRENODE_BUILD_DIR come first")
    for note in notes:
        click.echo(f"  {printable(note)}")
