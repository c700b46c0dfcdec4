"""Arm semihosting for a firmware in this process: files in the working folder, the terminal, and the end.

Reference: Arm, "Semihosting for AArch32 and AArch64", release 2.0. A firmware reaches no file outside of its folder.
"""

import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

_OPEN, _CLOSE, _WRITE_C, _WRITE_0, _WRITE, _READ, _IS_TTY = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x09
_SEEK, _LENGTH, _CLOCK, _TIME, _ERRNO, _COMMAND_LINE = 0x0A, 0x0C, 0x10, 0x11, 0x13, 0x15
_EXIT, _EXIT_EXTENDED = 0x18, 0x20
_APPLICATION_EXIT = 0x20026
_FAILED = 0xFFFFFFFF
_MODES = ("rb", "rb", "r+b", "r+b", "wb", "wb", "w+b", "w+b", "ab", "ab", "a+b", "a+b")
_LONGEST_TEXT = 1 << 16
_MOST_FILES = 64


class Semihosting:
    """`read` and `write` are those of the firmware's memory. `exit_code` is None until it has ended."""

    def __init__(
        self, read: Callable[[int, int], bytes], write: Callable[[int, bytes], None], command_line: str
    ) -> None:
        self._read, self._write, self._command_line = read, write, command_line.encode() + b"\0"
        self._files: dict[int, IO[bytes] | None] = {}  # None: the terminal
        self.exit_code: int | None = None

    def call(self, operation: int, argument: int) -> int:
        """What the firmware finds in r0."""
        if operation in (_EXIT, _EXIT_EXTENDED):
            reason, code = self._words(argument, 2) if operation == _EXIT_EXTENDED else (argument, 0)
            self.exit_code = code if reason == _APPLICATION_EXIT else code or 1
            return 0
        handler = {
            _OPEN: self._open,
            _CLOSE: self._close,
            _WRITE_C: lambda at: self._say(self._read(at, 1)),
            _WRITE_0: lambda at: self._say(self._text(at)),
            _WRITE: self._write_file,
            _READ: self._read_file,
            _IS_TTY: lambda at: int(self._files.get(self._words(at, 1)[0], sys.stdout.buffer) is None),
            _SEEK: self._seek,
            _LENGTH: self._length,
            _CLOCK: lambda at: int(time.monotonic() * 100) & 0x7FFFFFFF,
            _TIME: lambda at: int(time.time()) & _FAILED,
            _ERRNO: lambda at: 0,
            _COMMAND_LINE: self._tell_command_line,
        }.get(operation)
        return _FAILED if handler is None else handler(argument)

    def _words(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self._read(at, 4 * count))

    def _text(self, at: int) -> bytes:
        found = b""
        while b"\0" not in found and len(found) < _LONGEST_TEXT:
            found += self._read(at + len(found), 1)
        return found.partition(b"\0")[0]

    def _say(self, text: bytes) -> int:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return 0

    def _open(self, at: int) -> int:
        where, mode, length = self._words(at, 3)
        name = self._read(where, min(length, 4096)).decode("utf-8", "replace")
        if mode >= len(_MODES) or len(self._files) >= _MOST_FILES:
            return _FAILED
        number = next(n for n in range(1, _MOST_FILES + 2) if n not in self._files)
        if name == ":tt":
            self._files[number] = None
            return number
        if not name or "/" in name or name in (".", ".."):
            return _FAILED
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW) if Path(name).exists() else -1
            if descriptor >= 0:
                os.close(descriptor)
            self._files[number] = open(name, _MODES[mode], buffering=0)  # noqa: SIM115  (closed by the firmware)
        except OSError:
            return _FAILED
        return number

    def _close(self, at: int) -> int:
        number = self._words(at, 1)[0]
        if number not in self._files:
            return _FAILED
        file = self._files.pop(number)
        if file is not None:
            file.close()
        return 0

    def _write_file(self, at: int) -> int:
        """The bytes that were not written."""
        number, where, length = self._words(at, 3)
        if number not in self._files:
            return length
        data, file = self._read(where, length), self._files[number]
        if file is None:
            return self._say(data)
        try:
            return length - (file.write(data) or 0)
        except OSError:
            return length

    def _read_file(self, at: int) -> int:
        """The bytes that were not read."""
        number, where, length = self._words(at, 3)
        file = self._files.get(number)
        if file is None:
            return length
        try:
            data = file.read(length)
        except OSError:
            return length
        if data:
            self._write(where, data)
        return length - len(data)

    def _seek(self, at: int) -> int:
        number, place = self._words(at, 2)
        file = self._files.get(number)
        if file is None:
            return _FAILED
        file.seek(place)
        return 0

    def _length(self, at: int) -> int:
        file = self._files.get(self._words(at, 1)[0])
        return _FAILED if file is None else os.fstat(file.fileno()).st_size

    def _tell_command_line(self, at: int) -> int:
        where, room = self._words(at, 2)
        if len(self._command_line) > room:
            return _FAILED
        self._write(where, self._command_line)
        self._write(at + 4, struct.pack("<I", len(self._command_line) - 1))
        return 0
