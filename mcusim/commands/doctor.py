"""doctor: what is missing on this machine, and the command that installs it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mcusim.commands.streams import say
from mcusim.system.errors import OK, MissingToolError
from mcusim.system.tool import Tool, looked_for, package

if TYPE_CHECKING:
    from mcusim.cores.core import Core


@click.command()
def doctor() -> int:
    """Tell what is missing here, and how to get it."""
    tools = examine()
    width = max(len(tool.name) for tool in tools)
    for tool in tools:
        if tool.found is not None:
            say(f"ok       {tool.name:{width}}  {tool.found}")
        else:
            word = "missing" if tool.required else "absent "
            say(f"{word}  {tool.name:{width}}  {tool.problem or 'not found'}")
            say(f"{'':9}{'':{width}}  needed for {tool.needed_for}: {tool.install or 'no known way to get it'}")
    missing = [tool for tool in tools if tool.found is None and tool.required]
    absent = any(tool.found is None for tool in tools)
    every = "everything that is needed is there" if absent else "everything is there"
    say(every if not missing else f"{len(missing)} missing")
    return OK if not missing else MissingToolError.exit_code


def examine() -> tuple[Tool, ...]:
    """Looks at every tool. Starts some of them to ask for their version, imports none."""
    from mcusim.cores import CORES
    from mcusim.engines import ENGINES

    models = "training models; reading them needs neither Keras nor TensorFlow"
    train = "pip install 'mcusim[train]'"
    return _once(
        [
            Tool("Python", "mcusim", True, platform.python_version()),
            *map(_compiler, CORES),
            *(tool for engine in ENGINES.values() for tool in engine.tools()),
            package("keras", models, required=False, install="pip install keras"),
            package("tensorflow", models, required=False, install=train, others=("tensorflow-cpu",)),
            package("scikit-learn", "data set digits", required=False, install="pip install 'mcusim[examples]'"),
        ]
    )


def _compiler(core: Core) -> Tool:
    return looked_for(core.COMPILER, "firmware for any board", lambda: core.toolchain().version)


def _once(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """What several need is one row that names them all."""
    rows: dict[str, Tool] = {}
    for tool in tools:
        before = rows.get(tool.name)
        if before is None:
            rows[tool.name] = tool
        elif tool.needed_for != before.needed_for:
            needed_for = f"{before.needed_for}; {tool.needed_for}"
            rows[tool.name] = replace(before, needed_for=needed_for, required=before.required or tool.required)
    return tuple(rows.values())
