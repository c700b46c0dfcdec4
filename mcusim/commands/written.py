"""Formats -> the files that options name, standard output, and the page of a GitHub job."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mcusim.commands.streams import say
from mcusim.system.files import append_text, stream_of, write_text
from mcusim.system.names import cut

LARGEST_SUMMARY_BYTES = 1_000_000
Files = Mapping[str, Path | None]  # by the name of the format
Render = Callable[[str], str]  # name of the format -> text


def write(files: Files, render: Render) -> list[str]:
    """Write the formats that have a file, before anything is printed: a reader may go away. -> what there is to tell.

    Raises OSError.
    """
    told = []
    for name, path in files.items():
        if path and not _is_output(path):
            write_text(path, render(name))
            told += [f"{name}: {path}"] if path.is_file() else []
    return told


def tell(files: Files, render: Render, show: Callable[[], None] | None, *before: str, rest: str = "") -> None:
    """Formats that have a file are written, then people are shown the rest; what is for standard output comes last.

    `rest`: as of `summarize`, where the job's page has it, too.
    """
    written = write(files, render)
    if rest:
        summarize(lambda: render("markdown"), rest)
    if show:
        show()
    for line in (*before, *written):
        say(line)
    print_those(files, render)


def print_those(files: Files, render: Render) -> None:
    """The formats that are for standard output."""
    for name, path in files.items():
        if path and _is_output(path):
            click.echo(render(name))


def write_json(path: Path, **told: Any) -> None:
    """All that a command tells people, for programs."""
    import json

    write_text(path, json.dumps({"format": 1, **told}, indent=2) + "\n")


def _is_output(path: Path) -> bool:
    return path == Path("-") or stream_of(path) == 1


def summarize(markdown: Callable[[], str], rest: str) -> None:
    """GitHub shows what is appended to this file on the page of the job; `rest`: where all of it is.

    It is no failure of the command when it cannot.
    """
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    try:
        if summary:
            more = f"The rest is in {rest}: GitHub takes 1 MiB."
            append_text(Path(summary), cut(markdown(), LARGEST_SUMMARY_BYTES, more) + "\n")
    except OSError as error:
        say(f"note: GITHUB_STEP_SUMMARY cannot be written: {error.strerror or error}", error=True)
