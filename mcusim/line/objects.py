"""Source file -> its object file, compiled once in a process: boards of one core, and engines, share a model.

What a file compiles to follows from its text, from all that it includes, from the compiler and its flags. It does not
follow from the folder (`build` sees to that), so a copy is as good.
"""

import hashlib
import posixpath
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LARGEST_BYTES = 64 << 20  # of all that is kept
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"\n]+)"|<[^>\n]+>|(.*))', re.MULTILINE)
_OF_THE_ASSEMBLER = re.compile(r"^[ \t]*\.(?:include|incbin)\b", re.MULTILINE)


@dataclass
class Objects:
    """Object files, and what the compiler wrote beside them, by `key_of`. What is not asked for goes first."""

    largest_bytes: int = LARGEST_BYTES
    _kept: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lay(self, key: str, folder: Path) -> bool:
        """Writes what is kept for `key` into `folder`. -> False where there is nothing. Raises OSError."""
        with self._lock:
            found = self._kept.pop(key, {})
            if found:
                self._kept[key] = found
        for name, content in found.items():
            (folder / name).write_bytes(content)
        return bool(found)

    def keep(self, key: str, folder: Path, names: Sequence[str]) -> None:
        """Of these files in `folder` those that are there. Raises OSError."""
        content = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
        with self._lock:
            self._kept[key] = content
            while sum(len(part) for one in self._kept.values() for part in one.values()) > self.largest_bytes:
                del self._kept[next(iter(self._kept))]


OBJECTS = Objects()


def key_of(name: str, files: Mapping[str, str], command: Sequence[str]) -> str | None:
    """`command`: compiler, version and flags. None for a file that reads others which are not known by their names."""
    parts = [repr(tuple(command)), name]
    for one in sorted(_read_by(name, files, set())):
        if one not in files or _OF_THE_ASSEMBLER.search(files[one]):
            return None
        parts.append(repr((one, files[one])))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read_by(name: str, files: Mapping[str, str], seen: set[str]) -> set[str]:
    """Itself and all that it includes, also where the preprocessor would not."""
    if name in seen:
        return seen
    seen.add(name)
    for match in _INCLUDE.finditer(files.get(name, "")):
        written = [match[1]] if match[1] else _defined(match[2].strip(), files) if match[2] else []
        for path in written:
            beside = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            _read_by(beside if beside in files else posixpath.normpath(path), files, seen)
    return seen


def _defined(macro: str, files: Mapping[str, str]) -> list[str]:
    """All that a file defines it as. Flags of ours define none: without a definition it is not reached."""
    define = re.compile(rf'^[ \t]*#[ \t]*define[ \t]+{re.escape(macro)}[ \t]+"([^"\n]+)"', re.MULTILINE)
    return [path for text in files.values() for path in define.findall(text)]
