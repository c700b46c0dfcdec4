"""An archive, or the folder that it was extracted to -> its files, one after the other.

All of it is hostile: nothing is written to a disk, so no name can lead anywhere, and no size is believed.
"""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mcusim.system.errors import DataError

LARGEST_FILE = 2**26  # bytes of one file: those of all known sets have half of it
LARGEST_TOTAL = 2**33  # unpacked
MOST_FILES = 250_000
READ_AGAIN = "fetch it again"
# The path in the archive with "/", and what reads it: to be called before the next one is asked for, or not at all.
Members = Iterator[tuple[str, Callable[[], bytes]]]


def members(path: Path) -> Members:
    """Files in the order of the archive, those of a folder by name, each beginning with the folder's own.

    DataError for what is no archive, damaged, or larger than any data set.
    """
    with _damage(path):
        count, total = 0, 0
        for name, size, read in _walk(path):
            count, total = count + 1, total + size
            if count > MOST_FILES or total > LARGEST_TOTAL:
                what = f"{path.name!r} holds more than {MOST_FILES:,} files or {LARGEST_TOTAL:,} bytes"
                raise DataError(what, where=str(path), hint=READ_AGAIN)
            yield name, partial(_read, path, name, size, read)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, RuntimeError, _TooMuch) as error:
        what = f"{path.name!r} is damaged: {' '.join(str(error).split())[:200]}"
        raise DataError(what, where=str(path), hint="delete it and run again") from None


class _TooMuch(ValueError):
    """A header that would have to be read whole."""


def _walk(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    if path.is_dir():
        return _of_folder(path)
    return _of_zip(path) if zipfile.is_zipfile(path) else _of_tar(path)


def _of_folder(folder: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():  # and no pipe, which would be waited for
            yield f"{folder.name}/{path.relative_to(folder).as_posix()}", path.stat().st_size, path.read_bytes


def _of_zip(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield info.filename, info.file_size, partial(archive.read, info)


class _Bounded(gzip.GzipFile):
    """Headers of a tar are read as long as they say they are."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= LARGEST_FILE:
            raise _TooMuch("it has a header that no data set has")
        return super().read(size)


def _of_tar(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with _Bounded(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r:") as archive:
        for info in archive:
            file = archive.extractfile(info) if info.isreg() else None
            if file:
                yield info.name, info.size, file.read


def _read(path: Path, name: str, size: int, read: Callable[[], bytes]) -> bytes:
    if size > LARGEST_FILE:
        what = f"{name!r} says that it has {size:,} bytes, {LARGEST_FILE:,} at most are read"
        raise DataError(what, where=str(path), hint=READ_AGAIN)
    with _damage(path):
        return read()
