"""Versions of QEMU cut straight code into blocks at places of their own, and cycles do not show it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcusim.boards.board import Board
from mcusim.cores import core_of
from mcusim.engines import shares
from mcusim.engines.counts import read_counts
from mcusim.engines.engine import Job, records
from mcusim.engines.qemu.process import prepare, replay_options
from mcusim.line.build import Firmware
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import record
from tests.engines.qemu.test_planned import firmware_of
from tests.required import skip_or_fail
from tests.tiny_library import samples

pytestmark = pytest.mark.arm

_OTHERS = [path for path in os.environ.get("MCUSIM_OTHER_QEMUS", "").split(os.pathsep) if path]


@pytest.mark.parametrize("replay", [True, False])
def test_every_version_says_the_same_cycles(
    replay: bool, board: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not _OTHERS:
        skip_or_fail("qemus", "MCUSIM_OTHER_QEMUS names no second QEMU")
    firmware = firmware_of(board, build_folder)
    own = _priced(firmware, board, tmp_path / "own", replay, jobs=1)
    assert own.cycles.min() > 1000
    for number, other in enumerate(_OTHERS):
        monkeypatch.setenv("MCUSIM_QEMU", other)
        found = _priced(firmware, board, tmp_path / str(number), replay, jobs=2)
        assert found.cycles.tolist() == own.cycles.tolist()
        assert found.by_address == own.by_address


def _priced(firmware: Firmware, board: Board, folder: Path, replay: bool, jobs: int) -> Profile:
    folder.mkdir()
    job = Job(firmware.image, records(samples(4)), folder, board)
    process = prepare(job, "profile", replay_options(board) if replay else ())
    laid_out = shares.lay_out(job.samples, firmware.image.output_bytes, folder, jobs)
    assert shares.run_shares(laid_out, process, stall_s=60, progress=None)
    recorded = record(read_counts([share.folder for share in laid_out]), firmware.image.elf, board.name)
    return price_recording(recorded, board.chip, board.clock_hz, core_of(board.chip).TIMING)
