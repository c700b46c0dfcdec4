"""A board belongs to one run at a time: a lock of the system on a file named by its id, gone with the process."""

import fcntl
import os
import pwd
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mcusim.engines.hardware.attached import Attached
from mcusim.system.errors import EngineError
from mcusim.system.names import file_name, printable

_POLL_S = 0.2
_LONGEST_HOLDER = 300


class BusyError(EngineError):
    """Another run has the board."""


@contextmanager
def held(board: Attached, wait_s: float = 0.0) -> Iterator[None]:
    """Raises BusyError, which tells who has it, when it does not become free within `wait_s`."""
    path = folder() / f"board-{file_name(board.id)}.lock"
    try:
        file = path.open("a+", encoding="utf-8")
    except PermissionError as error:
        what = f"the lock of board {board.id!r} belongs to {_owner(path)}"
        hint = f"is a run of that user going on? else it has left the file there: sudo rm {path}"
        raise EngineError(what, where=str(path), hint=hint) from error
    except OSError as error:
        what = f"cannot lock board {board.id!r}: {error.strerror}"
        raise EngineError(what, where=str(path), hint="let XDG_RUNTIME_DIR name a folder of yours") from error
    with file:
        _lock(file, board, path, wait_s)
        try:
            file.truncate(0)
            command = " ".join(["mcusim", *sys.argv[1:]])
            file.write(f"process {os.getpid()} since {time.strftime('%H:%M:%S')}: {command}")
            file.flush()
            yield
        finally:
            file.truncate(0)


def _lock(file: IO[str], board: Attached, path: Path, wait_s: float) -> None:
    end = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() >= end:
                file.seek(0)
                holder = printable(file.read(_LONGEST_HOLDER)) or "another process"
                waited = f" (waited {wait_s:g} s)" if wait_s else ""
                what = f"board {board.id!r} is in use{waited}: {holder}"
                hint = "wait for it: --wait 600; or take another board"
                raise BusyError(what, where=str(path), hint=hint) from None
            time.sleep(_POLL_S)


def folder() -> Path:
    """Of this user: XDG_RUNTIME_DIR, else one in the folder for temporary files that nobody else can write."""
    of_session = os.environ.get("XDG_RUNTIME_DIR") or ""
    if os.path.isabs(of_session) and os.access(of_session, os.W_OK):
        path = Path(of_session) / "mcusim"
    else:
        path = Path(tempfile.gettempdir()) / f"mcusim-{os.getuid()}"
    with suppress(OSError):
        path.mkdir(mode=0o700, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid != os.getuid():
            what = f"the folder of locks belongs to {_owner(path)}"
            hint = (
                f"let XDG_RUNTIME_DIR name a folder of yours; or, when no run of that user goes on: sudo rm -r {path}"
            )
            raise EngineError(what, where=str(path), hint=hint)
    return path


def _owner(path: Path) -> str:
    """As people call them."""
    try:
        return f"user {pwd.getpwuid(path.lstat().st_uid).pw_name!r}"
    except (OSError, KeyError):
        return "another user"
