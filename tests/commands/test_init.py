"""`mcusim init`: what it writes can be read and run, whatever the model and its file are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.commands import cli
from mcusim.experiment.read import read_experiment
from mcusim.line import draft
from mcusim.models.source import Source
from tests.graphs import several
from tests.lines import FakeStages, dataset
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: FakeStages) -> Path:
    """With a model, and data for it; both are stand-ins."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.keras").write_bytes(b"")
    (tmp_path / "d.npz").write_bytes(b"")
    return tmp_path


def test_what_it_writes_is_an_experiment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["init", "m.keras", "d.npz"]) == 0
    assert "mcusim run experiment.toml" in capsys.readouterr().out
    experiment = read_experiment(folder / "experiment.toml")
    assert experiment.models[0].file == folder / "m.keras" and experiment.dataset.file == "d.npz"
    assert experiment.task.kind == "classification"
    assert [entry.data_type for entry in experiment.quantizations] == ["float32", "int8"]
    assert experiment.expect.limits.keys() == {"accuracy_min", "mismatches_max", "rom_bytes_max", "ram_bytes_max"}
    text = (folder / "experiment.toml").read_text()
    assert "on 40 samples" in text and "raw samples" in text


def test_it_runs_as_it_is(folder: Path) -> None:
    assert cli.execute(["init", "m.keras", "d.npz"]) == 0
    assert cli.execute(["run", "experiment.toml", "--engine", "host"]) in (0, 7)


def test_integers_need_training_samples(folder: Path, stages: FakeStages, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written can be run at once."""
    lacking = replace(dataset(), x_train=None, y_train=None)
    monkeypatch.setattr(stages, "load_dataset", lambda *_: lacking)
    assert cli.execute(["init", "m.keras", "d.npz"]) == 0
    experiment = read_experiment(folder / "experiment.toml")
    assert [entry.data_type for entry in experiment.quantizations] == ["float32"]
    assert "# [[quantization]]" in (folder / "experiment.toml").read_text()


def test_without_data(folder: Path) -> None:
    assert cli.execute(["init", "m.keras", "--out", "-"]) == 0
    assert cli.execute(["init", "m.keras"]) == 0
    experiment = read_experiment(folder / "experiment.toml")
    assert not experiment.dataset.is_there and experiment.task.kind == "none"


def test_paths_are_seen_from_the_file(folder: Path) -> None:
    assert cli.execute(["init", "m.keras", "d.npz", "--out", "deep/down/e.toml"]) == 0
    file = read_experiment(folder / "deep" / "down" / "e.toml").models[0].file
    assert file and file.resolve() == (folder / "m.keras").resolve()


def test_nothing_is_overwritten_unasked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "experiment.toml").write_text("mine")
    assert cli.execute(["init", "m.keras"]) == 2
    assert "--force" in capsys.readouterr().err and (folder / "experiment.toml").read_text() == "mine"
    assert cli.execute(["init", "m.keras", "--force"]) == 0


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a]\n[target]\nboards = 3 #", "\x1b[31m", "ü @user ::error::"])
def test_names_are_texts_and_no_toml(name: str, folder: Path) -> None:
    (folder / f"{name}.keras").write_bytes(b"")
    assert cli.execute(["init", f"{name}.keras", "d.npz"]) == 0
    experiment = read_experiment(folder / "experiment.toml")
    assert experiment.models[0].file == folder / f"{name}.keras"
    assert "\x1b" not in (folder / "experiment.toml").read_text()


def test_several_outputs(folder: Path, stages: FakeStages) -> None:
    made, _ = several()
    stages.read_model = lambda path, name: Source(made)
    assert cli.execute(["init", "m.keras"]) == 0
    kind = read_experiment(folder / "experiment.toml").task.kind
    assert kind == {output.name: "none" for output in made.outputs}


def test_limits_are_looser_than_the_scores() -> None:
    assert draft._limit(0.871, higher=True, share=True) == "0.85"
    assert draft._limit(0.004, higher=True, share=True) == "0.00"
    assert draft._limit(12.5, higher=False, share=False) == "13.8"
    assert draft._limit(-0.5, higher=True, share=False) == "-0.55"
