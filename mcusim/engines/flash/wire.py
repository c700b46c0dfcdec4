"""A serial port that a boot loader speaks on: bytes, with a limit for each wait."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from mcusim.engines.hardware.run_on import BoardTrouble
from mcusim.engines.serial.port import LostError, Port


class Wire(AbstractContextManager["Wire"]):
    """Opened anew, which resets some boards. Raises as `Port.open`."""

    def __init__(self, path: str, baud: int, stop: Callable[[], bool]) -> None:
        self.path, self._port, self._heard = path, Port(path, stop), bytearray()
        self._port.open(baud)

    def __exit__(self, *_: object) -> None:
        self._port.close()

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except LostError:
            raise self._gone() from None

    def read(self, count: int, limit_s: float) -> bytes:
        """Exactly so many. Raises BoardTrouble when they do not come within `limit_s`."""
        end = time.monotonic() + limit_s
        while len(self._heard) < count:
            try:
                self._heard += self._port.read(count - len(self._heard))
            except LostError:
                raise self._gone() from None
            if len(self._heard) < count and time.monotonic() >= end:
                what = f"the boot loader gives no answer within {limit_s:g} s"
                raise BoardTrouble(what, where=self.path, hint="press reset, and try again")
        found, self._heard = bytes(self._heard[:count]), self._heard[count:]
        return found

    def drain(self) -> None:
        """Forgets what was heard of a message that did not come whole."""
        self._heard.clear()

    def _gone(self) -> BoardTrouble:
        return BoardTrouble("the serial port went away", where=self.path, hint="is the cable plugged in?")
