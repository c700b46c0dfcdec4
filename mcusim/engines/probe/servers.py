"""platforms/gdb_servers.toml -> kinds of GDB servers, and one that is started for a board."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.run_on import BoardTrouble, Stopped
from mcusim.engines.probe.target import Stop
from mcusim.system.assets import PLATFORMS
from mcusim.system.command import find, run, start, stop
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.names import printable, words_of
from mcusim.system.toml_file import read_toml
from mcusim.system.validation import Name, Place, Table, validate

_START_S = 60.0  # a probe is found, and its firmware asked; on a busy machine
_FILE = PLATFORMS / "gdb_servers.toml"


class Kind(Table):
    """A table of that file, which explains all keys. `name`: of the table."""

    name: Name
    title: Name
    program: Name | None = None
    package: Name | None = None
    install: Name | None = None
    chips_as: Name | None = None
    version: tuple[str, ...] = Field(default=(), strict=False)
    asked: Name | None = None
    says: Name
    tells: Name | None = None
    oldest: tuple[int, int] = Field(strict=False)
    arguments: tuple[str, ...] = Field(default=(), strict=False)
    of_serial: tuple[str, ...] = Field(default=(), strict=False)
    starting: tuple[str, ...] = Field(default=(), strict=False)
    reset: tuple[str, ...] = Field(default=(), strict=False)
    set_registers: bool = False
    look: Name | None = None
    steps_off: bool = False
    flash: Literal["packets", "memory"]
    reads_running: bool = False
    emulator: bool = False

    def found(self) -> str:
        """The program on this machine, or the package and its version. Raises MissingToolError."""
        if self.program is None:
            return f"{self.title} {self._version_of_package()}"
        return find(self.program, hint=f"{self.install}; or start a server elsewhere and name its host:port")

    @property
    def speaks(self) -> str:
        """The name by which [debug.servers] of a chip's file knows it."""
        return self.chips_as or self.name

    def installed(self) -> str:
        """Its version. Raises MissingToolError, or EngineError for one that is too old."""
        if self.package:
            return self.version_in(self._version_of_package()) or "of unknown version"
        said = run([self.found(), *self.version], timeout_s=_START_S)
        return self.version_in(said.stdout + said.stderr) or "of unknown version"

    def _version_of_package(self) -> str:
        assert self.package is not None
        try:
            return version_of(self.package)
        except PackageNotFoundError:
            what = f"the Python package {self.package!r} is not installed"
            raise MissingToolError(what, hint=self.install) from None

    def version_in(self, said: str) -> str | None:
        """None when it was another program that said this. Raises EngineError for a version that is too old."""
        found = re.search(self.says, said)
        if found is None:
            return None
        if tuple(map(int, found.groups()[:2])) < self.oldest:
            what = f"this {self.title} is too old: {printable(found[0])}"
            raise EngineError(
                what, where=self.program or self.package, hint=f"install {'.'.join(map(str, self.oldest))} or newer"
            )
        return printable(found[0][found.start(1) - found.start() :])

    def known_by(self, said: str) -> "Known | None":
        """By what it answers to what it is `asked`. Raises EngineError for a version that is too old."""
        version = self.version_in(said)
        if version is None and self.tells and re.search(self.tells, said):
            version = ""
        return None if version is None else Known(self, version)


class Known(NamedTuple):
    """A server of which we know what it is."""

    kind: Kind
    version: str


class _Kinds(Table):
    kinds: dict[str, Kind]


@cache
def kinds() -> Mapping[str, Kind]:
    table, text = read_toml(Path(_FILE))
    named = {name: {"name": name, **row} for name, row in table.items()}
    return validate(_Kinds, {"kinds": named}, Place(str(_FILE), text)).kinds


@contextmanager
def served(board: Attached, chip: str, log: Path, wanted: Stop) -> Iterator[tuple[str, int, Known | None]]:
    """Host and port where a server listens for this board; its kind and version, where they are known.

    `chip`: what the server calls it. Raises MissingToolError, BoardTrouble when it does not start, or Stopped.
    """
    if board.address:
        yield (*board.address, None)
        return
    assert board.server is not None
    kind = kinds()[board.server]
    program = kind.found()
    version = kind.installed()
    port, other, another = _free_ports(3)
    words = {"chip": chip, "port": port, "other": other, "another": another, "serial": board.serial or ""}
    given = (*kind.arguments, *kind.of_serial) if board.serial else kind.arguments
    command = [program, *(word.format_map(words) for word in given)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = start(command, log.parent, stdout=file, stderr=file)
    try:
        _await(process, kind, port, log, wanted)
        yield "127.0.0.1", port, Known(kind, version)
    finally:
        stop([process])


def _await(process: subprocess.Popen[bytes], kind: Kind, port: int, log: Path, wanted: Stop) -> None:
    until = time.monotonic() + _START_S
    while not _listens(port):
        ended = process.poll() is not None
        if ended or time.monotonic() > until:
            what = f"{kind.title} {'ended' if ended else f'does not listen after {_START_S:g} s'}: {_last_words(log)}"
            hint = f"is the probe plugged in, and may you use it (udev rule)? All that it said is in {log}"
            raise BoardTrouble(what, where=kind.program, hint=hint)
        if wanted():
            raise Stopped
        time.sleep(0.05)


def words_of_error(error: BaseException) -> str:
    """In one line, of who may say anything."""
    return words_of(error, 300)


def _last_words(log: Path) -> str:
    """The last line that tells of an error, or just the last one."""
    text = log.read_bytes()[-(2**16) :].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if re.search(r"\berror\b|cannot|could not|no .* found", line, re.IGNORECASE)]
    return printable((wrong or lines or ["no message"])[-1])[:300]


def _listens(port: int) -> bool:
    """Does it? Nobody is connected to it, for some servers serve one client in all their life."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", port))
            return False
        except OSError:
            return True


def _free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports
