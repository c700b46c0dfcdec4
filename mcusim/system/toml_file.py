"""TOML text -> tables, and the line on which a key stands: what an error message needs."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mcusim.system.errors import ConfigurationError
from mcusim.system.files import read_text
from mcusim.system.names import words_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST_FILE_BYTES = 2**20
KeyPath = Sequence[str | int]  # ("model", 1, "keep"): the key `keep` of the second [[model]]

MOST_NESTED = 32  # tables in tables; a key of thousands of parts takes its readers minutes

_HEADER = re.compile(r"\s*(\[\[?)([^\[\]#]*)\]")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=""")
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_TOO_LONG_A_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{MOST_NESTED},}}")
_GRAMMAR_HINT = 'see docs/experiment.md and https://toml.io; texts stand in quotation marks, as name = "digits"'


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Tables and text of a TOML file. ConfigurationError when it cannot be read, or is not TOML (with the line)."""
    text = read_text(path, LARGEST_FILE_BYTES, hint="give the path of a TOML file", hint_absent="check the path")
    try:
        return _tables(text), text
    except (ValueError, RecursionError) as error:  # of its grammar, or what its numbers and dates say is impossible
        what = f"{path.name!r} is not TOML: {words_of(error)}"
        raise ConfigurationError(what, where=str(path), hint=_GRAMMAR_HINT) from None


def _tables(text: str) -> dict[str, Any]:
    """Raises ValueError or RecursionError."""
    too_long = _TOO_LONG_A_KEY.search(text)
    if too_long:
        line = text.count("\n", 0, too_long.start()) + 1
        raise ValueError(f"a key of more than {MOST_NESTED} parts (at line {line})")
    tables = tomllib.loads(text.replace("\r\n", "\n"))
    level: list[Any] = [tables]
    for _ in range(MOST_NESTED):
        level = [inner for value in level for inner in _inside(value)]
    if level:
        raise ValueError(f"tables or lists in each other, more than {MOST_NESTED} deep")
    return tables


def _inside(value: Any) -> Iterable[Any]:
    """The tables and lists in one."""
    values = value.values() if isinstance(value, dict) else value
    return (inner for inner in values if isinstance(inner, (dict, list)))


def line_of(text: str, keys: KeyPath) -> int | None:
    """Line (from 1) of the key, else of the table nearest to it; None when none of it is written there.

    Good for files as people write them; a key inside a text of several lines may mislead it.
    """
    lines = _lines(text)
    found = (lines.get(tuple(keys[:depth])) for depth in range(len(keys), 0, -1))
    return next((line for line in found if line), None)


@lru_cache(maxsize=4)
def _lines(text: str) -> Mapping[tuple[str | int, ...], int]:
    """The first line of each key and table."""
    found: dict[tuple[str | int, ...], int] = {}
    table: list[str | int] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        header = _HEADER.match(line)
        key = None if header else _KEY.match(line)
        if header:
            table = _table(header[1], header[2].strip(), counts)
        if header or key:
            found.setdefault((*table, *(_parts(key[1]) if key else ())), number)
    return found


def describe(keys: KeyPath) -> str:
    """`model[1].keep`"""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f"{'.' if text else ''}{key}"
    return text


def _table(bracket: str, name: str, counts: dict[str, int]) -> list[str | int]:
    """The key path that a header opens; a repeated [[name]] counts up, [name.sub] belongs to the latest."""
    parts = _parts(name)
    joined = ".".join(parts)
    if bracket == "[[":
        counts[joined] = counts.get(joined, -1) + 1
    path: list[str | int] = []
    for depth, part in enumerate(parts, start=1):
        prefix = ".".join(parts[:depth])
        path += [part, counts[prefix]] if prefix in counts else [part]
    return path


def _parts(name: str) -> list[str]:
    if name[:1] in "\"'":
        return [name[1:-1]]
    return [part.strip().strip("\"'") for part in name.split(".")]
