"""Standard streams as other programs leave them: closed, full, read by nobody, or by a CI system that obeys them.

What a user named may look like a command to a CI system (`::error::`, `##[group]`): there, no line of ours is one.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from mcusim.system.names import printable

OBEYED_BY = ("GITHUB_ACTIONS", "GITEA_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")  # variables of CI systems
_COMMAND = re.compile(r"^([^\S\n]*:)(?=:)|(##)(?=[A-Za-z]*\[)", re.MULTILINE)


def say(text: str = "", *, error: bool = False) -> None:
    """A line for people, on standard output or error; names and paths in it are what they are called, and no more."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    click.echo(indent + printable(text), err=error)


def prepare(environment: Mapping[str, str] = os.environ) -> None:
    """What the terminal can encode is printed. What standard error does not take is lost, and no failure."""
    _occupy()
    is_obeyed = any(environment.get(name) for name in OBEYED_BY)
    sys.stderr = _wrapped(sys.stderr, 2, _Careless, is_obeyed, by_line=True)
    sys.stdout = _wrapped(sys.stdout, 1, _Watched, is_obeyed, by_line=os.isatty(1))


def trouble_of_output() -> OSError | None:
    """Why standard output cannot be written, when that is so: it takes no more then."""
    with suppress(OSError):
        sys.stdout.flush()
    return sys.stdout.trouble if isinstance(sys.stdout, _Watched) else None


def _occupy() -> None:
    """A stream that is closed is one to nowhere: the next file to be opened would be printed into."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _wrapped(old: Any, descriptor: int, kind: type[_Watched], is_obeyed: bool, *, by_line: bool) -> _Watched:
    encoding = getattr(old, "encoding", None) or "utf-8"
    raw = io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=False))
    stream = kind(raw, encoding=encoding, errors="replace", line_buffering=by_line)
    stream.is_obeyed = is_obeyed
    return stream


class _Watched(io.TextIOWrapper):
    """A stream that remembers what went wrong, and takes everything from then on: into nowhere.

    Only its text side is ours. Ctrl-C is raised between two steps of Python: with one of ours around the system's
    write, after the bytes went out and before the buffer below knows it, and they would go out again.
    """

    trouble: OSError | None = None
    is_obeyed = False  # its reader takes some lines for commands

    def write(self, text: str) -> int:
        harmless = _COMMAND.sub(lambda found: f"{found[0]} ", text) if self.is_obeyed else text
        try:
            super().write(harmless)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        self.trouble = error
        self._tell(error)

    def _tell(self, error: OSError) -> None:
        raise error


class _Careless(_Watched):
    """A stream that takes everything, also when it is full, closed or read by nobody."""

    def _tell(self, error: OSError) -> None:
        return
