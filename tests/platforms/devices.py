"""Scripts of PythonPeripherals, run in CPython between stand-ins for the machine around them.

Renode runs a script once for every access, in one scope that lasts; so does `Device`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mcusim.system.assets import PLATFORMS
from tests.platforms.repl import Entry, load, parse

SECOND = 1_000_000_000


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


@dataclass
class ClockEntry:
    """One of Renode's: after `period` nanoseconds it is off, and `Handler` is called."""

    period: int
    frequency: int
    Handler: tuple[Any, str]
    owner: object
    name: str
    Enabled: bool
    direction: object
    mode: object
    due: int = 0


class Clock:
    """`ClockSource` of a machine."""

    def __init__(self) -> None:
        self.now = 0
        self.entries: list[ClockEntry] = []

    def AddClockEntry(self, entry: ClockEntry) -> None:
        assert entry.frequency == SECOND and entry.period > 0 and (entry.direction, entry.mode) == ("up", "once")
        assert all(one.Handler != entry.Handler for one in self.entries), "Renode refuses a second one"
        entry.due = self.now + entry.period
        self.entries.append(entry)

    def TryRemoveClockEntry(self, handler: tuple[Any, str]) -> None:
        self.entries = [one for one in self.entries if one.Handler != handler]

    def GetAllClockEntries(self) -> list[ClockEntry]:
        return list(self.entries)

    def advance(self, nanoseconds: int) -> None:
        until = self.now + nanoseconds
        while due := [one for one in self.entries if one.Enabled and one.due <= until]:
            first = min(due, key=lambda one: one.due)
            self.now, first.Enabled = first.due, False
            target, method = first.Handler
            getattr(target, method)()
        self.now = until


class Machine:
    """Peripherals by name, and a clock that `advance` moves."""

    def __init__(self) -> None:
        self.SystemBus, self.ClockSource = Bus(), Clock()
        self.resets = 0
        self.described: list[str] = []
        self._peripherals: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._peripherals.setdefault(name.removeprefix("sysbus."), Recorder())

    def add(self, name: str, device: Any) -> None:
        self._peripherals[name] = device

    @property
    def ElapsedVirtualTime(self) -> SimpleNamespace:
        return SimpleNamespace(TimeElapsed=SimpleNamespace(TotalNanoseconds=self.ClockSource.now))

    def RequestReset(self) -> None:
        self.resets += 1

    def describe(self, text: str) -> None:
        self.described.append(text)

    def advance(self, nanoseconds: int) -> None:
        self.ClockSource.advance(nanoseconds)


def _encoding(name: str) -> SimpleNamespace:
    return SimpleNamespace(GetString=lambda data: data.decode(name))


def _antmicro(later: bool) -> SimpleNamespace:
    loader = SimpleNamespace(LoadPlatformDescriptionFromString=Machine.describe)
    described = SimpleNamespace(UserInterface=SimpleNamespace(PlatformDescriptionMachineExtensions=loader))
    known = SimpleNamespace(**{"STM32_RNG" if later else "STM32F4_RNG": None})
    renode = SimpleNamespace(
        Time=SimpleNamespace(
            ClockEntry=ClockEntry, Direction=SimpleNamespace(Ascending="up"), WorkMode=SimpleNamespace(OneShot="once")
        ),
        PlatformDescription=described,
        Peripherals=SimpleNamespace(Miscellaneous=known),
    )
    return SimpleNamespace(Renode=renode)


_SYSTEM = SimpleNamespace(
    Array={"Byte": bytes},
    Byte="Byte",
    UInt64=int,
    Action=None,
    Delegate=SimpleNamespace(CreateDelegate=lambda _, target, method: (target, method)),
    Text=SimpleNamespace(Encoding=SimpleNamespace(GetEncoding=_encoding)),
)


class Device:
    """A PythonPeripheral. Offsets are those the script sees. `later`: in a Renode that came after 1.16.1."""

    def __init__(self, entry: Entry, machine: Machine | None = None, *, later: bool = False) -> None:
        self.machine = machine or Machine()
        self.log: list[str] = []
        self.request = SimpleNamespace(Offset=0, Value=0, Length=4)
        self._code = compile(str(entry.attributes["script"]), entry.name, "exec")
        self.machine.add(entry.name, self)
        self.scope = {
            "request": self.request,
            "self": self,
            "clr": SimpleNamespace(GetClrType=lambda kind: kind),
            "sys": sys,
            "System": _SYSTEM,
            "Antmicro": _antmicro(later),
        }
        self._initable = entry.attributes.get("initable") is True
        self.reset()

    def GetMachine(self) -> Machine:
        return self.machine

    def InfoLog(self, text: str, *values: object) -> None:
        self.log.append(text.format(*values))

    WarningLog = InfoLog

    def _run(self, kind: str, offset: int = 0, value: int = 0, length: int = 4) -> int:
        for one in ("Init", "Read", "Write", "User"):
            setattr(self.request, f"Is{one}", one == kind)
        self.request.Offset, self.request.Value, self.request.Length = offset, value, length
        exec(self._code, self.scope)
        assert 0 <= self.request.Value < 1 << 32, f"0x{offset:X} is {self.request.Value}: no 32-bit value"
        return int(self.request.Value)

    def reset(self) -> None:
        self._is_inited = False
        self._ensure_init()

    Reset = reset

    def _ensure_init(self) -> None:
        if not self._is_inited:
            if self._initable:
                self._run("Init")
            self._is_inited = True

    def read(self, offset: int) -> int:
        return self._run("Read", offset)

    def write(self, offset: int, value: int, length: int = 4) -> None:
        self._run("Write", offset, value, length)

    def user(self, command: int, value: int = 0) -> None:
        self._ensure_init()  # as Renode does: also while it is being reset
        self._run("User", command, value)

    ControlWrite = user

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
