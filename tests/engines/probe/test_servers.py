"""GDB servers that mcusim starts: a small script stands in for each, and ends as real ones do."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from importlib.metadata import PackageNotFoundError
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcusim.engines.hardware.attached import SERVERS, Attached
from mcusim.engines.hardware.run_on import BoardTrouble, Stopped
from mcusim.engines.probe import servers
from mcusim.engines.probe.servers import _listens, kinds, served
from mcusim.system.errors import EngineError, MissingToolError

SAID = {
    "openocd": "Open On-Chip Debugger 0.12.0",
    "pyocd": "0.36.0",
    "jlink": "SEGGER J-Link GDB Server V7.94e Command Line Version",
    "st-util": "v1.8.0",
    "probe-rs": "probe-rs 0.24.0 (git commit: 6fee4b6)",
}
PORTS = {
    "openocd": r"gdb_port (\d+)",
    "pyocd": r"--port (\d+)",
    "jlink": r"-port (\d+)",
    "st-util": r"--listen_port (\d+)",
    "probe-rs": r"127\.0\.0\.1:(\d+)",
}
LISTENS = """import re, socket, time
with socket.create_server(("127.0.0.1", int(re.search({port!r}, " ".join(sys.argv))[1]))) as server:
    while True:
        server.accept()[0].sendall(b"here")
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a server's words go. All that PATH has is what stands in for servers."""
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    return tmp_path / "made on demand" / "server.log"


def stand_in(log: Path, name: str, does: str, said: str = "") -> Attached:
    """A board whose server is a program that tells its version where it is asked, else its process and arguments."""
    program = kinds()[name].program
    assert program is not None
    lines = [
        f"#!{sys.executable} -IS",
        "import os, sys",
        f"if sys.argv[1:] == {list(kinds()[name].version)}: sys.exit({said or SAID[name]!r})",  # on stderr, code 1
        "print(os.getpid(), *sys.argv[1:], flush=True)",
    ]
    file = log.parents[1] / "programs" / program
    file.write_text("\n".join([*lines, does]) + "\n", encoding="utf-8")
    file.chmod(0o755)
    return Attached(id="b", type="nucleo_l452re_p", server=name, serial="0123AB")


def is_gone(log: Path) -> bool:
    """The process that wrote it."""
    try:
        os.kill(int(log.read_text(encoding="utf-8").split()[0]), 0)
    except ProcessLookupError:
        return True
    return False


def is_said(log: Path) -> bool:
    """Has it written its first line?"""
    return log.exists() and b"\n" in log.read_bytes()


def never() -> bool:
    return False


def test_all_that_can_be_named_are_played() -> None:
    assert tuple(SAID) == tuple(PORTS) == tuple(name for name, kind in kinds().items() if kind.program)
    assert tuple(name for name, kind in kinds().items() if kind.program or kind.package) == SERVERS


@pytest.mark.parametrize("name", SAID)
def test_it_listens_where_it_was_told_to(name: str, log: Path) -> None:
    """It knows chip and probe, serves who comes first, and ends when nobody needs it."""
    board = stand_in(log, name, LISTENS.format(port=PORTS[name]))
    with served(board, "that_chip", log, never) as (host, port, known):
        with socket.create_connection((host, port), 5) as client:
            assert client.recv(4) == b"here"
        assert known and known.kind is kinds()[name] and known.version[0].isdigit()
    words = log.read_text(encoding="utf-8")
    assert "0123AB" in words and (name == "st-util" or "that_chip" in words)  # st-util finds out by itself
    assert "{" not in words and is_gone(log) and not _listens(port)


@pytest.mark.parametrize("name", ["openocd", "jlink"])
def test_without_a_serial_number_any_probe_will_do(name: str, log: Path) -> None:
    board = stand_in(log, name, LISTENS.format(port=PORTS[name])).model_copy(update={"serial": None})
    with served(board, "that_chip", log, never):
        pass
    given = " ".join(kinds()[name].of_serial).partition("{")[0]
    assert given and given not in log.read_text(encoding="utf-8")


ENDS = {
    "with an error before its last words": (
        "print('Info : clock 500 kHz'); print('Error: \\33[31mopen failed'); print('shutdown'); sys.exit(1)",
        r"OpenOCD ended: Error: \S*open failed$",
    ),
    "with words": ("print('first'); print('no matter'); print(); sys.exit(0)", "OpenOCD ended: no matter$"),
    "without a word": ("os.ftruncate(1, 0)", "OpenOCD ended: no message$"),
    "by a signal": ("print('so far', flush=True); os.kill(os.getpid(), 9)", "OpenOCD ended: so far$"),
}


@pytest.mark.parametrize("how", ENDS)
def test_one_that_ends_is_told(how: str, log: Path) -> None:
    does, words = ENDS[how]
    with pytest.raises(BoardTrouble) as caught, served(stand_in(log, "openocd", does), "c", log, never):
        pass
    assert re.search(words, caught.value.what) and "\33" not in caught.value.what
    assert str(log) in str(caught.value.hint)


def test_one_that_never_listens(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is up as soon as it has said something."""
    asked = count()  # at first it may have said something already
    clock = SimpleNamespace(monotonic=lambda: 1000.0 * (next(asked) > 0 and is_said(log)), sleep=time.sleep)
    monkeypatch.setattr(servers, "time", clock)
    board = stand_in(log, "openocd", "import time; time.sleep(600)")
    with pytest.raises(BoardTrouble, match=r"does not listen after 60 s: \d+ -f c "), served(board, "c", log, never):
        pass
    assert is_gone(log)


def test_nobody_wants_it_any_more(log: Path) -> None:
    board = stand_in(log, "openocd", "import time; time.sleep(600)")
    with pytest.raises(Stopped), served(board, "c", log, lambda: is_said(log)):
        pass
    assert is_gone(log)


def test_one_that_is_too_old_is_not_started(log: Path) -> None:
    board = stand_in(log, "openocd", "", said="Open On-Chip Debugger 0.10.0")
    with pytest.raises(EngineError, match=r"too old: Open On-Chip Debugger 0\.10"), served(board, "c", log, never):
        pass
    assert not log.exists()


def test_one_that_is_not_there(log: Path) -> None:
    board = Attached(id="b", type="nucleo_l452re_p", server="openocd")
    with pytest.raises(MissingToolError, match="openocd") as caught, served(board, "c", log, never):
        pass
    assert "apt install openocd" in str(caught.value.hint) and not log.exists()


def test_one_that_runs_elsewhere_is_not_started(log: Path) -> None:
    board = Attached(id="b", type="nucleo_l452re_p", server="lab.local:3333")
    with served(board, "c", log, never) as found:
        assert found == ("lab.local", 3333, None)
    assert not log.exists()


def test_pyocd_in_this_process_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed, too, and where it is too old."""

    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(servers, "version_of", version)
    with pytest.raises(MissingToolError, match="package 'pyocd' is not installed") as caught:
        kinds()["pyocd-api"].installed()
    assert "mcusim[probe]" in str(caught.value.hint)
    monkeypatch.setattr(servers, "version_of", lambda name: "0.33.1")
    with pytest.raises(EngineError, match=r"this pyOCD is too old: 0\.33"):
        kinds()["pyocd-api"].installed()
