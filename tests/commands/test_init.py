"""`mcusim init`: what it writes can be read and run, whatever the model and its file are called."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.experiment.read import read_experiment
from mcusim.experiment.tables import Model
from mcusim.line import draft
from mcusim.models.source import Source
from mcusim.system.errors import ModelError
from tests.graphs import several
from tests.keras_files import dense, numbers, sequential, start, write_keras
from tests.lines import SAMPLES, FakeStages, dataset, graph
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: FakeStages) -> Path:
    """With a model, and data for it; both are stand-ins."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.keras").write_bytes(b"")
    (tmp_path / "d.npz").write_bytes(b"")
    return tmp_path


def test_what_it_writes_is_an_experiment(
    folder: Path, stages: FakeStages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = replace(dataset(), y_test=graph().run(dataset().x_test).argmax(axis=1))
    monkeypatch.setattr(stages, "load_dataset", lambda *_: known)
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


def test_what_was_found_out_is_told(
    folder: Path, stages: FakeStages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the file, whether it is one or standard output."""
    noted = Source(replace(graph(), notes=("12 filters are dead",)))
    monkeypatch.setattr(stages, "read_model", lambda *_: noted)
    monkeypatch.setattr(stages, "load_dataset", lambda *_: replace(dataset(), notes=("classes are numbered so",)))
    assert cli.execute(["init", "m.keras", "d.npz"]) == 0
    told = capsys.readouterr().out
    assert cli.execute(["init", "m.keras", "d.npz", "--out", "-"]) == 0
    text, err = capsys.readouterr()
    assert text == (folder / "experiment.toml").read_text()
    for note in ("12 filters are dead", "classes are numbered so"):
        assert f"note: {note}\n" in told and f"note: {note}\n" in err


@pytest.mark.parametrize(("right", "common"), [(0, 40), (40, 40), (27, 27), (27, 26), (30, 26), (39, 12)])
def test_no_budget_below_what_chance_would_keep(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], right: int, common: int
) -> None:
    monkeypatch.setattr(draft.FloatModel, "scores", (right / SAMPLES, {}))
    monkeypatch.setattr(draft.FloatModel, "labels", {"": np.array([1] * common + [0, 2] * SAMPLES)[:SAMPLES]})
    assert cli.execute(["init", "m.keras", "d.npz"]) == 0
    limit = read_experiment(folder / "experiment.toml").expect.limits.get("accuracy_min")
    told = f"always the same answer would have {common / SAMPLES:.1%}" in capsys.readouterr().out
    assert (limit is None) == told == (right - common <= 1)
    assert limit is None or limit > common / SAMPLES


def test_axes_that_the_file_leaves_open_are_those_of_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that is written says so, and only of such a model."""
    monkeypatch.chdir(tmp_path)
    weights = {"layers/dense": [numbers(3, 2), numbers(2)]}
    for name, length in (("open", None), ("told", 5)):
        write_keras(tmp_path / f"{name}.keras", sequential(start(length, 3), dense("dense", 2)), weights)
    np.savez("d.npz", x_test=numbers(6, 5, 3), x_train=numbers(6, 5, 3))
    assert cli.execute(["init", "open.keras", "d.npz"]) == 0
    assert read_experiment(tmp_path / "experiment.toml").models[0].shapes == {"": (5, 3)}
    assert cli.execute(["init", "told.keras", "d.npz", "--force"]) == 0
    assert not read_experiment(tmp_path / "experiment.toml").models[0].shapes
    np.savez("d.npz", x_test=numbers(6, 5, 2))
    assert cli.execute(["init", "open.keras", "d.npz", "--force"]) == 3, "channels are told, and others"


@pytest.mark.parametrize("shapes", [{"": (4,)}, {"a": (4, 2), "b c": (3,)}, {'"]': (1, 2, 3), "ü\n": (1,)}])
def test_told_axes_are_read_as_they_were_written(shapes: dict[str, tuple[int, ...]]) -> None:
    [(line, _)] = draft._told(shapes)
    assert Model(file=Path("m.keras"), **tomllib.loads(line)).shapes == shapes


def test_what_the_samples_cannot_tell_is_the_error_of_the_model(
    folder: Path, stages: FakeStages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(path: Path, name: str, *told: object) -> Source:
        raise ModelError("input_shape is told, and nobody wants it" if told else "layer 'x' has no kernel")

    monkeypatch.setattr(stages, "read_model", read)
    assert cli.execute(["init", "m.keras", "d.npz"]) == 3
    assert capsys.readouterr().err == "error: layer 'x' has no kernel\n"


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
