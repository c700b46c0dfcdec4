"""What a user tells of a board, and what is connected -> a [[board]] more in the hardware map, whose text stays."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mcusim.engines.hardware.attached import Attached, beside, demand_sound, read_map
from mcusim.engines.hardware.usb import Port, named, ports
from mcusim.system.errors import ConfigurationError, MissingToolError
from mcusim.system.files import append_text
from mcusim.system.validation import COMMAND_LINE, validate

_NAMES = ("serial", "usb", "port", "server")  # whatever tells one board from another


def add(path: Path, told: Mapping[str, str]) -> Attached:
    """Raises ConfigurationError for what the map would refuse, MissingToolError when nothing is connected."""
    before, place = read_map(path) if path.exists() else (), replace(COMMAND_LINE, name=str(path))
    board = validate(Attached, told, COMMAND_LINE)
    demand_sound((*before, beside(path, board)), place)
    if not any(key in told for key in _NAMES):
        told = {**told, **_found(board, before, ports())}
        board = validate(Attached, told, COMMAND_LINE)
        demand_sound((*before, beside(path, board)), place)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in told.items())
    append_text(path, f"{chr(10) if before else ''}[[board]]\n{lines}")
    return board


def _found(board: Attached, before: tuple[Attached, ...], there: tuple[Port, ...]) -> dict[str, str]:
    """What names the only device that may be that board: its serial number, else its place on the bus."""
    taken = {port.path for other in before for port in named(other, there)}
    free = [port for port in there if port.device and not port.device.meter and port.path not in taken]
    usual = [port for port in free if port.device and board.type in port.device.boards]
    found = {(port.serial, port.usb): port for port in usual or free}
    if len(found) == 1:
        [port] = found.values()
        return _name_of(port)
    if not found:
        hint = "plug it in, or name it: --serial, --usb, --port or --server"
        raise MissingToolError("nothing is connected that could be that board", where="USB", hint=hint)
    several = ", ".join(f"--serial {port.serial}" if port.serial else f"--usb {port.usb}" for port in found.values())
    raise ConfigurationError(f"{len(found)} devices could be that board", where="USB", hint=f"name one: {several}")


def _name_of(port: Port) -> dict[str, str]:
    """Its serial number, in hex where it is of raw bytes; else its place on the bus."""
    if port.serial and port.device and port.device.serial_number:
        raw = port.serial.encode("latin-1", errors="replace").hex().upper()
        return {"serial": port.serial if port.serial.isprintable() else raw}
    return {"usb": port.usb} if port.usb else {"port": port.path}
