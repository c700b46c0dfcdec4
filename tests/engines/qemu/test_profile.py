"""The profiling plugin: exact counts, the same for any number of processes, conditional and slow memory seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines import shares
from mcusim.engines.counts import ACCESS, FLASH, REGION, Counts
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.qemu import plugin
from mcusim.engines.qemu import profile as qemu_profile
from mcusim.engines.qemu.process import QemuProcess
from mcusim.system.errors import ConfigurationError, EngineError
from mcusim.timing.parameters import CORTEX_M4F
from mcusim.timing.profile import price_recording
from mcusim.timing.recording import load, record, save
from tests.engines.qemu.test_engine import INT8, MIXED_STATEMENT, MIXED_WORK
from tests.tiny_library import OUTPUTS, build_library, library, samples

pytestmark = pytest.mark.arm


@pytest.mark.parametrize("replay", [False, True])
def test_counts_are_exact(board: Board, build_folder: Path, tmp_path: Path, replay: bool) -> None:
    """Against the counting plugin, which test_qemu.py holds against a callback for each instruction."""
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "qemu")
    inputs = samples(6)
    counted = qemu.run(firmware, board, inputs, INT8, OUTPUTS, folder=tmp_path, jobs=1).instructions
    assert counted is not None and len(set(counted.tolist())) > 1
    counts = qemu_profile.profile(firmware, board, inputs, folder=tmp_path, jobs=1, replay=replay)
    assert np.array_equal(counts.instructions(), counted)


# QEMU >= 8.2 leaves a block in its middle for a device.
DEVICE = "for (int i = 0; i < 9; i++) { output[0] += (number_t) * (volatile unsigned *)0xE000E010; output[1] ^= 3; }"


@pytest.mark.parametrize("statement", [MIXED_STATEMENT, MIXED_STATEMENT + DEVICE], ids=["plain", "device"])
def test_counts_equal_a_callback_for_each_instruction(
    nucleo: Board, build_folder: Path, tmp_path: Path, statement: str
) -> None:
    firmware = build_library(library(statement, MIXED_WORK), nucleo, build_folder, "qemu")
    inputs = samples(4)
    assert nucleo.qemu is not None
    found, built = qemu.find_qemu(), plugin.build_plugin("profile")
    process = qemu_profile.ProfiledProcess(
        found,
        built,
        plugin.probe(found, built),
        firmware,
        nucleo.qemu.machine,
        nucleo.memory_for("qemu"),
        ("oracle=on",),
    )
    assert isinstance(process, QemuProcess)
    all_shares = shares.lay_out(inputs, firmware.output_bytes, tmp_path, 1)
    assert shares.run_shares(
        all_shares, process.start, process.explain, process.explain_stall, stall_s=60, progress=None
    )
    counts = qemu_profile.read_counts([share.folder for share in all_shares])
    oracle = qemu.read_summary(all_shares[0], complete=True).instructions
    assert int(counts.instructions().sum()) == oracle > 0


def _cycles(counts: Counts, elf: Path, board: Board) -> list[float]:
    recording = record(counts, elf, board.name)
    cycles: list[float] = price_recording(recording, board.chip, board.clock_hz, CORTEX_M4F).cycles.tolist()
    return cycles


def test_same_cycles_for_any_number_of_jobs_and_twice(board: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "qemu")
    runs = [
        _cycles(qemu_profile.profile(firmware, board, samples(5), folder=tmp_path, jobs=jobs), firmware.elf, board)
        for jobs in (1, 1, 2)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert min(runs[0]) > 0


def test_profile_says_where_and_survives_its_file(board: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "qemu")
    recording = record(
        qemu_profile.profile(firmware, board, samples(3), folder=tmp_path, jobs=1), firmware.elf, board.name
    )
    profile = price_recording(recording, board.chip, board.clock_hz, CORTEX_M4F)
    assert {"cnn", "branches", "recurse", "straight"} <= set(profile.by_function)
    assert sum(profile.by_function.values()) == pytest.approx(profile.mean)
    assert profile.inclusive["cnn"] == pytest.approx(profile.mean, rel=0.02)
    assert any(file == "model.c" for file, _ in profile.by_line)
    assert not any("unknown" in problem or "outside" in problem for problem in profile.problems)
    save(recording, tmp_path / "profile.json")
    again = price_recording(load(tmp_path / "profile.json"), board.chip, board.clock_hz, CORTEX_M4F)
    assert again.cycles.tolist() == profile.cycles.tolist() and again.by_address == profile.by_address


def test_weights_are_read_from_flash(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    counts = qemu_profile.profile(firmware, nucleo, samples(1), folder=tmp_path, jobs=1)
    totals = {
        kind: sum(int(n) for n, e in zip(counts.event_counts[0], counts.events, strict=True) if e.kind == kind)
        for kind in (ACCESS, FLASH)
    }
    assert 0 < totals[FLASH] < totals[ACCESS]


def test_slow_ram_of_the_chip_is_looked_for_where_qemu_has_it(build_folder: Path, tmp_path: Path) -> None:
    edge = load_board("sparkfun_edge")
    assert "region=20010000:20060000" in qemu_profile.replay_options(edge)
    far = library("far[99999] = input[0]; output[0] = far[99999];", "static volatile number_t far[100000];")
    slow = []
    for sources in (library(), far):
        firmware = build_library(sources, edge, build_folder, "qemu")
        counts = qemu_profile.profile(firmware, edge, samples(1), folder=tmp_path, jobs=1)
        slow.append(sum(int(n) for n, e in zip(counts.event_counts[0], counts.events, strict=True) if e.kind == REGION))
    assert slow[0] == 0 and slow[1] >= 2


def test_any_elf_from_a_symbol_to_where_its_call_returns(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), nucleo, build_folder, "qemu")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "input.bin").write_bytes(samples(3).tobytes())
    counts = qemu_profile.profile_elf(firmware.elf, nucleo, "cnn", folder=tmp_path / "a")
    whole = qemu_profile.profile(firmware, nucleo, samples(3), folder=tmp_path, jobs=1)
    assert counts.instructions().tolist() == whole.instructions().tolist()
    with pytest.raises(ConfigurationError, match="no symbol 'cnm'"):
        qemu_profile.profile_elf(firmware.elf, nucleo, "cnm", folder=tmp_path / "b")
    with pytest.raises(EngineError, match="'cnn' was never called"):
        qemu_profile.profile_elf(firmware.elf, nucleo, "cnn", folder=tmp_path / "c")


def test_firmware_that_never_ends(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    again = library("static int calls; while (calls > 1) { } calls++;")
    firmware = build_library(again, nucleo, build_folder, "qemu")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "input.bin").write_bytes(samples(3).tobytes())
    assert qemu_profile.profile_elf(firmware.elf, nucleo, "cnn", folder=tmp_path / "a", calls=2).samples == 2
    with pytest.raises(EngineError, match="did not end within 2 s") as caught:
        qemu_profile.profile_elf(firmware.elf, nucleo, "cnn", folder=tmp_path / "b", timeout_s=2)
    assert "--calls" in (caught.value.hint or "")
