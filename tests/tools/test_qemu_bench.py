"""The comparison with plain QEMU runs for every plugin. Its figures are for people: no machine has a steady speed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.board import Board
from tests.tiny_library import build_library, library
from tools import qemu_bench as bench

pytestmark = pytest.mark.arm


@pytest.mark.parametrize("plugin", bench.PLUGINS)
def test_both_run(plugin: str, nucleo: Board, build_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elf = build_library(library(), nucleo, build_folder, "qemu").elf
    line = [str(elf), nucleo.name, "--samples", "6", "--jobs", "2", "--rounds", "1", "--plugin", plugin]
    assert bench.main(line) == 0
    assert "median ratio" in capsys.readouterr().out


def test_an_unknown_board_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["x.elf", "none"]) == 2
    assert "unknown board" in capsys.readouterr().err
