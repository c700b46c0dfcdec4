"""Sources of a library -> a folder of its user's, without what an earlier run has left there."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mcusim.line.preflight import check_out
from mcusim.line.sources import Sources

MANIFEST = "mcusim-files.txt"  # what was written, as sha256sum tells and checks it
_ENTRY = re.compile(r"^([0-9a-f]{64})  (\w+\.[chS])$", re.ASCII | re.MULTILINE)
_COMPILED = (".c", ".S")


def write_library(library: Sources, folder: Path) -> tuple[str, ...]:
    """-> notes. What an earlier run wrote, and this one does not, is removed, or it would be compiled, too; a file that
    has been changed since is its user's, and stays. Raises OSError, ConfigurationError as `check_out`, or BuildError.
    """
    check_out(folder, (*library.files, MANIFEST))
    for digest, name in _ENTRY.findall(_read(folder / MANIFEST).decode(errors="replace")):
        path = folder / name
        if name not in library.files and _digest(_read(path)) == digest:
            path.unlink()
    manifest = "".join(f"{_digest(text.encode())}  {name}\n" for name, text in library.files.items())
    Sources({**library.files, MANIFEST: manifest}).write(folder)
    others = [path.name for path in sorted(folder.iterdir()) if path.suffix in _COMPILED]
    foreign = [name for name in others if name not in library.files]
    return (f"in this folder, but not of this library: {', '.join(foreign)}",) if foreign else ()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    """Nothing where there is no file, or a link to one."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""
