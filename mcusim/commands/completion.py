"""Words that a shell may complete, once it was told so: `eval "$(_MCUSIM_COMPLETE=bash_source mcusim)"`.

(Or zsh_source, fish_source.) What a shell asks is in the environment; each question is a process of its own, and so
nothing heavy is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

VARIABLE = "_MCUSIM_COMPLETE"

Words = Callable[["click.Context", "click.Parameter", str], list[str]]


def answer(cli: click.Group) -> int | None:
    """Answer the shell that asks by the environment; -> exit code, None when no shell asks."""
    instruction = os.environ.get(VARIABLE)
    if not instruction:
        return None
    from click.shell_completion import shell_complete

    return shell_complete(cli, {}, "mcusim", VARIABLE, instruction)


def _choosing(names: Callable[[click.Context], Sequence[str]]) -> Words:
    """What begins as the word so far; a list with commas is completed at its end."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in names(context) if name.startswith(last)]

    return complete


def _boards(context: click.Context) -> Sequence[str]:
    from mcusim.boards.load import board_names

    return board_names()


def _engines(context: click.Context) -> Sequence[str]:
    from mcusim.engines import ENGINES

    return tuple(ENGINES)


def _data_types(context: click.Context) -> Sequence[str]:
    from mcusim.line.quantize import DATA_TYPE_WORDS

    return DATA_TYPE_WORDS


def _models(context: click.Context) -> Sequence[str]:
    """Of the experiment that is on the command line already."""
    from mcusim.experiment.read import open_experiment
    from mcusim.system.errors import McusimError

    named = [word for word in context.args if word.endswith(".toml")]  # click gives up at an option without its value
    path = context.params.get("experiment") or next(iter(named), None)
    try:
        return [model.name for model in open_experiment(Path(path)).models] if path else ()
    except McusimError:
        return ()


boards, engines, data_types, models = map(_choosing, (_boards, _engines, _data_types, _models))
