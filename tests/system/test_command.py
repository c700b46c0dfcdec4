"""Other programs: awaited, bounded, and stopped with everything they started."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from mcusim.system.command import find, run, start, stop
from mcusim.system.errors import MissingToolError


def test_run(tmp_path: Path) -> None:
    done = run(["sh", "-c", "pwd; echo $LC_ALL $X >&2; cat; exit 3"], folder=tmp_path, environment={"X": "y"})
    assert (done.returncode, done.stdout, done.stderr) == (3, f"{tmp_path}\n", "C y\n")


def test_bytes_that_are_no_text() -> None:
    assert run(["printf", r"\377a"]).stdout == "\ufffda"


def test_a_program_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.system.command._TERMINATION_S", 0.2)
    began = time.monotonic()
    with pytest.raises(MissingToolError, match="did not end within 0 s"):
        run(["sh", "-c", "trap '' TERM; sleep 60 & wait"], timeout_s=0.2)
    assert time.monotonic() - began < 5


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    for name in ("no-such-program", str(tmp_path), str(tmp_path / "text")):
        with pytest.raises(MissingToolError, match="cannot start"):
            run([name])


def test_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(sys.executable, hint="") == sys.executable
    with pytest.raises(MissingToolError) as caught:
        find("no-such-program", hint="install it")
    assert caught.value.what == "'no-such-program' is not installed" and caught.value.hint == "install it"
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert find("./tool", hint="") == str(tool)


def test_stop_ends_the_whole_group(tmp_path: Path) -> None:
    process = start(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/child; wait"])
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
        time.sleep(0.01)
    child = int((tmp_path / "child").read_text())
    stop([process])
    assert process.poll() is not None
    for _ in range(200):
        if not _alive(child):
            return
        time.sleep(0.01)
    raise AssertionError("the child is still there")


def _alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_stop_kills_what_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.system.command._TERMINATION_S", 0.2)
    read, write = os.pipe()
    with os.fdopen(write, "wb") as out:
        process = start(["sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"], stdout=out)
    assert os.read(read, 1) == b"\n"
    os.close(read)
    stop([process])
    assert process.returncode == -9
