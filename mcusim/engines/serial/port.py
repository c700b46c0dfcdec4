"""A serial port of this machine: opened for us alone, lost and found again, read by pieces between zeros."""

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mcusim.engines.hardware.run_on import BoardTrouble, Stopped
from mcusim.engines.hardware.usb import PERMISSION_HINT
from mcusim.system.errors import EngineError

_LOOK_S = 0.05
_AGAIN_S = 0.1  # between two attempts to open what is gone
_WRITE_S = 5.0
_PIECE_BYTES = 64  # at once: buffers of small adapters overflow
_LONGEST_BYTES = 1 << 20  # between two zeros: a board that says other things than frames

_HINTS = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), PERMISSION_HINT),
    errno.EBUSY: "close the other program: a terminal, a debugger, ModemManager (fuser -v names it)",
}
_AWAY = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
_IN_USE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY)


class LostError(Exception):
    """The port is gone, at least for a moment."""


class Port:
    """`stop` is asked while it waits: then Stopped is raised."""

    def __init__(self, path: str, stop: Callable[[], bool]) -> None:
        self.path, self._stop = path, stop
        self.opened = 0
        self._serial: Any = None
        self._heard = bytearray()

    def open(self, baud: int) -> None:
        """Raises BoardTrouble when it is not there, EngineError when others own or use it."""
        try:
            self._open(baud)
        except OSError as error:
            raise _not_opened(self.path, error) from error

    def _open(self, baud: int) -> None:
        import serial

        self.close()
        self._serial = serial.Serial(self.path, baud, timeout=_LOOK_S, write_timeout=_WRITE_S, exclusive=True)
        self.opened += 1

    def find_again(self, baud: int, end: float) -> None:
        """Opens it anew, once it is there again. Raises BoardTrouble at `end`, of time.monotonic()."""
        self.close()
        while True:
            try:
                return self._open(baud)
            except OSError as error:
                if time.monotonic() >= end:
                    what = f"the serial port went away and did not come back: {error.strerror or error}"
                    raise BoardTrouble(what, where=self.path, hint="is the cable plugged in?") from error
                self._wait(_AGAIN_S)

    def close(self) -> None:
        self._heard.clear()
        if self._serial is not None:
            with suppress(OSError):
                self._serial.close()
            self._serial = None

    def rate(self, baud: int) -> None:
        """What has arrived at another rate is dropped."""
        try:
            self._serial.baudrate = baud
            self._serial.reset_input_buffer()
        except (OSError, AttributeError) as error:
            raise LostError from error
        self._heard.clear()

    def write(self, data: bytes) -> None:
        try:
            for at in range(0, len(data), _PIECE_BYTES):
                self._serial.write(data[at : at + _PIECE_BYTES])
        except (OSError, AttributeError) as error:
            raise LostError from error

    def read(self, most: int) -> bytes:
        """What is there, after a moment at most."""
        if self._stop():
            raise Stopped
        try:
            found: bytes = self._serial.read(min(most, max(1, self._serial.in_waiting)))
        except (OSError, AttributeError, TypeError) as error:  # as pyserial does of a port that was closed meanwhile
            raise LostError from error
        return found

    def piece(self, end: float) -> bytes | None:
        """The next bytes between two zeros; None when none came until `end`, of time.monotonic()."""
        while True:
            piece, zero, rest = self._heard.partition(b"\0")
            if zero:
                self._heard = rest
                if piece:
                    return bytes(piece)
                continue
            if time.monotonic() >= end:
                return None
            self._heard += self.read(_LONGEST_BYTES)
            if len(self._heard) > _LONGEST_BYTES:
                self._heard.clear()

    def _wait(self, seconds: float) -> None:
        if self._stop():
            raise Stopped
        time.sleep(seconds)


def _not_opened(path: str, error: OSError) -> EngineError:
    number = _number(error)
    if number in _IN_USE:
        return EngineError("another program has the serial port", where=path, hint=_HINTS[errno.EBUSY])
    if number in _AWAY:
        return BoardTrouble("there is no such serial port", where=path, hint=f"these are there: {_those_there()}")
    reason = os.strerror(number) if number else str(error)
    hint = _HINTS.get(number, "is it a serial port? mcusim hardware scan shows those that are")
    return EngineError(f"cannot open the serial port: {reason}", where=path, hint=hint)


def _number(error: BaseException | None) -> int:
    """The system's number of an error, which pyserial may hide behind words of its own; 0 where there is none."""
    while error is not None:
        if error.args and isinstance(error.args[0], int):
            return error.args[0]
        error = error.__context__
    return 0


def _those_there() -> str:
    from serial.tools.list_ports import comports

    return ", ".join(sorted(port.device for port in comports())) or "none: plug the board in"
