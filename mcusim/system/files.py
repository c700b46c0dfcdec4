"""Files as users name them: read within a bound, whatever they are, and written without replacing what is no file.

A name may lead to a pipe, a device or nothing at all. Reading ends after `largest_bytes` or WAIT_S, also of what has no
end; writing replaces regular files only, whole or not at all, and goes through links.
"""

import errno
import os
import re
import select
import stat
import sys
import time
from pathlib import Path

from mcusim.system.errors import ConfigurationError, McusimError

WAIT_S, SILENCE_S = 45.0, 5.0  # for all that comes out of a pipe; for somebody to open its other end
_PIECE_BYTES = 2**20
_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,6})")


def read_file(
    path: Path, largest_bytes: int, *, hint: str, kind: type[McusimError] = ConfigurationError, hint_absent: str = ""
) -> bytes:
    """All of it. An error of `kind` when it cannot be read, is larger, or is a pipe that stays silent.

    `hint_absent`: the hint when there is nothing of that name.
    """
    try:
        descriptor = _opened(path)
        try:
            return _drained(descriptor, largest_bytes)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # ValueError: a zero in the name
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        absent = isinstance(error, FileNotFoundError) and hint_absent
        what = f"cannot read {path.name!r}: {reason}"
        raise kind(what, where=str(path), hint=absent or hint) from None


def read_text(path: Path, largest_bytes: int, *, hint: str, hint_absent: str = "") -> str:
    """As `read_file`, of a text in UTF-8 (with or without a byte order mark). ConfigurationError when it is none."""
    try:
        return read_file(path, largest_bytes, hint=hint, hint_absent=hint_absent).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path.name!r} is not a text in UTF-8", where=str(path), hint=hint) from None


def demand_regular(path: Path, *, hint: str, kind: type[McusimError] = ConfigurationError) -> None:
    """For what is read here and there, or by others. An error of `kind` for a pipe, a device or a folder."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise kind(f"cannot read {path.name!r}: {reason}", where=str(path), hint=hint) from None
    if not stat.S_ISREG(mode):
        raise kind(f"{path.name!r} is {_called(mode)}, not a file", where=str(path), hint=hint)


def sha256_of(path: Path) -> str:
    """A piece at a time: with its debug information a firmware may have hundreds of megabytes. Raises OSError."""
    import hashlib

    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


def starts_with(path: Path, magic: bytes) -> bool:
    """Does a regular file begin so? False for whatever cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except (OSError, ValueError):
        return False


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode("utf-8", errors="replace"))


def write_bytes(path: Path, data: bytes) -> None:
    """A file appears whole or not at all; what is no regular file is written to, and stays. Raises OSError."""
    stream = stream_of(path)
    if stream is not None:
        _write_to(os.dup(stream), data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if _is_regular_or_absent(path):
        _replace(Path(os.path.realpath(path)), data)
    else:
        _write_to(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY), data)


def forget(path: Path) -> None:
    """What `write_bytes` will write: a regular file is removed, so that it cannot be taken for new. Raises OSError."""
    if stream_of(path) is None and path.is_file():
        Path(os.path.realpath(path)).unlink()


def append_text(path: Path, text: str) -> None:
    """At the end of what is there. Raises OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    stream = stream_of(path)
    descriptor = os.open(path, flags, 0o666) if stream is None else os.dup(stream)
    _write_to(descriptor, text.encode("utf-8", errors="replace"))


def stream_of(path: Path) -> int | None:
    """The open stream of this process that a name stands for, as /dev/stdout does: opened anew it would start over."""
    name = os.path.normpath(path)
    found = _DESCRIPTOR.fullmatch(name)
    return int(found[1]) if found else _STREAMS.get(name)


def _opened(path: Path) -> int:
    """Without waiting for the other end of a pipe."""
    stream = stream_of(path)
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) if stream is None else os.dup(stream)


def _drained(descriptor: int, largest_bytes: int) -> bytes:
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size > largest_bytes:
        raise _too_large(largest_bytes)
    pieces: list[bytes] = []
    is_device = stat.S_ISCHR(status.st_mode) and not os.isatty(descriptor)
    size, end = 0, time.monotonic() + (SILENCE_S if is_device else WAIT_S)
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    while True:
        left = max(0.0, end - time.monotonic())
        came = ready.poll(1000 * (left if os.get_blocking(descriptor) else min(left, SILENCE_S)))
        if not came and time.monotonic() >= end:
            raise OSError(errno.ETIMEDOUT, "its end did not come in time")
        try:
            piece = os.read(descriptor, _PIECE_BYTES)
        except BlockingIOError:  # somebody may still write
            continue
        if not piece and not came:
            raise OSError(errno.ETIMEDOUT, "nobody writes to it")
        size += len(piece)
        if size > largest_bytes:
            raise _too_large(largest_bytes)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _too_large(largest_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"it is too large, more than {largest_bytes:,} bytes")


def _is_regular_or_absent(path: Path) -> bool:
    """IsADirectoryError for a folder; OSError for a block device, which nobody means to overwrite."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:  # also a link that leads to nothing yet
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if stat.S_ISBLK(mode):
        raise OSError(errno.EINVAL, "it is a disk", str(path))
    return stat.S_ISREG(mode)


def _write_to(descriptor: int, data: bytes) -> None:
    """Closes it, too."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # what was printed before comes before
    os.set_blocking(descriptor, True)
    with open(descriptor, "wb") as file:
        file.write(data)


def _replace(path: Path, data: bytes) -> None:
    """Written beside the file, then renamed."""
    import tempfile

    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        aside = Path(name)
        try:
            with open(handle, "wb") as file:
                file.write(data)
            aside.chmod(0o666 & ~_umask())  # mkstemp made it private
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # the name that the user knows


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _called(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
