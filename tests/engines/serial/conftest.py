"""A stand-in at the end of a cable, in a hardware map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mcusim.boards.board import Board
from mcusim.engines.hardware import run_on
from mcusim.engines.serial import link
from mcusim.line.build import Firmware
from mcusim.line.sources import Sources
from tests.engines.serial.cable import Cable
from tests.engines.serial.standin import StandIn, build_native
from tests.tiny_library import build_library, library


class Rigged:
    """`map`: the hardware map that names the board."""

    def __init__(self, folder: Path, board: Board, cable: Cable, standin: StandIn, firmware: Firmware) -> None:
        self.map, self.board, self.cable, self.standin, self.firmware = (
            folder / "map.toml",
            board,
            cable,
            standin,
            firmware,
        )

    def write_map(self, more: str = "") -> None:
        text = f'[[board]]\nid = "desk"\ntype = "{self.board.name}"\nport = "{self.cable.link}"\n{more}\n'
        self.map.write_text(text, encoding="utf-8")


Rig = Callable[..., Rigged]


def machine(elf: Path) -> list[str]:
    """QEMU as the board, its first USART at the cable."""
    quiet = ["-nodefaults", "-display", "none", "-monitor", "none"]
    wire = ["-chardev", "serial,id=wire,path=TTY", "-serial", "chardev:wire"]
    return ["qemu-system-arm", "-M", "netduinoplus2", *quiet, *wire, "-kernel", str(elf)]


@pytest.fixture
def rig(build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """`rig(board, sources, native=.., chip=.., environment=.., **cable)`; `native`: what the stand-in runs instead."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name, seconds in (("_ANSWER_S", 0.04), ("_FIRST_RUN_S", 0.1), ("_HELLO_S", 0.1)):
        monkeypatch.setattr(link, name, seconds)  # no USB is here
    monkeypatch.setattr(run_on, "_REMEDIES", ())  # they pause for USB
    with ExitStack() as ends:

        def make(
            board: Board,
            sources: Sources | None = None,
            *,
            native: Sources | None = None,
            chip: int | None = None,
            environment: dict[str, str] | None = None,
            firmware: Firmware | None = None,
            command: list[str] | None = None,
            **faults: Any,
        ) -> Rigged:
            sources = sources or library()
            firmware = firmware or build_library(sources, board, build_folder, "serial")
            folder = build_folder / "native"
            command = command or [str(build_native(native or sources, board, firmware, folder, chip=chip))]
            cable = Cable(tmp_path / "tty", **faults)
            cable.start()
            ends.callback(cable.end)
            standin = StandIn(command, cable, environment)
            ends.callback(standin.end)
            found = Rigged(tmp_path, board, cable, standin, firmware)
            found.write_map()
            return found

        yield make
