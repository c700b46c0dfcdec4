"""engines: what can run a firmware, and `install` for what no package manager has."""

import click

from mcusim.commands.inventory import print_table
from mcusim.commands.session import Session
from mcusim.commands.streams import say
from mcusim.system.errors import ConfigurationError, suggestion


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
        rows.append((name, engine.FACTS.summary, ", ".join(sorted(engine.FACTS.measures)), here))
    print_table(("name", "what it is", "measures", "runs here"), rows)


@engines.command()
@click.argument("engine", metavar="ENGINE")
@click.option("--force", is_flag=True, help="Again, also when it is there.")
@click.pass_obj
def install(session: Session, /, engine: str, force: bool) -> None:
    """Fetch an engine that no package manager has: renode.

    It goes into mcusim's cache folder, and pyrenode3 into the Python that runs mcusim.
    """
    from mcusim.commands.terminal import Terminal
    from mcusim.engines import ENGINES

    def tell(text: str) -> None:
        session.close()  # no bar is drawn over it
        say(text)

    if engine not in ENGINES:
        hint = suggestion(engine, ENGINES)
        raise ConfigurationError(f"unknown engine {engine!r}", where="mcusim engines install", hint=hint)
    chosen = ENGINES[engine]
    if chosen.FACTS.install is not None:
        chosen.FACTS.install(force, tell, Terminal(session))
    elif problem := chosen.missing():
        raise problem  # its hint is the command of a package manager
    else:
        say(f"engine {engine} needs no installation by mcusim: it runs here ({chosen.version()})")
