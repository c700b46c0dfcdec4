"""Both benches run. Their figures are for people: no machine has a steady speed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.board import Board
from mcusim.engines.renode.turn import Outcome
from tests.tiny_library import build_library, library
from tools import renode_bench, renode_cases


@pytest.mark.renode
@pytest.mark.usefixtures("warm")
def test_both_run_the_same_instructions(nucleo: Board, build_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = build_library(library(), nucleo, build_folder, "renode").elf
    assert renode_bench.main([str(elf), nucleo.name, "--samples", "6", "--jobs", "1", "--rounds", "1"]) == 0
    assert "median ratio of MIPS" in capsys.readouterr().out


@pytest.mark.renode
@pytest.mark.usefixtures("warm")
def test_cases_in_a_row(nucleo: Board, build_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = build_library(library(), nucleo, build_folder, "renode").elf
    assert renode_cases.main([str(elf), nucleo.name, "--samples", "2", "--jobs", "1", "--rounds", "3"]) == 0
    assert "job 3: workers take " in capsys.readouterr().out


def test_speed_of_two_processes() -> None:
    """Both run at once, and the longer one tells how long."""
    one, other = (Outcome("done", "", samples, 0, samples * 100, 0, us) for samples, us in ((3, 600), (2, 1000)))
    assert renode_bench._speed([one, other]) == renode_bench.Speed(us=400.0, instructions=100.0, mips=0.5)


def test_an_unknown_board_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert renode_bench.main(["x.elf", "none"]) == 2
    assert "unknown board" in capsys.readouterr().err
