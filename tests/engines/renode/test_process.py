"""Renode's control without Renode: a stand-in that succeeds, fails, hangs, prints rubbish or dies half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.engines.engine import Execution
from mcusim.engines.renode import engine as renode
from mcusim.engines.renode import workers
from mcusim.engines.renode.plain_folder import plain_folder
from mcusim.engines.renode.process import first_trouble, overlay
from mcusim.engines.renode.workers import affordable, shared
from mcusim.system.errors import EngineError, MissingToolError
from tests.engines.renode_stand_in import WORKS, firmware, given, install
from tests.jobs import run as run_engine
from tests.processes import wait_for
from tests.tiny_library import INPUTS, OUTPUTS

pytestmark = pytest.mark.usefixtures("alone", "temporary")
INT8 = np.dtype("int8")


def run(board: Board, folder: Path, inputs: np.ndarray | None = None, **options: Any) -> Execution:
    inputs = given(9) if inputs is None else inputs
    made = firmware(folder)
    return run_engine(renode, made, board, inputs, folder / "run", **{"jobs": 2, **options})


def fails(board: Board, folder: Path, **options: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        run(board, folder, **options)
    return caught.value


def test_a_run_that_goes_well(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, WORKS, monkeypatch)
    seen: list[tuple[int, int]] = []
    execution = run(nucleo, tmp_path, progress=lambda *at: seen.append(at), cycle_counter=True)
    assert execution.complete and np.array_equal(execution.answers.view(INT8), given(9)[:, :OUTPUTS])
    assert execution.instructions is not None and execution.instructions.tolist() == [
        100,
        101,
        102,
        103,
        100,
        101,
        102,
        103,
        104,
    ]
    assert execution.cycle_counter is not None and set(execution.cycle_counter.tolist()) == {150}
    assert execution.total_instructions == 2 * 12345 and execution.stack_bytes == 48
    assert (execution.engine, execution.engine_version, execution.notes) == ("renode", "1.16.1", ())
    assert seen[-1] == (9, 9)
    assert list((tmp_path / "run").iterdir()) == []


def test_one_renode_runs_all_jobs(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of engines that are opened one after the other, while somebody keeps the workers."""
    install(tmp_path, f"print('pid', os.getpid(), file=open({str(tmp_path / 'pids')!r}, 'a'))\n" + WORKS, monkeypatch)
    with shared() as ours:
        assert all(run(nucleo, tmp_path, jobs=1).complete for _ in range(3))
        assert ours.folder.is_dir()
    pids = (tmp_path / "pids").read_text().splitlines()
    assert len(pids) == 3 and len(set(pids)) == 1
    assert not ours.folder.exists() and not Path("/proc", pids[0].split()[1]).exists()


