"""A board belongs to one run at a time: locks of the system, on files, gone with the process.

One is named by the board's id, in a folder of its user; others by what tells the board from others, where all users
of the machine see them.
"""

import fcntl
import os
import pwd
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from mcusim.engines.hardware.attached import Attached
from mcusim.system.errors import EngineError
from mcusim.system.names import file_name, printable

_POLL_S = 0.2
_LONGEST_HOLDER = 300
_OF_ALL = ("/run/lock", "/var/lock", "/tmp")


class BusyError(EngineError):
    """Another run has the board."""


@contextmanager
def held(board: Attached, wait_s: float = 0.0) -> Iterator[None]:
    """Raises BusyError, which tells who has it, when it does not become free within `wait_s`."""
    end, waited = time.monotonic() + wait_s, f" (waited {wait_s:g} s)" if wait_s else ""
    with ExitStack() as stack:
        for path, opened in ((folder() / f"board-{file_name(board.id)}.lock", _own), *_of_machine(board)):
            file = stack.enter_context(opened(path, board))
            _lock(file, board, path, end, waited)
            stack.enter_context(_signed(file))
        yield


def _own(path: Path, board: Attached) -> IO[str]:
    """Raises EngineError where it cannot be had."""
    try:
        return path.open("a+", encoding="utf-8")
    except PermissionError as error:
        what = f"the lock of board {board.id!r} belongs to {_owner(path)}"
        hint = f"is a run of that user going on? else it has left the file there: sudo rm {path}"
        raise EngineError(what, where=str(path), hint=hint) from error
    except OSError as error:
        what = f"cannot lock board {board.id!r}: {error.strerror}"
        raise EngineError(what, where=str(path), hint="let XDG_RUNTIME_DIR name a folder of yours") from error


def _of_machine(board: Attached) -> Iterator[tuple[Path, Callable[[Path, Attached], IO[str]]]]:
    """What tells it from others, as far as the map says: other users may call the same one by another id."""
    serial = board.serial and board.serial.upper().lstrip("0")
    port = board.port and os.path.realpath(board.port)
    told = {"serial": serial, "usb": board.usb, "port": port, "server": board.server if board.address else None}
    of_all = os.environ.get("MCUSIM_LOCKS") or next((name for name in _OF_ALL if _is_of_all(name)), None)
    for key, value in told.items() if of_all else ():
        if value:
            yield Path(of_all or "") / f"mcusim-{key}-{file_name(value)}.lock", _shared


def _is_of_all(name: str) -> bool:
    """May everybody write there, and nobody remove what is another's?"""
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX) and bool(mode & stat.S_IWOTH)


def _shared(path: Path, board: Attached) -> IO[str]:
    """Everybody may lock it, and say so. It may be anything, made by anybody, and is only touched as a plain file.

    Who finds it there does not ask to create it: some systems refuse that for a file of another user.
    """
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o666)
            os.fchmod(number, 0o666)
        except FileExistsError:
            number = os.open(path, os.O_RDWR | flags)
        file = os.fdopen(number, "r+", encoding="utf-8", errors="replace")
    except OSError as error:
        what, where = f"cannot lock board {board.id!r}: {error.strerror}", str(path)
        hint = f"it belongs to {_owner(path)}: sudo rm {path}, when no run goes on; or let MCUSIM_LOCKS name a folder"
        raise EngineError(what, where=where, hint=hint) from error
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        file.close()
        raise EngineError(
            f"{str(path)!r} is no lock of mcusim", where=str(path), hint=f"look at it, then: sudo rm {path}"
        )
    return file


@contextmanager
def _signed(file: IO[str]) -> Iterator[None]:
    """With who has it, for others to read."""
    try:
        file.seek(0)
        file.truncate(0)
        command = " ".join(["mcusim", *sys.argv[1:]])
        file.write(f"process {os.getpid()} of {_user(os.getuid())} since {time.strftime('%H:%M:%S')}: {command}")
        file.flush()
        yield
    finally:
        file.truncate(0)


def _lock(file: IO[str], board: Attached, path: Path, end: float, waited: str) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() >= end:
                file.seek(0)
                holder = printable(file.read(_LONGEST_HOLDER)) or "another process"
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
    try:
        return _user(path.lstat().st_uid)
    except OSError:
        return "another user"


def _user(number: int) -> str:
    """As people call them."""
    try:
        return f"user {pwd.getpwuid(number).pw_name!r}"
    except KeyError:
        return f"user {number}"
