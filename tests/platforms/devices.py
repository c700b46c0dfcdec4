"""Scripts of PythonPeripherals, run in CPython between stand-ins for the machine around them.

Renode runs a script once for every access, in one scope that lasts; so does `Device`.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mcusim.system.assets import PLATFORMS
from tests.platforms.repl import Entry, load, parse


@dataclass
class Recorder:
    """A peripheral of the machine that only remembers what was done to it."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    registers: dict[int, int] = field(default_factory=dict)

    def Reset(self) -> None:
        self.calls.append(("Reset",))

    def OnGPIO(self, number: int, state: bool) -> None:
        self.calls.append((number, state))

    def ControlWrite(self, command: int, value: int) -> None:
        self.calls.append(("ControlWrite", command, value))

    def ReadDoubleWord(self, offset: int) -> int:
        return self.registers.get(offset, 0)

    def WriteDoubleWord(self, offset: int, value: int) -> None:
        self.registers[offset] = value


class Bus:
    """Memory, and no core on the thread that asks."""

    def __init__(self) -> None:
        self.bytes: dict[int, int] = {}

    def ReadBytes(self, address: int, count: int) -> bytes:
        return bytes(self.bytes.get(address + i, 0xFF) for i in range(count))

    def WriteBytes(self, data: bytes, address: int) -> None:
        self.bytes.update((address + i, byte) for i, byte in enumerate(data))

    def ReadDoubleWord(self, address: int) -> int:
        return int.from_bytes(self.ReadBytes(address, 4), "little")

    def TryGetCurrentCPU(self) -> tuple[bool, None]:
        return False, None


class Machine:
    """Peripherals by name, and a clock that `advance` moves through what was scheduled."""

    def __init__(self) -> None:
        self.SystemBus = Bus()
        self.now = self.resets = 0
        self.described: list[str] = []
        self._peripherals: dict[str, Recorder] = {}
        self._scheduled: list[tuple[int, int, Callable[[object], object]]] = []

    def __getitem__(self, name: str) -> Recorder:
        return self._peripherals.setdefault(name.removeprefix("sysbus."), Recorder())

    @property
    def ElapsedVirtualTime(self) -> SimpleNamespace:
        return SimpleNamespace(TimeElapsed=SimpleNamespace(TotalNanoseconds=self.now))

    def ScheduleAction(self, interval: int, action: Callable[[object], object], _name: str) -> None:
        heapq.heappush(self._scheduled, (self.now + interval, len(self._scheduled), action))

    def RequestReset(self) -> None:
        self.resets += 1

    def describe(self, text: str) -> None:
        self.described.append(text)

    def advance(self, nanoseconds: int) -> None:
        until = self.now + nanoseconds
        while self._scheduled and self._scheduled[0][0] <= until:
            self.now, _, action = heapq.heappop(self._scheduled)
            action(None)
        self.now = until


def _encoding(name: str) -> SimpleNamespace:
    return SimpleNamespace(GetString=lambda data: data.decode(name))


def _antmicro(later: bool) -> SimpleNamespace:
    loader = SimpleNamespace(LoadPlatformDescriptionFromString=Machine.describe)
    described = SimpleNamespace(UserInterface=SimpleNamespace(PlatformDescriptionMachineExtensions=loader))
    known = SimpleNamespace(**{"STM32_RNG" if later else "STM32F4_RNG": None})
    renode = SimpleNamespace(
        Time=SimpleNamespace(TimeInterval=SimpleNamespace(FromNanoseconds=int)),
        PlatformDescription=described,
        Peripherals=SimpleNamespace(Miscellaneous=known),
    )
    return SimpleNamespace(Renode=renode)


_SYSTEM = SimpleNamespace(
    Array={"Byte": bytes},
    Byte="Byte",
    UInt64=int,
    Text=SimpleNamespace(Encoding=SimpleNamespace(GetEncoding=_encoding)),
)


class Device:
    """A PythonPeripheral. Offsets are those the script sees. `later`: in a Renode that came after 1.16.1."""

    def __init__(self, entry: Entry, machine: Machine | None = None, *, later: bool = False) -> None:
        self.machine = machine or Machine()
        self.log: list[str] = []
        self.request = SimpleNamespace(Offset=0, Value=0, Length=4)
        self._code = compile(str(entry.attributes["script"]), entry.name, "exec")
        own = SimpleNamespace(GetMachine=lambda: self.machine, InfoLog=self._note, WarningLog=self._note)
        self._scope = {
            "request": self.request,
            "self": own,
            "sys": sys,
            "System": _SYSTEM,
            "Antmicro": _antmicro(later),
        }
        self._initable = entry.attributes.get("initable") is True
        self.reset()

    def _note(self, text: str, *values: object) -> None:
        self.log.append(text.format(*values))

    def _run(self, kind: str, offset: int = 0, value: int = 0, length: int = 4) -> int:
        for one in ("Init", "Read", "Write", "User"):
            setattr(self.request, f"Is{one}", one == kind)
        self.request.Offset, self.request.Value, self.request.Length = offset, value, length
        exec(self._code, self._scope)
        assert 0 <= self.request.Value < 1 << 32, f"0x{offset:X} is {self.request.Value}: no 32-bit value"
        return int(self.request.Value)

    def reset(self) -> None:
        if self._initable:
            self._run("Init")

    def read(self, offset: int) -> int:
        return self._run("Read", offset)

    def write(self, offset: int, value: int, length: int = 4) -> None:
        self._run("Write", offset, value, length)

    def user(self, command: int) -> None:
        self._run("User", command)

    def set(self, offset: int, bits: int) -> None:
        self.write(offset, self.read(offset) | bits)

    def clear(self, offset: int, bits: int) -> None:
        self.write(offset, self.read(offset) & ~bits)


def chip(name: str) -> dict[str, Entry]:
    """All entries, also those that a script makes in Renode 1.16.1."""
    found = load(PLATFORMS / "chips" / f"{name}.repl")
    scripts = [entry for entry in found.values() if "script" in entry.attributes and "EnsureInit" in entry.init]
    made = [text for entry in scripts for text in Device(entry).machine.described]
    return found | {entry.name: entry for text in made for entry in parse(text).entries}


def descriptions() -> list[Path]:
    return sorted(PLATFORMS.rglob("*.repl"))
