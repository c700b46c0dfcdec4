"""hardware.toml -> the boards that are attached to this machine, and how each is reached."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from mcusim.boards.load import load_board
from mcusim.system.errors import ConfigurationError, Problems
from mcusim.system.toml_file import read_toml
from mcusim.system.validation import Name, Place, Positive, Table, Unusable, known, validate

SERVERS = ("openocd", "pyocd", "pyocd-api", "jlink", "st-util", "probe-rs")


class _Able(NamedTuple):
    """Of a meter: digital inputs, and what it can supply a board with."""

    inputs: int
    volts: tuple[float, float] | None = None


METERS = {"ppk2": _Able(8, (0.8, 5.0)), "joulescope": _Able(2), "lpm01a": _Able(0, (1.8, 3.3))}
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
Words = Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]


class Meter(Table):
    """[board.meter]: what measures the board's current, and supplies it with `supply_v` where it is a source.

    `channel`: its digital input that the energy pin of the board is wired to.
    """

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **{"type": "kind", "name": "kind", "voltage_v": "supply_v"},
        **dict.fromkeys(("digital_channel", "input", "digital_input", "gpi"), "channel"),
    }

    kind: str = Field(description=" or ".join(METERS))
    port: Name | None = None
    serial: Name | None = None
    supply_v: Positive = 3.3
    channel: int | None = Field(default=None, ge=0)

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        return known(kind, METERS, "energy meter")

    @model_validator(mode="after")
    def _has_the_channel(self) -> Meter:
        inputs = METERS[self.kind].inputs
        if self.channel is not None and self.channel >= inputs:
            has = f"digital inputs 0 to {inputs - 1}" if inputs else "no digital input"
            hint = "leave channel out: energy then follows from the mean power of two seconds"
            raise Unusable(f"meter {self.kind!r} has {has}, and no {self.channel}", hint)
        return self

    @model_validator(mode="after")
    def _can_supply(self) -> Meter:
        """It would take the nearest that it can, which a board may not survive."""
        lowest, highest = METERS[self.kind].volts or (0.0, math.inf)
        if not lowest <= self.supply_v <= highest:
            what = f"meter {self.kind!r} supplies {lowest:g} to {highest:g} V, and not {self.supply_v:g}"
            raise Unusable(what, "give supply_v in volts, as the board takes it: 3.3")
        return self


class Attached(Table):
    """[[board]]: one board. What an engine needs to reach it, and nothing that is found out by asking it.

    `type`: the board that it is, by name or file. Of `serial` (that of its probe, which is the port's, too), `usb` (the
    place on the bus) and `port` (a device) whichever is told names it. `server`: what speaks to the probe, a program or
    an address where one listens. `baud`: the highest rate to ask for. `reset`, `power`: commands, without a shell.
    """

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("name", "label"), "id"),
        **dict.fromkeys(("board", "platform", "kind"), "type"),
        **dict.fromkeys(("probe", "probe_id", "serial_number", "uid"), "serial"),
        **dict.fromkeys(("location", "usb_location", "usb_path"), "usb"),
        **dict.fromkeys(("tty", "device", "serial_port"), "port"),
        **dict.fromkeys(("baudrate", "baud_rate", "rate"), "baud"),
        **dict.fromkeys(("power_command", "power_cycle"), "power"),
        **dict.fromkeys(("gdb", "gdb_server", "gdbserver"), "server"),
    }

    id: Name
    type: Name
    serial: Name | None = None
    usb: Name | None = None
    port: Name | None = None
    server: Name | None = Field(default=None, description=" or ".join((*SERVERS, "host:port")))
    baud: int = Field(default=921600, ge=1200, le=12_000_000)
    flash: Literal["disk", "server", "sbl", "svl", "none"] | None = None
    mount: Path | None = Field(default=None, strict=False, description="the folder where the probe's disk is mounted")
    reset: Words | None = Field(default=None, strict=False, description='a list of words: ["uhubctl", "-a", "cycle"]')
    power: Words | None = Field(default=None, strict=False, description='a list of words: ["uhubctl", "-a", "cycle"]')
    meter: Meter | None = Field(default=None, description='a table: { kind = "ppk2" }')

    @field_validator("server")
    @classmethod
    def _is_server(cls, server: str | None) -> str | None:
        if server is None or address_of(server):
            return server
        return known(server, SERVERS, "server (nor is it an address, host:port)")

    @field_validator("id", "serial", "usb", "port")
    @classmethod
    def _is_plain(cls, text: str | None) -> str | None:
        if text is not None and not text.isprintable():
            raise Unusable(f"{text!r} has characters that cannot be printed", "serial numbers of raw bytes: in hex")
        return text

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of a server that runs already."""
        return address_of(self.server) if self.server else None

    def is_type(self, name: str) -> bool:
        """`name`: of a Board."""
        return Path(self.type).stem == name if self.type.endswith(".toml") else self.type == name


