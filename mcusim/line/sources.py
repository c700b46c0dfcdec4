"""Text of every generated file, in memory, with the digest that is also the key of the build cache."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from mcusim.system.disk import WRITE_HINT
from mcusim.system.errors import BuildError


@dataclass(frozen=True)
class Sources:
    """Files by relative name (``harness/main.c``); names that could leave a folder are refused.

    Raises ValueError for such a name: they are made by mcusim, so one is a bug.
    """

    files: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in self.files:
            _check_name(name)
        object.__setattr__(self, "files", MappingProxyType(dict(sorted(self.files.items()))))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of names and texts. Lengths are part of it: no two sets of files look the same."""
        sha = hashlib.sha256()
        for name, text in self.files.items():
            for part in (name.encode(), text.encode()):
                sha.update(len(part).to_bytes(8, "little") + part)
        return sha.hexdigest()

    def write(self, folder: Path) -> None:
        """Writes every file below `folder`, which is created. Raises BuildError when that fails."""
        for name, text in self.files.items():
            path = folder / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
            except OSError as error:
                raise BuildError(
                    f"cannot write {path.name!r}: {error.strerror}", where=str(path.parent), hint=WRITE_HINT
                ) from error

    def merged(self, other: Sources) -> Sources:
        """Both sets of files. Raises ValueError when they share a name."""
        shared = sorted(set(self.files) & set(other.files))
        if shared:
            raise ValueError(f"in both sets of sources: {', '.join(shared)}")
        return Sources({**self.files, **other.files})


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    forbidden = "\\" in name or "\0" in name or ":" in name
    if not path.name or forbidden or path.is_absolute() or ".." in path.parts or str(path) != name:
        raise ValueError(f"not a relative file name: {name!r}")
