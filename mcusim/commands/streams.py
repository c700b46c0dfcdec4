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
    kind = _Obeyed if any(environment.get(name) for name in OBEYED_BY) else io.TextIOWrapper
    sys.stderr = _wrapped(sys.stderr, _Careless(2, "wb", closefd=False), kind, by_line=True)
    output = _Watched(1, "wb", closefd=False)
    sys.stdout = _wrapped(sys.stdout, output, kind, by_line=output.isatty())


def trouble_of_output() -> OSError | None:
    """Why standard output cannot be written, when that is so: it takes no more then."""
    with suppress(OSError):
        sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.trouble if isinstance(raw, _Watched) else None


def _occupy() -> None:
    """A stream that is closed is one to nowhere: the next file to be opened would be printed into."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _wrapped(old: Any, raw: io.FileIO, kind: type[io.TextIOWrapper], *, by_line: bool) -> io.TextIOWrapper:
    encoding = getattr(old, "encoding", None) or "utf-8"
    return kind(io.BufferedWriter(raw), encoding=encoding, errors="replace", line_buffering=by_line)


class _Obeyed(io.TextIOWrapper):
    """A stream whose reader takes some lines for commands."""

    def write(self, text: str) -> int:
        super().write(_COMMAND.sub(lambda found: f"{found[0]} ", text))
        return len(text)


class _Watched(io.FileIO):
    """A stream that remembers what went wrong, and takes no more from then on."""

    trouble: OSError | None = None

    def write(self, data: Any) -> int:
        if self.trouble is not None:
            return len(data)
        try:
            written = super().write(data)
        except OSError as error:
            self.trouble = error
            raise
        return written


class _Careless(io.FileIO):
    """A stream that takes everything, also when it is full, closed or read by nobody."""

    def write(self, data: Any) -> int:
        try:
            written = super().write(data)
        except OSError:
            return len(data)
        return len(data) if written is None else written  # None: it would have to wait
