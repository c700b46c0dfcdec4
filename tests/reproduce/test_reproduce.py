"""`mcusim reproduce`, from its arguments to its files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcusim import pipeline
from mcusim.commands import cli
from mcusim.experiment.read import open_experiment
from mcusim.line.watcher import Silent
from mcusim.reports.report import Report
from mcusim.reproduce import STUDIES
from mcusim.reproduce.run import Reproduced, Reproduction, _of_part
from mcusim.reproduce.study import Study
from mcusim.reproduce.told import remarks
from mcusim.system.errors import OK, ConfigurationError, DataError
from mcusim.system.interruption import INTERRUPTED
from tests.reproduce.studies import reproduced, run_of, toy

pytestmark = pytest.mark.usefixtures("drawn")
Reproduce = Callable[..., int]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.setitem(STUDIES, "toys", toy(folder))
    return STUDIES["toys"]


@pytest.fixture
def reproduce(study: Study, tmp_path: Path) -> Reproduce:
    return lambda *options: cli.execute(["reproduce", study.name, "--out", str(tmp_path / "out"), *options])


def runs_in(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["runs"]
    return found


@pytest.mark.arm
def test_what_is_quick_tells_accuracies_of_more_samples_and_goes_on_where_it_was(
    reproduce: Reproduce, study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert reproduce("--quick", "--dataset", "toy") == OK
    boards = runs_in(out / "toy")
    told = " ".join(capsys.readouterr().out.split())  # as wide as a terminal is
    assert [run["samples"] for run in boards] == [10, 10] and "accuracies of 25 test samples" in told
    rows = [*csv.DictReader((out / "toys.csv").read_text().splitlines())]
    [rom] = [row for row in rows if row["framework"] and row["metric"] == "rom_kib" and row["filters"] == "4"]
    assert float(rom["ours"]) == pytest.approx(boards[1]["rom_bytes"]["total"] / 1024, rel=1e-4)
    [accuracy] = [row for row in rows if row["framework"] and row["metric"] == "accuracy_pct"]
    here = open_experiment(study.folder / "toy.toml").with_options(engine="host", samples=25)
    ours = pipeline.run(here, tmp_path / "here", Silent()).runs[1].accuracy
    assert ours and float(accuracy["ours"]) == pytest.approx(100 * ours, rel=1e-4)
    assert "Table 1" in (out / "toys.html").read_text()
    assert reproduce("--quick", "--dataset", "toy") == OK
    assert all(run["cached"] for run in runs_in(out / "toy"))


def test_what_is_quick_may_leave_large_networks_out(study: Study, tmp_path: Path) -> None:
    part = replace(study.parts[1], quick_models=("f4",))
    experiment = open_experiment(study.folder / "toy.toml").with_options(engine="host")
    larger = experiment.models[0].model_copy(update={"name": "f8", "file": "nowhere.tflite"})
    experiment = experiment.model_copy(update={"models": (*experiment.models, larger)})
    *_, found = _of_part(Reproduced(part), experiment, tmp_path / "out", Silent(), quick=True)
    assert {run.model for run in found.runs} == {"f4"} and not any(run.error for run in found.runs)
    [*told] = remarks(Reproduction(study, quick=True, parts=(found,)))
    assert any(note.endswith("`--quick` leaves them out") for note in told)


@pytest.mark.arm
def test_data_that_are_damaged_leave_other_data_sets_alone(
    reproduce: Reproduce, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduce() == DataError.exit_code
    told = capsys.readouterr()
    assert "damaged.npz" in told.err and "hint" in told.err and "0 mismatches" in told.out
    assert [run["samples"] for run in json.loads((tmp_path / "out" / "toy" / "report.json").read_text())["runs"]] == [
        30,
        30,
    ]


@pytest.mark.arm
def test_where_nothing_ran_an_earlier_page_stays(reproduce: Reproduce, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "toys.html").write_text("of yesterday")
    assert reproduce("--dataset", "damaged") == DataError.exit_code
    assert (out / "toys.html").read_text() == "of yesterday" and not (out / "toys.csv").exists()


def test_a_shipped_network_that_is_missing_is_told_before_anything_runs(
    reproduce: Reproduce, study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study.folder / "f4.tflite").unlink()
    assert reproduce() == DataError.exit_code
    assert "f4.tflite" in capsys.readouterr().err and not (tmp_path / "out" / "toy").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nobody"], "'nobody'"),
        (["toys", "--dataset", "tyo"], "toy"),
        (["toys", "--out", "study/toy.toml"], "toy.toml"),
    ],
)
def test_what_cannot_be_chosen_is_told(
    study: Study,
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.execute(["reproduce", *arguments]) == ConfigurationError.exit_code
    error = capsys.readouterr().err
    assert told in error and "hint" in error and "Traceback" not in error


def test_what_was_finished_when_it_was_interrupted_is_kept(
    reproduce: Reproduce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Iterator[Report]:
        [part] = reproduced(run_of(4, "int8", 0.5)).parts
        assert part.boards
        yield part.boards
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "reports", interrupted)
    assert reproduce("--dataset", "toy") == INTERRUPTED
    rows = csv.DictReader((tmp_path / "out" / "toys.csv").read_text().splitlines())
    assert [row["ours"] for row in rows if row["metric"] == "rom_kib" and row["filters"] == "4"] == ["40"]
