"""Firmware in tests: what is compiled of the same text, by the same compiler with the same flags, is compiled once.

That gives the same bytes wherever it is done: tests/line/test_build.py proves it, and compiles everything anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcusim.line import build
from mcusim.system.command import Completed, run

MOST_KEPT = 500
INCLUDED = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_kept: dict[tuple[str, ...], dict[str, bytes]] = {}  # by words of the command and texts, then by suffix; oldest first


@contextmanager
def compiled_by(way: Callable[..., Completed]) -> Iterator[None]:
    """What `build` compiles meanwhile: `once`, or as users have it (`run`)."""
    before, build.run = build.run, way  # type: ignore[assignment]
    try:
        yield
    finally:
        build.run = before


def once(command: Sequence[str | Path], *, folder: Path, **more: Any) -> Completed:
    words = [str(word) for word in command]
    if "-c" not in words:
        return run(command, folder=folder, **more)
    source = words[words.index("-c") + 1]
    texts: dict[str, str] = {}
    _read(folder, source, texts)
    key = *(word.replace(str(folder), "") for word in words), *texts, *texts.values()
    made = _kept.pop(key, None)
    if made is None:
        done = run(command, folder=folder, **more)
        if done.returncode or done.stderr:
            return done
        made = {path.suffix: path.read_bytes() for path in _made(folder / source)}
    for suffix, content in made.items():
        (folder / source).with_suffix(suffix).write_bytes(content)
    _kept[key] = made
    if len(_kept) > MOST_KEPT:
        del _kept[next(iter(_kept))]
    return Completed(0, "", "")


def _read(folder: Path, name: str, texts: dict[str, str]) -> None:
    """A file and all that it includes from beside it, or from the root."""
    texts[name] = (folder / name).read_text(encoding="utf-8")
    for other in INCLUDED.findall(texts[name]):
        beside = (Path(name).parent / other).as_posix()
        path = beside if (folder / beside).is_file() else other
        if path not in texts and (folder / path).is_file():
            _read(folder, path, texts)


def _made(source: Path) -> list[Path]:
    """The object, and how much stack its functions take."""
    return [path for path in (source.with_suffix(".o"), source.with_suffix(".su")) if path.exists()]
