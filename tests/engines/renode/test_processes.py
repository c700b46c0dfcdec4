"""Processes of the real Renode: those that hang, that are ended, and that nobody is left to end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mcusim.boards.board import Board
from mcusim.engines.engine import Execution
from mcusim.engines.renode import engine as renode
from mcusim.line.build import Firmware
from mcusim.system.cache import of_this_process
from mcusim.system.errors import EngineError
from tests.jobs import HANGS_IN_5, interrupted
from tests.jobs import run as run_engine
from tests.processes import wait_for
from tests.tiny_library import OUTPUTS, build_library, expected, library, samples

pytestmark = [pytest.mark.renode, pytest.mark.usefixtures("alone", "temporary")]
INT8 = np.dtype("int8")


def run(firmware: Firmware, board: Board, inputs: npt.NDArray[np.int8], folder: Path, **options: Any) -> Execution:
    return run_engine(renode, firmware, board, inputs, folder, **options)


def test_an_endless_loop_and_no_port(driver: str, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(HANGS_IN_5), nucleo, build_folder, "renode")
    seen: list[set[int]] = []

    def look(done: int, total: int) -> None:
        processes = _renodes()
        assert processes, "it runs, and is not found"
        seen.append(_listening(processes))

    with pytest.raises(EngineError) as caught:
        run(firmware, nucleo, samples(8), tmp_path, jobs=2, stall_s=5, progress=look)
    assert caught.value.what == "no answer to sample 5 within 5 s"
    assert caught.value.where is not None and caught.value.where.startswith("cnn (model.c:")
    assert seen and set.union(*seen) == set()
    wait_for(lambda: not _renodes())


def test_an_unwritable_home(
    driver: str, nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/proc/nowhere")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    firmware = build_library(library(), nucleo, build_folder, "renode")
    assert np.array_equal(run(firmware, nucleo, samples(3), tmp_path).answers.view(INT8), expected(samples(3)))
    of_this_process().cleanup()  # as when it ends; the next one asks for another
    of_this_process.cache_clear()


def test_ctrl_c_keeps_what_is_finished(driver: str, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(HANGS_IN_5), nucleo, build_folder, "renode")
    interrupted(renode, firmware, nucleo, tmp_path)
    assert list(tmp_path.iterdir()) == []
    wait_for(lambda: not _renodes())


def _listening(processes: list[int]) -> set[int]:
    """TCP ports on which one of them listens."""
    inodes = set()
    for process in processes:
        try:
            inodes |= {os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir()}
        except OSError:
            continue
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


def _renodes(place: str | None = None) -> list[int]:
    """Those of any run of mcusim whose temporary files are there, or with ours. Renode works in another folder."""
    told = f"XDG_CONFIG_HOME={place or tempfile.gettempdir()}/mcusim-renode-".encode()
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and told in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def test_no_orphan_when_we_are_killed(driver: str, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
import numpy as np
from mcusim.boards.load import load_board
from mcusim.engines.renode import engine as renode
from tests.jobs import run
from tests.tiny_library import build_library, library, samples
board = load_board("nucleo_l452re_p")
firmware = build_library(library({HANGS_IN_5!r}), board, Path({str(build_folder)!r}), "renode")
run(renode, firmware, board, samples(8), Path({str(tmp_path)!r}), jobs=2)
"""

    def answered() -> list[int]:
        return sorted(path.stat().st_size // OUTPUTS for path in tmp_path.glob("run-*/*/output.bin"))

    (tmp_path / "temporary").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    try:
        wait_for(lambda: answered() == [1, 4])
    finally:
        parent.kill()
        wait_for(lambda: _renodes(environment["TMPDIR"]) == [])  # also while nobody has asked how we ended
        parent.wait()
    wait_for(lambda: not list((tmp_path / "temporary").iterdir()))
    assert answered() == [1, 4]  # links are not followed
