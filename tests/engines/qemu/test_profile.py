"""The profiling plugin: exact counts, the same for any number of processes, conditional and slow memory seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.cores import core_of
from mcusim.engines import shares
from mcusim.engines.counts import ACCESS, FLASH, REGION, Counts, read_counts
from mcusim.engines.engine import Job, records
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.qemu.process import prepare, read_summary, replay_options
from mcusim.line.build import Firmware
from mcusim.system.errors import ConfigurationError, EngineError
from mcusim.timing.load_recording import load
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import Recording, record, save
from tests.engines.qemu.test_engine import MIXED_STATEMENT, MIXED_WORK
from tests.jobs import run, run_foreign
from tests.tiny_library import build_library, expected_of_files, library, library_of_files, samples

pytestmark = pytest.mark.arm


def profile(firmware: Firmware, board: Board, inputs: np.ndarray, folder: Path, **options: Any) -> Counts:
    counts = run(qemu, firmware, board, inputs, folder, profile=True, **options).counts
    assert counts is not None
    return counts


def price(recording: Recording, board: Board) -> Profile:
    parameters = core_of(board.chip).TIMING
    if parameters is None or board.chip.timing is None:
        pytest.skip(f"nobody knows what cycles {board.name!r} takes")
    return price_recording(recording, board.chip, board.clock_hz, parameters)


@pytest.mark.parametrize("replay", [False, True])
def test_counts_are_exact(board: Board, build_folder: Path, tmp_path: Path, replay: bool) -> None:
    """Against the counting plugin, which test_qemu.py holds against a callback for each instruction."""
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "qemu")
    inputs = samples(6)
    counted = run(qemu, firmware, board, inputs, tmp_path).instructions
    assert counted is not None and len(set(counted.tolist())) > 1
    counts = profile(firmware, board, inputs, tmp_path, replay=replay)
    assert np.array_equal(counts.instructions(), counted)


# QEMU >= 8.2 leaves a block in its middle for a device.
DEVICE = "for (int i = 0; i < 9; i++) { output[0] += (number_t) * (volatile unsigned *)0xE000E010; output[1] ^= 3; }"


@pytest.mark.parametrize("statement", [MIXED_STATEMENT, MIXED_STATEMENT + DEVICE], ids=["plain", "device"])
def test_counts_equal_a_callback_for_each_instruction(
    nucleo: Board, build_folder: Path, tmp_path: Path, statement: str
) -> None:
    firmware = build_library(library(statement, MIXED_WORK), nucleo, build_folder, "qemu")
    inputs = samples(4)
    job = Job(firmware.image, records(inputs), tmp_path, nucleo)
    process = prepare(job, "profile", ("oracle=on",))
    all_shares = shares.lay_out(job.samples, firmware.image.output_bytes, tmp_path, 1)
    assert shares.run_shares(all_shares, process, stall_s=60, progress=None)
    counts = read_counts([share.folder for share in all_shares])
    oracle = read_summary(all_shares[0], complete=True).instructions
    assert int(counts.instructions().sum()) == oracle > 0


def _cycles(counts: Counts, elf: Path, board: Board) -> list[float]:
    recording = record(counts, elf, board.name)
    cycles: list[float] = price(recording, board).cycles.tolist()
    return cycles


def test_same_cycles_for_any_number_of_jobs_and_twice(board: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "qemu")
    runs = [
        _cycles(profile(firmware, board, samples(5), tmp_path, jobs=jobs), firmware.elf, board) for jobs in (1, 1, 2)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert min(runs[0]) > 0


def test_profile_says_where_and_survives_its_file(board: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "qemu")
    recording = record(profile(firmware, board, samples(3), tmp_path), firmware.elf, board.name)
    priced = price(recording, board)
    assert {"cnn", "branches", "recurse", "straight"} <= set(priced.by_function)
    assert sum(priced.by_function.values()) == pytest.approx(priced.mean)
    assert priced.inclusive["cnn"] == pytest.approx(priced.mean, rel=0.02)
    assert any(file == "model.c" for file, _ in priced.by_line)
    assert not any("unknown" in problem or "outside" in problem for problem in priced.problems)
    save(recording, tmp_path / "profile.json")
    again = price(load(tmp_path / "profile.json"), board)
    assert again.cycles.tolist() == priced.cycles.tolist() and again.by_address == priced.by_address


def test_a_kernel_in_assembly_runs_and_is_named(board: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware, inputs = build_library(library_of_files(), board, build_folder, "qemu"), samples(9)
    execution = run(qemu, firmware, board, inputs, tmp_path, profile=True)
    assert np.array_equal(execution.answers.view(np.int8), expected_of_files(inputs)) and execution.counts is not None
    priced = price(record(execution.counts, firmware.elf, board.name), board)
    assert priced.by_function["nn_dense_assembly"] > 11 and priced.by_function["nn_sum"] > 0
    assert any(file == "nn_dense.S" for file, _ in priced.by_line)
    assert execution.instructions is not None and len(set(execution.instructions.tolist())) == 1


def test_weights_are_read_from_flash(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    counts = profile(firmware, nucleo, samples(1), tmp_path)
    totals = {
        kind: sum(int(n) for n, e in zip(counts.event_counts[0], counts.events, strict=True) if e.kind == kind)
        for kind in (ACCESS, FLASH)
    }
    assert 0 < totals[FLASH] < totals[ACCESS]


def test_slow_ram_of_the_chip_is_looked_for_where_qemu_has_it(build_folder: Path, tmp_path: Path) -> None:
    edge = load_board("sparkfun_edge")
    assert "region=20010000:20060000" in replay_options(edge)
    far = library("far[99999] = input[0]; output[0] = far[99999];", "static volatile number_t far[100000];")
    slow = []
    for sources in (library(), far):
        firmware = build_library(sources, edge, build_folder, "qemu")
        counts = profile(firmware, edge, samples(1), tmp_path)
        slow.append(sum(int(n) for n, e in zip(counts.event_counts[0], counts.events, strict=True) if e.kind == REGION))
    assert slow[0] == 0 and slow[1] >= 2


def test_any_elf_from_a_symbol_to_where_its_call_returns(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), nucleo, build_folder, "qemu")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "input.bin").write_bytes(samples(3).tobytes())
    counts = run_foreign(qemu, firmware.elf, nucleo, "cnn", tmp_path / "a").counts
    assert counts is not None
    whole = profile(firmware, nucleo, samples(3), tmp_path)
    assert counts.instructions().tolist() == whole.instructions().tolist()
    with pytest.raises(ConfigurationError, match="no symbol 'cnm'"):
        run_foreign(qemu, firmware.elf, nucleo, "cnm", tmp_path / "b")
    with pytest.raises(EngineError, match="'cnn' was never called"):
        run_foreign(qemu, firmware.elf, nucleo, "cnn", tmp_path / "c")


def test_firmware_that_never_ends(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    again = library("static int calls; while (calls > 1) { } calls++;")
    firmware = build_library(again, nucleo, build_folder, "qemu")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "input.bin").write_bytes(samples(3).tobytes())
    twice = run_foreign(qemu, firmware.elf, nucleo, "cnn", tmp_path / "a", calls=2).counts
    assert twice is not None and twice.samples == 2
    with pytest.raises(EngineError, match="did not end within 2 s") as caught:
        run_foreign(qemu, firmware.elf, nucleo, "cnn", tmp_path / "b", stall_s=2)
    assert "--calls" in (caught.value.hint or "")
