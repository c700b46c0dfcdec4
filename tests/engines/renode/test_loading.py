"""Platforms that a Renode loads, and what it says of those that it does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mcusim.boards.load import board_names, load_board
from mcusim.engines.renode import loading
from mcusim.engines.renode.installation import Installation, find_installation

# Loads no platform that uses another file named b.repl.
STAND_IN = f"""#!{sys.executable}
import re, sys
script = re.search("@(.*)", open(sys.argv[4]).read())[1]
for path in re.findall("'([^']+repl)'", open(script).read()):
    bad = "b.repl" in open(path).read()
    said = "There was an error executing command 'machine LoadPlatformDescription'" + chr(10) if bad else ""
    said += "Error E04: Could not resolve type: 'Some.Type'." + chr(10) + "At /b.repl:2:1:" if bad else ""
    open(path + ".told", "w").write(said)
"""


def renode(folder: Path, text: str) -> Installation:
    program = folder / "renode"
    program.write_text(text)
    program.chmod(0o755)
    return Installation(program, "1.17.0", None, ())


def test_what_it_lacks(tmp_path: Path) -> None:
    told = loading.refused(renode(tmp_path, STAND_IN), [tmp_path / "a.repl", tmp_path / "b.repl"])
    assert told == [None, "Error E04: Could not resolve type: 'Some.Type'. / At /b.repl:2:1:"]


def test_a_renode_that_says_nothing(tmp_path: Path) -> None:
    [told] = loading.refused(renode(tmp_path, "#!/bin/sh\necho hello\nexit 3\n"), [tmp_path / "a.repl"])
    assert told == "Renode ended with exit code 3: hello"


def test_a_row_for_each_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_installation", lambda: renode(tmp_path, STAND_IN))
    rows = {row.name: row.found for row in loading.tools()}
    boards = [name for name in board_names() if load_board(name).renode]
    assert rows == {f"platform {name}": "loads in Renode 1.17.0" for name in boards}


@pytest.mark.renode
def test_this_renode_loads_every_board(driver: str, tmp_path: Path) -> None:
    """And tells what it lacks of others: at once, and in what a platform does when it is made."""
    boards = {name: Path(board.renode.platform) for name in board_names() if (board := load_board(name)).renode}
    described = f'using "{boards["nucleo_l452re_p"]}"\n\n'
    (tmp_path / "missing type.repl").write_text(f"{described}dac: Analog.NoSuchDac @ sysbus 0x40007400\n")
    (tmp_path / "init.repl").write_text(f"{described}cpu:\n    init:\n        NoSuchCommand 1\n")
    platforms = [tmp_path / "missing type.repl", tmp_path / "init.repl", *boards.values()]
    one, other, *good = loading.refused(find_installation(), platforms)
    assert one and "'Analog.NoSuchDac'" in one and f"{tmp_path}/missing type.repl:3:1" in one, one
    assert other and "NoSuchCommand" in other, other
    assert good == [None] * len(boards)
