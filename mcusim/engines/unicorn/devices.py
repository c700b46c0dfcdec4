"""Registers of devices that there are not: what a firmware needs of them to get through its set-up, and serial input.

A register reads as it was last written; one that is polled without end changes its mind, unless the chip's file says
what it reads as. The source of random numbers that it names is there, and gives the same numbers in every process.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_PATIENCE = 64  # reads of a register in a row before it reads as all ones, as nothing, and so on
_MASK = 0xFFFFFFFF
_SET_ENABLE, _CLEAR_ENABLE, _ENABLES = 0xE000E100, 0xE000E180, 0x20  # NVIC: registers that set and clear the same bits
_TICK, _TICKS = 0xE000E010, 3  # SysTick: on, with its interrupt
SYSTICK, FIRST = 15, 16  # numbers of exceptions: interrupt 0 of CMSIS is 16
_MOST_SENT = 1 << 20


class Random:
    """Words of splitmix32, which any state is good for; always the same ones, so that a run can be repeated."""

    def __init__(self) -> None:
        self._state = 1

    def word(self) -> int:
        self._state = self._state + 0x9E3779B9 & _MASK
        word = (self._state ^ self._state >> 16) * 0x21F0AAAD & _MASK
        word = (word ^ word >> 15) * 0x735A2D97 & _MASK
        return word ^ word >> 15


class Serial:
    """One input for all ports, which comes once `after` was said. `sent` is what the firmware answered."""

    def __init__(self, sent: bytes, after: bytes, ports: Sequence[Mapping[str, int]]) -> None:
        self._later, self._after, self._ports = sent, after, ports
        self.waiting, self.sent = bytearray(b"" if after else sent), bytearray()
        self._status = {port["status"]: port for port in ports}
        self._data_in = {port["data_in"] for port in ports}
        self._data_out = {port["data_out"] for port in ports}

    def read(self, word: int) -> int | None:
        """None where nothing of it is."""
        if word in self._status:
            port = self._status[word]
            return port["idle"] | (port["waiting"] if self.waiting else 0)
        if word in self._data_in:
            return self.waiting.pop(0) if self.waiting else 0
        return None

    def write(self, word: int, value: int) -> None:
        if word in self._data_out and len(self.sent) < _MOST_SENT:
            self.sent.append(value & 0xFF)
            if self._after and self.sent.endswith(self._after):
                self.waiting, self._after = bytearray(self._later), b""

    def interrupt(self, values: Mapping[int, int]) -> int | None:
        """Of a port that wants its byte fetched, by the `values` of all registers."""
        wanting = (port for port in self._ports if values.get(port["enable"], 0) & port["enabled"])
        return next((port["interrupt"] for port in wanting), None) if self.waiting else None


class Registers:
    """`random`: address of the data, of the status and its value; empty: none. `known`: those of the chip's file."""

    def __init__(self, random: Sequence[int], known: Sequence[Mapping[str, Any]], serial: Serial) -> None:
        self.values: dict[int, int] = {one["address"]: one["reset"] for one in known}
        self._follows = {one["address"]: one["follows"] for one in known if one["follows"]}
        self._data, self._status, self._ready = random or (-1, -1, 0)
        self._random, self.serial = Random(), serial
        self.touched: Counter[int] = Counter()
        self._last, self._again = -1, 0

    def read(self, _engine: Any, offset: int, size: int, origin: int) -> int:
        at = origin + offset
        return self._word(at & ~3) >> 8 * (at & 3) & (1 << 8 * size) - 1

    def _word(self, word: int) -> int:
        if word in (self._data, self._status):
            return self._random.word() if word == self._data else self._ready
        received = self.serial.read(word)
        if received is not None:
            return received
        self.touched[word] += 1
        self._again = self._again + 1 if word == self._last else 0
        self._last = word
        value = self.values.get(word, 0)
        if word in self._follows:
            for bit, other in self._follows[word]:
                value = value & ~(1 << bit) | (value >> other & 1) << bit
        elif self._again >= _PATIENCE:
            value = (_MASK, 0, value)[self._again // _PATIENCE % 3 - 1]
        return value

    def write(self, _engine: Any, offset: int, size: int, value: int, origin: int) -> None:
        at = origin + offset
        word, shift = at & ~3, 8 * (at & 3)
        mask = ((1 << 8 * size) - 1) << shift
        self.touched[word] += 1
        self._last = -1
        before, written = self.values.get(word, 0), value << shift & mask
        self.serial.write(word, written)
        if _SET_ENABLE <= word < _SET_ENABLE + _ENABLES:
            self.values[word] = before | written
        elif _CLEAR_ENABLE <= word < _CLEAR_ENABLE + _ENABLES:
            enabled = word - _CLEAR_ENABLE + _SET_ENABLE
            self.values[enabled] = self.values.get(enabled, 0) & ~written
        else:
            self.values[word] = before & ~mask | written

    def exceptions(self) -> list[int]:
        """Numbers of those that wait to be handled, now that some time has passed."""
        found = [SYSTICK] if self.values.get(_TICK, 0) & _TICKS == _TICKS else []
        wanted = self.serial.interrupt(self.values)
        if wanted is not None and self.values.get(_SET_ENABLE + wanted // 32 * 4, 0) >> wanted % 32 & 1:
            found.append(FIRST + wanted)
        return found
