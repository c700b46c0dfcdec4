"""TOML text -> tables, and the line on which a key stands: what an error message needs."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcusim.system.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST_FILE_BYTES = 2**20
KeyPath = Sequence[str | int]  # ("model", 1, "keep"): the key `keep` of the second [[model]]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]#]+?)\s*\]")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=""")


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Tables and text of a TOML file. ConfigurationError when it cannot be read, or is not TOML (with the line)."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ConfigurationError(f"{path.name!r} is too large to be an experiment", where=str(path))
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text), text
    except OSError as error:
        hint = "check the path" if isinstance(error, FileNotFoundError) else "give the path of a TOML file"
        raise ConfigurationError(f"cannot read {path.name!r}: {error.strerror}", where=str(path), hint=hint) from None
    except UnicodeDecodeError:
        hint = "give a TOML file"
        raise ConfigurationError(f"{path.name!r} is not a text in UTF-8", where=str(path), hint=hint) from None
    except (ValueError, RecursionError) as error:  # of its grammar, or what its numbers and dates say is impossible
        reason = re.sub(r"\s+", " ", str(error))
        raise ConfigurationError(f"{path.name!r} is not TOML: {reason}", where=str(path)) from None


def line_of(text: str, keys: KeyPath) -> int | None:
    """Line (from 1) of the key, else of the table nearest to it; None when none of it is written there.

    Good for files as people write them; a key inside a text of several lines may mislead it.
    """
    best, best_depth = None, 0
    table: list[str | int] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            table = _table(header[1], header[2], counts)
        key = None if header else _KEY.match(line)
        here = [*table, *_parts(key[1])] if key else table
        depth = len(here) if list(keys[: len(here)]) == here else 0
        if (header or key) and depth > best_depth:
            best, best_depth = number, depth
    return best


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
