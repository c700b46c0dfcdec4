"""An exported folder stands alone: made here from a tiny model, moved, and run where nothing else is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names
from mcusim.engines.renode.facts import FACTS
from mcusim.engines.renode.plain_folder import plain_folder
from mcusim.line.export_files import Exported, write_surroundings
from mcusim.system.errors import ConfigurationError
from mcusim.workloads.generated import emit_firmware
from tests.engines.renode.monitor import monitor
from tests.every_board import board_with
from tests.tiny_library import build_library, expected, library, samples

COUNT = 20


@pytest.fixture(params=board_names())
def board(request: pytest.FixtureRequest) -> Board:
    return board_with(request.param, "renode")


def exported(board: Board, folder: Path, build: Path) -> None:
    """What `export` writes, but for case.json and console.elf."""
    assert board.renode is not None
    sources = emit_firmware(library(), FACTS, board)
    write_surroundings(folder, Exported(board, Path(board.renode.platform), 1.25, sources, COUNT, "<4b"))
    shutil.copyfile(build_library(library(), board, build, FACTS.name).elf, folder / "firmware.elf")
    (folder / "input.bin").write_bytes(samples(COUNT).tobytes())
    answers = expected(samples(COUNT)).copy()
    (folder / "expected.bin").write_bytes(answers.tobytes())


@pytest.mark.renode
@pytest.mark.arm
def test_a_folder_that_was_moved_runs(board: Board, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    exported(board, tmp_path / "made", tmp_path / "build")
    with plain_folder() as elsewhere:
        moved = elsewhere / "re named"  # as Monitor commands take a space
        named = str(moved).replace(" ", r"\ ")
        shutil.move(tmp_path / "made", moved)
        wrong = np.fromfile(moved / "expected.bin", np.uint8)
        wrong[[0, 1, -1]] ^= 1
        wrong.tofile(elsewhere / "wrong.bin")
        # The four bytes of an answer as one real number: off by a little, and by more than that.
        reals = np.fromfile(moved / "expected.bin", np.float32)
        largest = np.argsort(np.where(np.isfinite(reals), np.abs(reals), 0))[-2:]
        reals[largest] *= np.array([1.00005, 1.001], np.float32)
        reals.tofile(elsewhere / "near.bin")
        lines = [f"include @{named}/run.resc"]
        for name, answer in (("wrong", "<4b"), ("near", "<f"), ("near", "<2xbB")):
            check = f'sysbus.mailbox Check "{moved}/input.bin" "{elsewhere}/{name}.bin" "{answer}"'
            lines += ["machine Reset", check]
        said = monitor(lines, elsewhere)
    found = re.findall(rf"^samples={COUNT} mismatches=([0-9]+) instructions", said, re.MULTILINE)
    assert found == ["0", "2", "1", "2"], said


def test_a_platform_comes_with_all_that_it_uses(board: Board, tmp_path: Path) -> None:
    assert board.renode is not None
    (tmp_path / "mine" / "parts").mkdir(parents=True)
    (tmp_path / "mine" / "my.repl").write_text('using "./parts/a.repl"\nusing "../other.repl"\n')
    (tmp_path / "mine" / "parts" / "a.repl").write_text('using "../my.repl"\n')
    (tmp_path / "other.repl").write_text("")
    mine = Exported(board, tmp_path / "mine" / "my.repl", None, library(), 1, "<4b")
    write_surroundings(tmp_path / "out", mine)
    assert (tmp_path / "out" / "board.repl").read_text() == 'using "./platforms/mine/my.repl"\n'
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out" / "platforms").rglob("*.repl")}
    assert found == {"platforms/mine/my.repl", "platforms/mine/parts/a.repl", "platforms/other.repl"}
    (tmp_path / "other.repl").write_text('using "/etc/x.repl"\n')
    with pytest.raises(ConfigurationError, match=r"uses '/etc/x\.repl' by its absolute path"):
        write_surroundings(tmp_path / "out", mine)
