"""Host engine: the same answers, and undefined behaviour in a kernel is an error."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.engines import ENGINES, host
from mcusim.engines.shares import Share
from mcusim.experiment.tables import Target
from mcusim.reports.report import DEFAULT_ENGINE
from mcusim.system.assets import CODEGEN
from mcusim.system.errors import EngineError, MissingToolError
from tests.jobs import run
from tests.tiny_library import build_library, expected, library, samples

INT8 = np.dtype("int8")


def test_outputs(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    inputs = samples(101)
    firmware = build_library(library(), nucleo, build_folder, "host")
    done: list[tuple[int, int]] = []
    for jobs in (1, 2, 500):
        execution = run(host, firmware, None, inputs, tmp_path, jobs=jobs, progress=lambda *args: done.append(args))
        assert np.array_equal(execution.answers.view(INT8), expected(inputs)) and execution.complete
        assert execution.instructions is None and execution.emulated_mips is None and execution.stack_bytes is None
        assert done[-1] == (101, 101)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("volatile int32_t big = 2147483647; output[0] = (number_t)(big + input[0]);", "signed integer overflow"),
        ("volatile int i = 4; arena[i] = 1;", "out of bounds"),
        ("volatile int by = 33; output[0] = (number_t)(1 << by);", "shift exponent 33"),
        ("output[input[0] == 3 ? 4 : 0] = 1;", "AddressSanitizer: global-buffer-overflow"),
    ],
)
def test_sanitizers_end_the_run(statement: str, words: str, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(statement), nucleo, build_folder, "host", sanitize=True)
    with pytest.raises(EngineError) as caught:
        run(host, firmware, None, samples(8), tmp_path, jobs=1)
    assert words in caught.value.what and "failed in sample" in caught.value.what


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("if (input[0] == 5) __builtin_trap();", "failed in sample 5: killed by SIG"),
        ("if (input[0] == 5) exit(3);", "failed in sample 5: exit code 3"),
        ("if (input[0] == 5) exit(0);", "is incomplete"),
    ],
)
def test_failures(statement: str, words: str, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(statement, "#include <stdlib.h>"), nucleo, build_folder, "host")
    with pytest.raises(EngineError) as caught:
        run(host, firmware, None, samples(8), tmp_path, jobs=2)
    assert words in caught.value.what
    assert not list(tmp_path.rglob("core*"))


def test_a_hang(nucleo: Board, build_folder: Path, tmp_path: Path, no_time_before: Callable[[int], None]) -> None:
    hang = 'if (input[0] == 5) for (;;) { __asm__ volatile(""); }'
    firmware = build_library(library(hang), nucleo, build_folder, "host")
    no_time_before(5)
    with pytest.raises(EngineError, match=r"^no answer to sample 5 within 0\.5 s"):
        run(host, firmware, None, samples(8), tmp_path, jobs=2, stall_s=0.5)


def test_ctrl_c(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    hang = 'if (input[0] == 5) for (;;) { __asm__ volatile(""); }'
    firmware = build_library(library(hang), nucleo, build_folder, "host")

    def press(done: int, total: int) -> None:
        if done == 5:
            os.kill(os.getpid(), signal.SIGINT)

    execution = run(host, firmware, None, samples(8), tmp_path, jobs=1, progress=press)
    assert not execution.complete and execution.indices.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(execution.answers.view(INT8), expected(samples(8))[:5])


def test_no_orphan_when_we_end_before_it_begins(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(), nucleo, build_folder, "host")
    (tmp_path / "input.bin").write_bytes(samples(8).tobytes())
    codes = []
    for parent in (os.getpid(), os.getpid() + 1):
        environment = {**os.environ, "MCUSIM_PARENT": str(parent)}
        codes.append(subprocess.run([firmware.elf], env=environment, cwd=tmp_path, check=False).returncode)
    assert codes == [0, 14]  # TRANSPORT_ORPHAN


@pytest.mark.arm
def test_firmware_of_a_board_is_refused(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library(), nucleo, build_folder, "qemu")
    with pytest.raises(EngineError, match="not for the host"):
        run(host, firmware, None, samples(8), tmp_path, jobs=1)


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.missing() is None and host.version()
    monkeypatch.setenv("MCUSIM_CC", "no-such-compiler")
    assert isinstance(host.missing(), MissingToolError)


def test_registry() -> None:
    for name, engine in ENGINES.items():
        facts = engine.FACTS
        assert name == facts.name and "outputs" in facts.measures and facts.title and facts.summary
        assert (CODEGEN / "harness" / f"transport_{facts.transport}.c").is_file()
        assert ("cycles" in facts.measures) == (facts.profiles or facts.silicon)
    assert {"outputs"} == host.FACTS.measures and not host.FACTS.needs_board
    assert Target().engine == DEFAULT_ENGINE and ENGINES[DEFAULT_ENGINE].FACTS.needs_board


def test_a_folder_without_programs(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library("output[3] = 3;"), nucleo, build_folder, "host")
    firmware.elf.chmod(0o644)  # as on a file system mounted noexec
    with pytest.raises(EngineError, match="cannot start the run: Permission denied"):
        run(host, firmware, None, samples(8), tmp_path, jobs=2)


def test_a_firmware_that_prints_without_end(
    nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcusim.engines.shares.LARGEST_LOG_BYTES", 2**22)
    prints = 'if (input[0] == 5) for (;;) fputs("said again and again\\n", stderr);'
    firmware = build_library(library(prints, "#include <stdio.h>"), nucleo, build_folder, "host")
    with pytest.raises(EngineError, match="printed more than 4 MiB by sample 5") as caught:
        run(host, firmware, None, samples(8), tmp_path, jobs=1)
    assert caught.value.hint and caught.value.where


def test_of_a_long_log_both_ends_are_read(tmp_path: Path) -> None:
    share = Share(tmp_path, 0, 1, 1)
    assert share.log == ""
    (tmp_path / "engine.log").write_bytes(b"first\n" + b"x" * 2**23 + b"\nlast\n")
    assert share.log.startswith("first\n") and share.last_words == "last" and len(share.log) <= 2**21
    (tmp_path / "engine.log").write_bytes(b"short\n")
    assert share.log == "short\n"


def test_too_many_processes_are_no_reason_to_look_at_the_folder(
    nucleo: Board, build_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files", "x")

    monkeypatch.setattr(host, "start", start)
    firmware = build_library(library(), nucleo, build_folder, "host")
    with pytest.raises(EngineError, match="Too many open files") as caught:
        run(host, firmware, None, samples(8), tmp_path, jobs=8)
    assert caught.value.hint == "run fewer processes: --jobs"
