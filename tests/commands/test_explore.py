"""`mcusim explore`, from its file to its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.commands import cli
from mcusim.system.errors import BUDGET_BROKEN, OK
from tests.explore.exploring import write

AXES = '"quantization.data_type" = ["int8", "int16"]\n'
ESTIMATE = 'fidelity = "estimate"\nobjectives = ["accuracy", "rom_bytes"]'
CHOICES = ("--jobs", "1", "--no-test")


def explored(path: Path, *options: str) -> int:
    return cli.execute(["explore", str(path), "--out", str(path.parent / "out"), *CHOICES, *options])


@pytest.mark.arm
@pytest.mark.usefixtures("drawn")
def test_it_writes_a_page_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, page = write(tmp_path, ESTIMATE, AXES), tmp_path / "pages" / "front.html"
    assert explored(path, "--html", str(page)) == OK
    assert "What each value contributed" in page.read_text() and str(page) in capsys.readouterr().out


@pytest.mark.arm
def test_budgets_that_nothing_keeps_are_an_exit_code(tmp_path: Path) -> None:
    path = write(tmp_path, ESTIMATE, AXES)
    path.write_text(path.read_text() + "[expect]\nrom_bytes_max = 10\n")
    assert explored(path) == BUDGET_BROKEN