class HardwareMap(Table):
    """All of a hardware.toml."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {"boards": "board", "device": "board"}

    board: tuple[Attached, ...] = Field(default=(), strict=False)


def address_of(server: str) -> tuple[str, int] | None:
    """`localhost:3333` -> host and port; None for anything else."""
    found = _ADDRESS.fullmatch(server)
    return (found["host"].strip("[]"), int(found["port"])) if found and 0 < int(found["port"]) < 65536 else None


def same_serial(one: str, other: str) -> bool:
    """Old ST-Links tell raw bytes, which the system gives as text, and tools in hex."""
    return bool(_spellings(one) & _spellings(other))


def _spellings(serial: str) -> set[str]:
    raw = "".join(f"{byte:02X}" for byte in serial.encode("latin-1", errors="replace"))
    return {serial.upper().lstrip("0") or "0", raw}


def default_map() -> Path:
    """`mcusim/hardware.toml` in the user's folder of settings; XDG_CONFIG_HOME counts when it is absolute."""
    of_user = os.environ.get("XDG_CONFIG_HOME") or ""
    base = of_user if os.path.isabs(of_user) else os.path.expanduser("~/.config")
    return Path(base) / "mcusim" / "hardware.toml"


def read_map(file: Path | None) -> tuple[Attached, ...]:
    """The boards of a map: of the user's own, when none is named, which may be absent. Raises ConfigurationError."""
    if file is None and not default_map().is_file():
        return ()
    path = file or default_map()
    tables, text = read_toml(path)
    place = Place(str(path), text)
    boards = validate(HardwareMap, tables, place).board
    boards = tuple(beside(path, board) for board in boards)
    demand_sound(boards, place)
    return boards


def beside(path: Path, board: Attached) -> Attached:
    """The file of a board lies beside the map that names it."""
    if not board.type.endswith(".toml"):
        return board
    return board.model_copy(update={"type": str(path.absolute().parent / board.type)})


def demand_sound(boards: tuple[Attached, ...], place: Place) -> None:
    """No two boards that would be one, and no type that nobody knows: all that is wrong at once."""
    problems = Problems()
    for number, board in enumerate(boards):
        here = place.at("board", number)
        with problems.caught():
            _demand_type(board, here)
        for other in boards[:number]:
            for key in _shared(board, other):
                what = f"boards {other.id!r} and {board.id!r} have the same {key}"
                problems.add(here.at(key).error(what, _HINTS.get(key, "each board has its own")))
    problems.tell()


_HINTS = {
    "id": "give each its own: locks go by it",
    "serial": "a serial number names one probe; mcusim hardware scan shows those that are connected",
}
_SAME: Mapping[str, Callable[[Any, Any], bool]] = {
    "id": lambda one, other: one == other,
    "serial": same_serial,
    "usb": lambda one, other: one == other,
    "port": lambda one, other: os.path.realpath(one) == os.path.realpath(other),
}


def _shared(one: Attached, other: Attached) -> Iterator[str]:
    """Keys by which these two would be the same board."""
    for key, same in _SAME.items():
        values = getattr(one, key), getattr(other, key)
        if None not in values and same(*values):
            yield key
    if one.address and one.address == other.address:
        yield "server"


def _demand_type(board: Attached, place: Place) -> None:
    try:
        load_board(board.type)
    except ConfigurationError as error:
        raise place.at("type").error(f"board {board.id!r}: {error.what}", error.hint) from None


def names_of(boards: Iterable[Attached]) -> str:
    return ", ".join(repr(board.id) for board in boards)