def test_a_renode_that_has_grown_is_not_used_again(
    nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where `renode` is a script that starts it, as in one that was built from source."""
    told = f"print(os.getpid(), file=open({str(tmp_path / 'pids')!r}, 'a'))\n"
    program = install(tmp_path, told + WORKS, monkeypatch)
    program.rename(tmp_path / "grown")
    program.write_text(f'#!/bin/sh\n"{tmp_path / "grown"}" "$@"\nexit $?\n')
    program.chmod(0o755)
    monkeypatch.setattr(workers, "LARGEST_BYTES", 6 << 20)  # more than a shell, less than a Python
    with shared():
        assert all(run(nucleo, tmp_path, jobs=1).complete for _ in range(2))
        pids = (tmp_path / "pids").read_text().split()
        assert len(set(pids)) == 2
        wait_for(lambda: not any(Path("/proc", pid).exists() for pid in pids))  # two processes end, one after the other


def test_what_renode_compiled_is_kept(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the first run; the next ones find it, and one that does not get so far removes it."""
    own = 'cache = os.path.join(os.environ["XDG_CONFIG_HOME"], "renode", "compiler-cache")\n'
    install(tmp_path, f"{own}os.makedirs(cache)\nopen(os.path.join(cache, 'A1'), 'w').close()\n{WORKS}", monkeypatch)
    assert run(nucleo, tmp_path, jobs=1).complete
    (kept,) = (tmp_path / "cache" / "renode-compiled").iterdir()
    assert [path.name for path in kept.iterdir()] == ["A1"]
    install(tmp_path, f"{own}assert os.listdir(cache) == ['A1']\n{WORKS}", monkeypatch)
    assert run(nucleo, tmp_path, jobs=1).complete
    program = install(tmp_path, WORKS, monkeypatch)
    program.write_text(program.read_text().replace("starting =", "sys.exit(9)\nstarting ="))
    fails(nucleo, tmp_path, jobs=1)
    assert not kept.exists()


@pytest.mark.parametrize("behaviour", ["answer(2); results('fault', 'x', 2)", "os.abort()"])
def test_another_renode_takes_the_place_of_one_that_failed(
    behaviour: str, nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = (
        f"flag = {str(tmp_path / 'flag')!r}\nif not os.path.exists(flag):\n  open(flag, 'w').close()\n  {behaviour}\n"
    )
    install(tmp_path, f"{once}else:\n  {WORKS}", monkeypatch)
    with shared():
        fails(nucleo, tmp_path, jobs=1)
        assert run(nucleo, tmp_path, jobs=1).complete


def test_what_a_job_wrote_is_not_told_of_the_next(
    nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = str(tmp_path / "flag")
    first = f"if not os.path.exists({flag!r}):\n  open({flag!r}, 'w').close()\n  print('Fatal error: old'); {WORKS}\n"
    install(tmp_path, f"{first}else:\n  sys.exit(3)", monkeypatch)
    with shared():
        assert run(nucleo, tmp_path, jobs=1).complete
        assert "old" not in fails(nucleo, tmp_path, jobs=1).what


def test_fewer_renodes_than_there_is_memory_for(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, WORKS, monkeypatch)
    monkeypatch.setattr(renode, "free_bytes", lambda: 1 << 30)
    execution = run(nucleo, tmp_path, jobs=4)
    assert execution.notes == ("only 1 of 4 Renodes at once: each takes 600 MB of memory, and no more is free",)
    assert [affordable(4, free << 20) for free in (0, 599, 1200, 9999)] == [1, 1, 2, 4]


FAILURES = {  # behaviour, words of the error
    "nothing": ("sys.exit()", "without results, exit code 0"),
    "exit code": ("sys.exit(3)", "without results, exit code 3"),
    "rubbish": (r"sys.stdout.buffer.write(b'\xff\x00\x1b[2J' * 1000); sys.exit(1)", "without results, exit code 1"),
    "another run's results": ("answer(count); results(nonce='0123'); sys.exit()", "without results, exit code 0"),
    "results cut short": ("answer(count); results(end=False); sys.exit()", "without results, exit code 0"),
    "outputs cut short": ("answer(count - 1); results()", "answered"),
    "killed": ("answer(1); os.kill(os.getpid(), signal.SIGKILL)", "Renode was killed by SIGKILL in sample"),
    "crash": ("os.abort()", "Renode was killed by SIGABRT"),
    "script": (
        "fail(\"There was an error executing command 'x'\\nError E04: no such type\")",
        "no such type",
    ),
    "plug-in": (
        "print('Errors during compilation or loading:\\nx.cs(1,15): error CS1519'); sys.exit(1)",
        "error CS1519",
    ),
    "stall": ("answer(2); results('stall', 'no answer', 2); sys.exit(20)", "no answer to sample 2 within 60 s"),
    "no mailbox": ("results('error', 'there is no mailbox at 0x20', 0); sys.exit(20)", "there is no mailbox at 0x20"),
    "access": ("answer(3); results('access', 'read 0x40, where the chip has nothing', 3); sys.exit(20)", "read 0x40"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_told(name: str, nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behaviour, words = FAILURES[name]
    install(tmp_path, behaviour, monkeypatch)
    error = fails(nucleo, tmp_path, jobs=1)
    assert any(word in error.what for word in words.split("|")), error.what
    assert error.where and "Traceback" not in error.what and "\x1b" not in error.what
    assert list((tmp_path / "run").glob("run-*/0/engine.log"))  # evidence stays


def test_a_hang_of_renode_itself(
    nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_time_before: Callable[[int], None]
) -> None:
    install(tmp_path, "answer(3); time.sleep(1000)", monkeypatch)
    monkeypatch.setattr(renode, "START_S", 0.5)
    no_time_before(3)
    error = fails(nucleo, tmp_path, jobs=1, stall_s=0.1)
    assert error.what == "Renode itself gave no answer to sample 3 within 0.6 s"


def test_ctrl_c_keeps_what_is_finished(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "answer(3); time.sleep(1000)", monkeypatch)

    def press(done: int, total: int) -> None:
        if done == 6:
            os.kill(os.getpid(), signal.SIGINT)

    execution = run(nucleo, tmp_path, progress=press)
    assert not execution.complete and execution.indices.tolist() == [0, 1, 2, 4, 5, 6]
    assert execution.stack_bytes is None


@pytest.mark.parametrize("name", ["a b", "it's", 'say "hi"', "a;b", "größe ✓", "new\nline", "@x", "$y"])
def test_folders_may_have_any_name(name: str, nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "assert set(script) <= set(map(chr, range(10, 127))), script\n" + WORKS, monkeypatch)
    (tmp_path / name).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name))  # then another place for links is found
    assert run(nucleo, tmp_path / name).complete


def test_the_script_that_renode_gets(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, f"open({str(tmp_path / 'seen')!r}, 'w').write(script)\n" + WORKS, monkeypatch)
    run(nucleo, tmp_path, jobs=1, cycles_per_instruction=1.37)
    lines = (tmp_path / "seen").read_text().splitlines()
    folder = lines[1].removeprefix("machine LoadPlatformDescription @").removesuffix("/board.repl")
    assert [line.replace(folder, "L") for line in lines] == [
        'mach create "board"',
        "machine LoadPlatformDescription @L/board.repl",
        "emulation SetGlobalAdvanceImmediately true",
        'emulation SetGlobalQuantum "0.01"',
        "sysbus LoadELF @L/firmware.elf",
        "sysbus.cpu VectorTableOffset 0x08000000",
        "machine AddMailbox",
        'sysbus.mailbox Run "L/0/job.txt"',
    ]


def test_overlay() -> None:
    assert overlay('/a "b"/c.repl', None) == 'using "/a \\"b\\"/c.repl"\n'
    assert overlay("/c.repl", 1.37) == (
        'using "/c.repl"\n\ncpu:\n    PerformanceInMips: 100\n\nnvic:\n    systickFrequency: 137000000\n'
        "\ndwt:\n    frequency: 137000000\n"
    )


def test_nowhere_to_put_links(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, WORKS, monkeypatch)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: (_ for _ in ()).throw(PermissionError()))
    with pytest.raises(EngineError, match="no folder for temporary files") as caught, plain_folder():
        pass
    assert caught.value.hint and "TMPDIR" in caught.value.hint


def test_what_a_killed_run_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else: another run's folder, one of nobody, and what a link leads to."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    script = """
import os, signal, sys, tempfile
from mcusim.engines.renode.plain_folder import plain_folder
tempfile.tempdir = sys.argv[1]
with plain_folder() as folder:
    (folder / "link").symlink_to(sys.argv[1])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    (killed,) = tmp_path.iterdir()
    nobodys = tmp_path / "mcusim-renode-nobodys"
    nobodys.mkdir()
    (tmp_path / "mcusim-renode-link").symlink_to(killed)
    with plain_folder() as other, plain_folder():
        assert set(tmp_path.iterdir()) >= {other, nobodys} and not killed.exists()
    assert set(tmp_path.iterdir()) == {nobodys, tmp_path / "mcusim-renode-link"}


def test_a_platform_is_needed(nucleo: Board, tmp_path: Path) -> None:
    error = fails(nucleo.model_copy(update={"renode": None}), tmp_path)
    assert error.what == "board 'nucleo_l452re_p' names no Renode platform" and error.hint


def test_another_firmware(nucleo: Board, tmp_path: Path) -> None:
    made = firmware(tmp_path)
    symbols = made.image.symbols
    moved = {**symbols, "mcusim_vectors": replace(symbols["cnn"], address=0xC000)}
    without = {name: symbol for name, symbol in symbols.items() if name != "mcusim_mailbox"}
    for wrong, words in (
        ({"symbols": moved}, "was linked for flash at 0x0000C000"),
        ({"symbols": without}, "has no mailbox for samples"),
        ({"symbols": {}}, "was linked for flash at 0x00000000"),
        ({"board": None}, "is for the host engine"),
    ):
        with pytest.raises(EngineError, match=words):
            other = replace(made, image=replace(made.image, **wrong))
            run_engine(renode, other, nucleo, given(2), tmp_path)


def test_samples_of_another_size(nucleo: Board, tmp_path: Path) -> None:
    error = fails(nucleo, tmp_path, inputs=np.zeros((2, INPUTS + 1), np.int8))
    assert error.what == f"inputs have {INPUTS + 1} bytes a sample, the firmware was built for {INPUTS}"


def test_a_profile_needs_its_files(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, WORKS, monkeypatch)
    with pytest.raises(EngineError, match="the profile is not readable"):
        run(nucleo, tmp_path, given(2), profile=True)


def test_no_renode(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RENODE_ROOT", "PYRENODE_BIN", "PYRENODE_BUILD_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path))
    with pytest.raises(MissingToolError, match="Renode is not installed"):
        run(nucleo, tmp_path)
    assert not list(tmp_path.glob("run/*"))


def test_the_first_trouble_of_a_log() -> None:
    log = "13:00 [INFO] fine\nThere was an error executing command 'a'\nmore\nand more\n(board) quit\nlater"
    assert first_trouble(log) == "more / and more"
    assert first_trouble("There was an error executing command 'a'\n") == "There was an error executing command 'a'"
    assert first_trouble("Fatal error: x\n  at y\n^^^^\nz") == "Fatal error: x / at y / z"
    assert first_trouble("all is well") is None
