"""The whole engine on real GDB servers: the stub of QEMU with the Arm image, and Renode's, where it is installed."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.engines.engine import Execution
from mcusim.engines.probe.servers import _free_ports
from mcusim.engines.renode.installation import find_installation, surroundings
from mcusim.engines.renode.process import overlay
from mcusim.line.build import Firmware
from mcusim.system.arrays import Array
from mcusim.system.assets import PLATFORMS
from mcusim.testing.session import Session
from tests.engines.probe.stubs import listening, qemu, without_its_registers
from tests.jobs import HANGS_IN_5, ended_by, run
from tests.tflite_files import dense_file
from tests.tiny_library import build_library, expected, library, samples

PROBE = ENGINES["probe"]
INPUTS = samples(20)


@pytest.fixture
def in_qemu(nucleo: Board) -> Board:
    """The board without the registers that QEMU's STM32F405 has not."""
    return without_its_registers(nucleo)


@pytest.fixture
def port() -> int:
    return _free_ports(1)[0]


def run_at(
    port: int, firmware: Firmware, board: Board, folder: Path, inputs: Array = INPUTS, **options: object
) -> Execution:
    told = folder / "hardware.toml"
    told.write_text(f'[[board]]\nid = "b"\ntype = "{board.name}"\nserver = "127.0.0.1:{port}"\n', encoding="utf-8")
    return run(PROBE, firmware, board, inputs, folder, hardware=told, **options)


@pytest.mark.arm
def test_samples_in_qemu(in_qemu: Board, build_folder: Path, port: int, tmp_path: Path) -> None:
    """Flashed through the stub. Another image takes the place of the first; what it counts is nothing."""
    with qemu(port):
        for source in (library("output[0] = 3;"), library()):
            execution = run_at(port, build_library(source, in_qemu, build_folder, "probe"), in_qemu, tmp_path)
    assert execution.complete and np.array_equal(execution.answers.view(np.int8), expected(INPUTS))
    assert execution.stack_bytes and execution.cycle_counter is None and execution.engine_version.startswith("QEMU ")
    assert any("nothing was measured on silicon" in note for note in execution.notes)


@pytest.mark.arm
def test_the_image_is_renodes(nucleo: Board, build_folder: Path) -> None:
    one, other = (build_library(library(), nucleo, build_folder, engine) for engine in ("probe", "renode"))
    assert one.elf_sha256 == other.elf_sha256


@pytest.mark.arm
def test_a_fault_in_qemu(in_qemu: Board, build_folder: Path, port: int, tmp_path: Path) -> None:
    faulty = build_library(
        library("if (input[0] == 5) *(volatile int *)0x60000000 = 1;"), in_qemu, build_folder, "probe"
    )
    with qemu(port):
        found = ended_by(run_at(port, faulty, in_qemu, tmp_path), INPUTS)
    assert "the firmware faulted in sample 5: accessed an address outside" in found.what


@pytest.mark.arm
def test_a_hang_in_qemu_is_located(in_qemu: Board, build_folder: Path, port: int, tmp_path: Path) -> None:
    hangs = build_library(library(HANGS_IN_5), in_qemu, build_folder, "probe")
    with qemu(port):
        found = ended_by(run_at(port, hangs, in_qemu, tmp_path, stall_s=0.3), INPUTS)
    assert "no answer to sample 5 within" in found.what and "cnn" in str(found.where)


@pytest.mark.arm
def test_ctrl_c_in_qemu(in_qemu: Board, build_folder: Path, port: int, tmp_path: Path) -> None:
    """What is finished is kept, and the server serves the next client."""

    pressed: list[int] = []

    def press(done: int, total: int) -> None:
        if done == 5 and not pressed:
            pressed.append(done)
            os.kill(os.getpid(), signal.SIGINT)

    with qemu(port):
        hangs = build_library(library(HANGS_IN_5), in_qemu, build_folder, "probe")
        execution = run_at(port, hangs, in_qemu, tmp_path, progress=press)
        assert not execution.complete and execution.indices.tolist() == [0, 1, 2, 3, 4]
        works = build_library(library(), in_qemu, build_folder, "probe")
        assert run_at(port, works, in_qemu, tmp_path).complete


