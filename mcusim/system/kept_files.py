"""A folder of files that any number of processes share: each appears whole or not at all, and they have a bound."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.files import write_bytes
from mcusim.system.packed import LARGEST_BYTES, pack, unpack

LOOKS = 16  # at the whole folder, while as much is written as it has room for


class KeptFiles:
    """Of at most `most_bytes`, or a little more: what was not used for longest goes first. Files of others stay."""

    def __init__(self, folder: Path, suffix: str, most_bytes: int) -> None:
        self._folder, self._suffix, self._most = folder, suffix, most_bytes
        self._unlooked = most_bytes  # written since it was looked at

    def path(self, name: str) -> Path:
        return self._folder / f"{name}{self._suffix}"

    def read(self, name: str) -> bytes:
        """Raises OSError where there is none, ValueError for one that is too large."""
        path = self.path(name)
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError("it is too large")
        data = path.read_bytes()
        with suppress(OSError):  # of another user
            os.utime(path)
        return data

    def write(self, name: str, data: bytes) -> None:
        """A folder that cannot be written any more is no failure: what would be there is made again."""
        with suppress(OSError):
            write_bytes(self.path(name), data)
            self._unlooked += len(data)
            if self._unlooked >= self._most // LOOKS:
                self._unlooked = 0
                self._thin_out()

    def forget(self) -> None:
        """All, also what a killed process was writing. The folder stays where others have files in it."""
        with suppress(OSError):
            for path in self._folder.glob(f"*{self._suffix}*"):
                path.unlink(missing_ok=True)
            self._folder.rmdir()

    def _thin_out(self) -> None:
        room = self._most
        for _, size, path in sorted(self._files(), reverse=True):
            room -= size
            if room < 0:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each was used last, and its size."""
        for path in self._folder.glob(f"*{self._suffix}"):
            with suppress(OSError):
                found = path.stat()
                yield found.st_mtime, found.st_size, path


class KeptArrays:
    """Results of pure functions, which depend on `given`, too. What is damaged, or of another name, is made again."""

    def __init__(self, files: KeptFiles, given: str) -> None:
        self._files, self._given = files, given

    def do(self, key: str, make: Callable[[], tuple[Array, ...]]) -> tuple[Array, ...]:
        """`make()`, or what it gave some process for this `key`, which tells all else that it depends on."""
        name = f"{self._given}-{key}"
        with suppress(OSError, ValueError):
            told, arrays = unpack(self._files.read(name))
            if told == name:
                return tuple(np.array(array) for array in arrays.values())  # at addresses as numpy wants them
        made = make()
        self._files.write(name, pack(name, {str(place): array for place, array in enumerate(made)}))
        return made
