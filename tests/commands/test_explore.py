"""`mcusim explore`, from its file to its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcusim.commands import cli
from mcusim.experiment.read import read_experiment
from mcusim.explore.exploration import EXPLORATION
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


@pytest.mark.arm
def test_the_front_is_built_and_run_and_then_asked_of_the_test_set_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An experiment of each point of it stays, with the report of its run."""
    path, front = write(tmp_path, 'objectives = ["accuracy", "latency_ms"]', AXES), tmp_path / "best"
    command = ["explore", str(path), "--out", str(tmp_path / "out"), "--jobs", "1", "--save-front", str(front)]
    assert cli.execute([*command, "--evaluations", "2"]) == OK
    found = json.loads((tmp_path / "out" / EXPLORATION).read_text())
    assert found["complete"] and {point["fidelity"] for point in found["points"]} == {"firmware"}
    assert all(not point["error"] and point["figures"]["latency_ms"] > 0 for point in found["points"])
    base, *others = found["tested"]
    assert base["p"] is None and others and all(0 <= one["p"] <= 1 for one in others)
    assert sorted(one["folder"] for one in (base, *others)) == sorted(map(str, front.iterdir()))
    for one in (base, *others):
        [run] = json.loads((Path(one["folder"]) / "report.json").read_text())["runs"]
        told = one["point"]["figures"]
        assert one["point"]["fidelity"] == "test" and run["samples"] == 20 and run["accuracy"] == told["accuracy"]
        assert read_experiment(Path(one["folder"]) / "experiment.toml")
    assert "(test set)" in capsys.readouterr().out
