"""Serial ports of this machine -> which are of probes, boards and meters, and which port a board of the map has."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from mcusim.engines.hardware.attached import Attached, same_serial
from mcusim.system.assets import PLATFORMS
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.toml_file import read_toml
from mcusim.system.tool import Tool, lacking, package
from mcusim.system.validation import Name, Place, Table, validate

INSTALL = "pip install 'mcusim[hardware]'"
PERMISSION_HINT = (
    "install the udev rule of docs/hardware.md; or join the port's group, and log in again: "
    "sudo usermod -aG dialout $USER"
)
_Word = Field(ge=0, lt=1 << 16)


class AwayError(EngineError):
    """The board is not connected."""


class Device(Table):
    """A row of platforms/usb.toml."""

    title: Name
    vid: int = _Word
    pid: int | None = Field(default=None, ge=0, lt=1 << 16)
    probe: bool = False
    port: bool = False
    meter: str | None = None
    serial_number: bool = True
    boards: tuple[Name, ...] = Field(default=(), strict=False)


class _Devices(Table):
    device: tuple[Device, ...] = Field(strict=False)


@dataclass(frozen=True)
class Port:
    """A serial port. `usb`: its place on the bus; `device`: None for one that platforms/usb.toml does not name."""

    path: str
    serial: str | None
    usb: str | None
    device: Device | None


def missing() -> MissingToolError | None:
    """Why no serial port can be used here, or None."""
    return lacking(_pyserial)


def tool(needed_for: str) -> Tool:
    return package("pyserial", needed_for, required=False, install=INSTALL)


def ports() -> tuple[Port, ...]:
    """Those of USB devices. Raises MissingToolError without pyserial."""
    _pyserial()
    from serial.tools.list_ports import comports

    return tuple(_port(found) for found in sorted(comports()) if found.vid is not None)


def port_of(board: Attached, there: Sequence[Port] | None = None) -> str:
    """The device of a board's serial port; `there`: those of this machine. Raises EngineError when it has none."""
    if board.port:
        return board.port
    mine = list(named(board, ports() if there is None else there))
    if len(mine) == 1:
        return mine[0].path
    name = f"serial number {board.serial!r}" if board.serial else f"USB location {board.usb!r}"
    if not (board.serial or board.usb):
        what, hint = f"board {board.id!r} names no serial port", "give serial, usb or port in the hardware map"
    elif not mine:
        what, hint = f"board {board.id!r} is not connected: no port has {name}", "plug it in; mcusim hardware scan"
        raise AwayError(what, where=f"board {board.id!r}", hint=hint)
    else:
        paths = ", ".join(port.path for port in mine)
        what, hint = f"board {board.id!r} has {len(mine)} serial ports: {paths}", "choose one: port = '..' in the map"
    raise EngineError(what, where=f"board {board.id!r}", hint=hint)


def is_tty(path: str) -> bool:
    """Could it be a serial port? Told without opening it, which resets some boards."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    if not stat.S_ISCHR(found.st_mode):
        return False
    kind = f"/sys/dev/char/{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}/subsystem"
    return not os.path.exists(kind) or os.path.basename(os.path.realpath(kind)) == "tty"


def named(board: Attached, there: Sequence[Port]) -> Iterator[Port]:
    """Those that the map means by that board."""
    for port in there:
        if board.serial and not (port.serial and same_serial(board.serial, port.serial)):
            continue
        if board.usb and port.usb != board.usb:
            continue
        if board.serial or board.usb:
            yield port


@cache
def devices() -> tuple[Device, ...]:
    path = PLATFORMS / "usb.toml"
    table, text = read_toml(Path(path))
    return validate(_Devices, table, Place(str(path), text)).device


def device_of(vid: int, pid: int | None) -> Device | None:
    """The first row that is it."""
    return next((one for one in devices() if one.vid == vid and one.pid in (None, pid)), None)


def _port(found: Any) -> Port:
    """Of what pyserial tells. An interface of a device is no part of its place."""
    place = (found.location or "").split(":")[0]
    return Port(found.device, found.serial_number or None, place or None, device_of(found.vid, found.pid))


def _pyserial() -> None:
    try:
        import serial  # noqa: F401
    except ImportError:
        raise MissingToolError("the Python package 'pyserial' is not installed", hint=INSTALL) from None
