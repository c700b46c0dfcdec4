"""Other programs: awaited, bounded, and stopped with everything they started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mcusim.system.command import find, run, start, stop
from mcusim.system.errors import MissingToolError
from tests.processes import running_in, wait_for


def test_run(tmp_path: Path) -> None:
    done = run(["sh", "-c", "pwd; echo $LC_ALL $X >&2; cat; exit 3"], folder=tmp_path, environment={"X": "y"})
    assert (done.returncode, done.stdout, done.stderr) == (3, f"{tmp_path}\n", "C y\n")


def test_bytes_that_are_no_text() -> None:
    assert run(["printf", r"\377a"]).stdout == "\ufffda"


def test_a_program_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended with what it started, and nobody waits for that to end by itself."""
    monkeypatch.setattr("mcusim.system.command._TERMINATION_S", 0.2)
    with pytest.raises(MissingToolError, match="did not end within 0 s"):
        run(["sh", "-c", "trap '' TERM; (sleep 60; touch ended) & wait"], folder=tmp_path, timeout_s=0.2)
    wait_for(lambda: not running_in(lambda working: Path(working) == tmp_path))
    assert not (tmp_path / "ended").exists()


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


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "], ids=["listens", "does not listen"])
def test_stop_ends_the_whole_group(trap: str, tmp_path: Path) -> None:
    """What a shell has started, too, when the shell itself ended as it was asked."""
    child_of_it = f"({trap}while :; do sleep 1; done)"
    process = start(["sh", "-c", f"{child_of_it} & sleep 0.2; echo $! > {tmp_path}/child; wait"])
    wait_for(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip())
    child = int((tmp_path / "child").read_text())
    stop([process])
    assert process.poll() is not None
    wait_for(lambda: not _alive(child))


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


def test_a_program_that_says_very_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning and its end are kept, and no more."""
    monkeypatch.setattr("mcusim.system.command._HEARD_BYTES", 2000)
    done = run(["sh", "-c", "echo first; yes | head -c 3000000; echo last"])
    assert done.stdout.startswith("first\ny\n") and done.stdout.endswith("y\nlast\n")
    assert 2000 <= len(done.stdout) <= 4000 + 2**16


def test_errors_say_what_to_do() -> None:
    with pytest.raises(MissingToolError) as caught:
        run(["no-such-program"])
    assert caught.value.hint


def test_a_variable_that_names_no_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_QEMU", "no-such-program")
    with pytest.raises(MissingToolError) as caught:
        find("no-such-program", hint="install it", variable="MCUSIM_QEMU")
    assert caught.value.where == "MCUSIM_QEMU" and caught.value.hint == "correct MCUSIM_QEMU, or unset it"
