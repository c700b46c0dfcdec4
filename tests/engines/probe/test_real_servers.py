"""The whole engine on OpenOCD's and pyOCD's own servers, and pyOCD's Python API, whose probe is played: chip/.

Nothing of the chip is silicon. The servers, their flash drivers and the firmware are the real ones.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.engines.engine import Execution
from mcusim.engines.hardware import run_on
from mcusim.engines.probe import connection, servers
from mcusim.line.build import Firmware
from mcusim.system.errors import EngineError
from tests.jobs import HANGS_IN_5, ended_by, run
from tests.required import skip_or_fail
from tests.tiny_library import build_library, expected, library, samples

pytestmark = pytest.mark.arm
INPUTS = samples(3)


class Bench:
    """A played board with flash, a probe at it, and what the servers are told so that they find it."""

    def __init__(self, server: str, board: Board, folder: Path, *, protected: bool = False) -> None:
        from tests.engines.probe.chip.core import Chip
        from tests.engines.probe.chip.flashes import flash_of

        self.server, self.board, self.folder = server, board, folder
        self.chip = Chip(board)
        self.flash = flash_of(self.chip, protected=protected)

    def run(self, firmware: Firmware, monkeypatch: pytest.MonkeyPatch, **options: object) -> Execution:
        from tests.engines.probe.chip.probes import PyocdProbe, StLink, probe
        from tests.engines.probe.chip.settings import openocd_scripts, pyocd_project

        kind = StLink if self.server == "openocd" else PyocdProbe
        monkeypatch.setenv("OPENOCD_SCRIPTS", str(self.folder))
        monkeypatch.setenv("PYOCD_PROJECT_DIR", str(self.folder))
        with probe(kind, self.chip) as port:
            if kind is StLink:
                openocd_scripts(self.folder, self.board, port)
            else:
                pyocd_project(self.folder, self.board)
            serial = f'serial = "remote:127.0.0.1:{port}"' if kind is PyocdProbe else ""
            table = f'[[board]]\nid = "b"\ntype = "{self.board.name}"\nserver = "{self.server}"\n{serial}\n'
            (self.folder / "hardware.toml").write_text(table, encoding="utf-8")
            told = self.folder / "hardware.toml"
            return run(ENGINES["probe"], firmware, self.board, INPUTS, self.folder, hardware=told, **options)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks for the played clock, and no USB device needs time to come back."""
    if importlib.util.find_spec("unicorn") is None:
        skip_or_fail("unicorn", "the played chip needs Unicorn: pip install 'mcusim[unicorn]'")
    monkeypatch.setattr(connection, "_CLOCK_S", 0.01)
    remedies = tuple(remedy._replace(pause_s=0.0) for remedy in run_on._REMEDIES)
    monkeypatch.setattr(run_on, "_REMEDIES", remedies)


@pytest.fixture(params=["openocd", "pyocd", "pyocd-api"])
def server(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    demand(name)
    return name


def demand(name: str) -> None:
    if name == "openocd" and shutil.which("openocd") is None:
        skip_or_fail("openocd", "OpenOCD is missing: apt install openocd")
    if name == "pyocd" and shutil.which("pyocd") is None:
        skip_or_fail("pyocd", "the program pyocd is missing: pip install pyocd")
    if name == "pyocd-api" and importlib.util.find_spec("pyocd") is None:
        skip_or_fail("pyocd", "the Python package pyocd is missing: pip install 'mcusim[probe]'")


@pytest.fixture
def openocd() -> Iterator[str]:
    demand("openocd")
    yield "openocd"


def test_flashed_and_run(
    server: str, nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through its own flash driver; the same image is not written twice."""
    firmware = build_library(library(), nucleo, build_folder, "probe")
    bench = Bench(server, nucleo, tmp_path)
    for erased in (1, 1):
        execution = bench.run(firmware, monkeypatch)
        assert execution.complete and np.array_equal(execution.answers.view(np.int8), expected(INPUTS))
        assert bench.flash.erased == erased and execution.notes == () and execution.stack_bytes
    assert execution.engine_version.startswith("OpenOCD 0." if server == "openocd" else "pyOCD 0.")
    assert execution.cycle_counter is not None and execution.silicon is not None and not execution.silicon.emulated


@pytest.mark.parametrize("name", ["pyocd", "pyocd-api"])
def test_apollo3_by_its_boot_rom(
    name: str, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the flash algorithm that pyOCD has built in."""
    demand(name)
    edge = load_board("sparkfun_edge")
    bench = Bench(name, edge, tmp_path)
    execution = bench.run(build_library(library(), edge, build_folder, "probe"), monkeypatch)
    assert np.array_equal(execution.answers.view(np.int8), expected(INPUTS)) and bench.flash.erased == 1


def test_a_protected_flash(
    server: str, nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RDP level 1: a debugger sees no flash, and nobody tries to undo it."""
    firmware = build_library(library(), nucleo, build_folder, "probe")
    bench = Bench(server, nucleo, tmp_path, protected=True)
    with pytest.raises(EngineError, match=r"cannot (read|erase|program)") as caught:
        bench.run(firmware, monkeypatch)
    assert "protected" in str(caught.value.hint) and bench.flash.erased == 0


def test_another_chip(
    server: str, nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = build_library(library(), nucleo, build_folder, "probe")
    bench = Bench(server, nucleo, tmp_path)
    bench.chip.registers.values[0xE0042000] = 0x10076415
    with pytest.raises(EngineError, match="no STM32L452RE: DEV_ID in DBGMCU_IDCODE is 0x415") as caught:
        bench.run(firmware, monkeypatch)
    assert "--board" in str(caught.value.hint) and bench.flash.erased == 0


def test_killed_in_the_middle(
    openocd: str, nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is started again, once; then the board is left out. Answers are kept; no server is left."""
    started = []
    start = servers.start

    def remember(*given: object, **named: object) -> object:
        started.append(start(*given, **named))  # type: ignore[arg-type]
        return started[-1]

    def kill(done: int, total: int) -> None:
        if done == 2:
            started[-1].kill()

    monkeypatch.setattr(servers, "start", remember)
    firmware = build_library(library(HANGS_IN_5.replace("5", "2")), nucleo, build_folder, "probe")
    execution = Bench(openocd, nucleo, tmp_path).run(firmware, monkeypatch, progress=kill)
    found = ended_by(execution, INPUTS)
    assert re.match(r"the GDB server is gone|OpenOCD (ended|does not listen)|no GDB server answers", found.what)
    assert found.hint and len(started) == 2 and all(one.poll() is not None for one in started)


def test_no_probe(
    openocd: str, nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenOCD's own words, and where the others are."""
    file = tmp_path / "board" / "st_nucleo_l4.cfg"
    file.parent.mkdir()
    lines = "source [find interface/stlink.cfg]\nhla_stlink_backend tcp 1\ntransport select hla_swd\n"
    file.write_text(lines + "source [find target/stm32l4x.cfg]\n", encoding="utf-8")
    monkeypatch.setenv("OPENOCD_SCRIPTS", str(tmp_path))
    told = tmp_path / "hardware.toml"
    told.write_text(f'[[board]]\nid = "b"\ntype = "{nucleo.name}"\nserver = "openocd"\n', encoding="utf-8")
    firmware = build_library(library(), nucleo, build_folder, "probe")
    with pytest.raises(EngineError, match=r"OpenOCD ended: .*(cannot connect|open failed)") as caught:
        run(ENGINES["probe"], firmware, nucleo, INPUTS, tmp_path, hardware=told)
    assert "udev rule" in str(caught.value.hint) and ".log" in str(caught.value.hint)
