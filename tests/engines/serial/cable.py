"""Two pseudo terminals and a cable between them: it drops, flips, stalls, is unplugged, and is as slow as its rate.

What is sent at one rate and read at another arrives as rubbish, as over a wire.
"""

from __future__ import annotations

import os
import pty
import random
import select
import termios
import threading
import time
import tty
from collections import Counter, defaultdict
from pathlib import Path


class Cable(threading.Thread):
    """`link`: where the host's end is while it is plugged in. Rates of trouble are for a byte; `stall` for a piece."""

    def __init__(
        self, link: Path, *, drop: float = 0, flip: float = 0, stall: float = 0, unplug: float = 0, paced: bool = False
    ) -> None:
        super().__init__(daemon=True)
        self.link, self.paced = link, paced
        self.drop, self.flip, self.stall, self.unplug_rate = drop, flip, stall, unplug
        self.random, self.seen = random.Random(7), Counter[str]()
        self._expected = defaultdict[str, float](float)
        self.board, self._board_end = pty.openpty()
        tty.setraw(self._board_end)
        self.tty = os.ttyname(self._board_end)
        self.clean_above = 1 << 32  # rates from here on lose bytes
        self._free_at = 0.0  # of a paced wire: it carries what waits without a pause between
        self.done, self.pulled = threading.Event(), threading.Event()
        self.host = self._host_end = -1
        self.plug()

    def plug(self) -> None:
        self.host, self._host_end = pty.openpty()
        tty.setraw(self._host_end)
        self.link.symlink_to(os.ttyname(self._host_end))

    def unplug(self, seconds: float) -> None:
        self.seen["unplug"] += 1
        self.link.unlink()
        os.close(self.host)
        os.close(self._host_end)
        time.sleep(seconds)
        self.plug()

    def pull(self) -> None:
        """Unplugs it for good."""
        self.pulled.set()
        while self.is_alive():
            time.sleep(0.001)

    def end(self) -> None:
        self.done.set()
        self.join()
        ends = (self.board, self._board_end, *(() if self.pulled.is_set() else (self.host, self._host_end)))
        for fd in ends:
            os.close(fd)

    def run(self) -> None:
        while not self.done.is_set():
            if self.pulled.is_set():
                self.link.unlink()
                os.close(self.host)
                os.close(self._host_end)
                return
            before = self._rates()
            ends = [self.host, self.board]
            waited = select.select(ends, [], [], 0)[0]
            if not waited:
                ends, self._free_at = select.select(ends, [], [], 0.05)[0], time.monotonic()
            for fd in waited or ends:
                try:
                    data = os.read(fd, 512)
                except OSError:
                    continue
                if not self._carry(fd, data, before):
                    break

    def _rates(self) -> list[int]:
        return [_speed(end) for end in (self._host_end, self._board_end)]

    def _carry(self, fd: int, data: bytes, before: list[int]) -> bool:
        """False when `fd` is there no more. `before`: the rates before it was seen to have something."""
        now = self._rates()
        rates = before if before[0] == before[1] else now
        if self.paced and any(rates):  # neither end has told its rate yet
            self._free_at += 10 * len(data) / max(rates)
            time.sleep(max(0.0, self._free_at - time.monotonic()))
        if self._happens("stall", self.stall):
            time.sleep(0.3)
        if self._happens("unplug", self.unplug_rate * len(data)):
            self.unplug(0.2)
            return False
        os.write(self.board if fd == self.host else self.host, self._changed(data, rates))
        self.seen["bytes"] += len(data)
        return True

    def _changed(self, data: bytes, rates: list[int]) -> bytes:
        if rates[0] != rates[1]:
            return bytes(byte * 31 % 251 | 1 for byte in data)
        drop = self.drop if max(rates) < self.clean_above else 0.02
        found = bytearray()
        for byte in data:
            if self._happens("drop", drop):
                continue
            found.append(byte ^ (1 << self.random.randrange(8) if self._happens("flip", self.flip) else 0))
        return bytes(found)

    def _happens(self, what: str, rate: float) -> bool:
        """By chance; the first time no later than it is to be expected once."""
        self._expected[what] += rate
        happens = (rate > 0 and self.random.random() < rate) or (self._expected[what] >= 1 and not self.seen[what])
        self.seen[what] += happens
        return happens


_SPEEDS = {getattr(termios, f"B{baud}"): baud for baud in (115200, 230400, 460800, 921600)}


def _speed(fd: int) -> int:
    return _SPEEDS.get(termios.tcgetattr(fd)[5], 0)
