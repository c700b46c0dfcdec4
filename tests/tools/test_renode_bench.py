"""The comparison with plain Renode runs. Its figures are for people: no machine has a steady speed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.board import Board
from tests.tiny_library import build_library, library
from tools import renode_bench


@pytest.mark.renode
@pytest.mark.usefixtures("alone")
def test_both_run_the_same_instructions(nucleo: Board, build_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = build_library(library(), nucleo, build_folder, "renode").elf
    assert renode_bench.main([str(elf), nucleo.name, "--samples", "6", "--jobs", "2", "--rounds", "1"]) == 0
    assert "median ratio of MIPS" in capsys.readouterr().out


def test_an_unknown_board_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert renode_bench.main(["x.elf", "none"]) == 2
    assert "unknown board" in capsys.readouterr().err