@pytest.mark.arm
def test_a_server_that_is_killed(in_qemu: Board, build_folder: Path, port: int, tmp_path: Path) -> None:
    hangs = build_library(library(HANGS_IN_5), in_qemu, build_folder, "probe")
    with qemu(port) as process:
        execution = run_at(port, hangs, in_qemu, tmp_path, progress=lambda done, _: done < 5 or process.kill())
    found = ended_by(execution, INPUTS)
    assert re.match(r"the GDB server is gone|no GDB server answers", found.what) and found.hint


@pytest.mark.arm
def test_keywords_of_robot_in_qemu(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite whose board is a file, and whose map is not the user's: all but cycles, which nothing counts there."""
    pytest.importorskip("robot")
    from mcusim.testing import robot_library

    chip = (PLATFORMS / "chips" / "stm32l452re.toml").read_text(encoding="utf-8").partition("[debug]")[0]
    (tmp_path / "chip.toml").write_text(chip, encoding="utf-8")
    board = 'like = "nucleo_l452re_p"\nchip = "chip.toml"\nstart_up = []\n'
    (tmp_path / "played.toml").write_text(board, encoding="utf-8")
    told = f'[[board]]\nid = "b"\ntype = "played.toml"\nserver = "127.0.0.1:{port}"\n'
    (tmp_path / "map.toml").write_text(told, encoding="utf-8")
    (tmp_path / "m.tflite").write_bytes(dense_file())
    (tmp_path / "e.toml").write_text('[[model]]\nfile = "m.tflite"\n[target]\ncode_in_ram = false\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with Session() as session, qemu(port):
        monkeypatch.setattr(robot_library, "_session", session)
        ran = robot_library.run_model("e.toml", board="played.toml", engine="probe", samples="3", hardware="map.toml")
    assert [(run.engine, run.board, run.samples) for run in ran.runs] == [("probe", "played", 3)]
    robot_library.mismatches_should_be_at_most(0)
    robot_library.rom_should_be_below("8 KiB", board="played")
    with pytest.raises(AssertionError, match=r"nobody knows cycles \(no board's cycle counter was read\)"):
        robot_library.cycles_should_be_below("1 Mcycles")


@pytest.mark.renode
@pytest.mark.parametrize("name", ["nucleo_l452re_p", "sparkfun_edge"])
def test_samples_and_cycles_in_renode(name: str, build_folder: Path, port: int, tmp_path: Path) -> None:
    """The chip is asked who it is, each stop is told twice, and the counter goes on as it is told to.

    One Renode serves as many runs as come, of any image: what ended the one before is over with a reset.
    """
    board = load_board(name)
    other, firmware = (
        build_library(made, board, build_folder, "probe") for made in (library("output[0] = 3;"), library())
    )
    with tempfile.TemporaryDirectory() as folder, renode(port, board, Path(folder), 1.5):
        for one, inputs in ((other, INPUTS[:1]), (firmware, INPUTS[:1]), (firmware, INPUTS)):
            execution = run_at(port, one, board, tmp_path, inputs)
    assert np.array_equal(execution.answers.view(np.int8), expected(INPUTS))
    assert [note for note in execution.notes if "'b'" in note] == []  # the board was never in trouble
    cycles, silicon = execution.cycle_counter, execution.silicon
    assert cycles is not None and cycles.min() == cycles.max() and silicon is not None
    assert silicon.window_cycles == 6 and silicon.cold_cycles == (cycles[0],)  # four instructions: no caches, no waits


@contextmanager
def renode(port: int, board: Board, folder: Path, cycles_per_instruction: float) -> Iterator[None]:
    found = find_installation()
    assert board.renode is not None and found.program is not None
    (folder / "board.repl").write_text(overlay(board.renode.platform, cycles_per_instruction), encoding="utf-8")
    lines = [
        'mach create "board"',
        f"machine LoadPlatformDescription @{folder}/board.repl",
        "emulation SetGlobalAdvanceImmediately true",
        f"machine StartGdbServer {port}",
    ]
    (folder / "run.resc").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "private" / "tmp").mkdir(parents=True)
    command = [str(found.program), "--console", "--disable-gui", "--plain", "--hide-log", f"{folder}/run.resc"]
    with listening(command, port, **surroundings(folder / "private")):
        yield
