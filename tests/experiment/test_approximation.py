"""[approximation]: what it says, and what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.experiment.approximation import Approximation
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.read import read_experiment
from mcusim.line.bench import Bench
from mcusim.line.case import Setting, run_case
from mcusim.line.watcher import Silent
from mcusim.models.source import Source
from mcusim.system.errors import ConfigurationError
from tests.graphs import Builder
from tests.lines import CLASSES, FakeStages, RememberedGraph, experiment
from tests.lines import stages as stages  # noqa: PLC0414  (a fixture)

SMALL = '[dataset]\nname = "digits"\n[[model]]\narchitecture = "cnn"\n'


def read(folder: Path, text: str) -> Experiment:
    path = folder / "test.toml"
    path.write_text(text, encoding="utf-8")
    return read_experiment(path)


def test_what_is_wanted_of_whom(tmp_path: Path) -> None:
    assert read(tmp_path, SMALL).approximations == ()
    told = '[approximation]\nchannels = 0.25\nsignificance = "paper"\n[[approximation.layer]]\nname = "conv1"\n'
    made = read(tmp_path, f"{SMALL}{told}channels = 4\ndead_channels = false\n")
    [one] = made.approximations
    assert all(case.approximation == one and not case.variant for case in made.cases())
    wanted = one.wanted(7)
    assert (wanted.significance, wanted.compensation, wanted.seed) == ("paper", "least-squares", 7)
    channels, dead = wanted.degrees["channels"], wanted.degrees["dead_channels"]
    assert (channels.count("conv1", 10), channels.count("other", 10)) == (4, 2)
    assert (dead.of("conv1"), dead.of("other")) == (False, True) and not wanted.degrees["rows"].is_any


def test_several_are_runs_beside_each_other(tmp_path: Path) -> None:
    text = SMALL + '[[model]]\nname = "other"\narchitecture = "cnn"\n'
    text += '[target]\nboards = ["nucleo_l452re_p", "sparkfun_edge"]\n'
    text += '[[approximation]]\nname = "exact"\ndead_channels = false\n'
    made = read(tmp_path, f'{text}[[approximation]]\nname = "a/b"\nmodel = "cnn"\nchannels = 0.5\n')
    cases = list(made.cases())
    assert [(case.model.name, case.variant) for case in cases[::2]] == [
        ("cnn", "exact"),
        ("cnn", "a/b"),
        ("other", "exact"),
    ]
    assert len({case.id for case in cases}) == len(cases) == 6 and not any("/" in case.id for case in cases)
    assert cases[2].label == "cnn, float32, a/b, nucleo_l452re_p in qemu"
    assert len({case.library_name for case in cases}) == 3
    only = read(tmp_path, f'{text}model = "other"\n')
    assert [case.approximation is None for case in only.cases()] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("channels = 1", "has no name"),
        ("name = 'a'\n[[approximation]]\nname = 'a'", "there are two 'a'"),
        ("name = 'a'\nmodel = 'cnn'\n[[approximation]]\nname = 'a'", "there are two 'a'"),
        ("name = 'a'\nmodel = 'cn'", "no model 'cn'"),
        ("name = 'a'\nprune = 1", "unknown key 'prune'"),
    ],
)
def test_what_cannot_be_of_several(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        read(tmp_path, f"{SMALL}[[approximation]]\n{text}\n")
    assert "approximation" in (caught.value.where or "") and caught.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("channels = 1.5", "channels"),
        ("channels = -1", "channels"),
        ('channels = "all"', "channels"),
        ("rows = true", "rows"),
        ("dead_channels = 1", "dead_channels"),
        ('significance = "luck"\nchannels = 1', "significance"),
        ("prune = 0.5", "unknown key 'prune'"),
        ("[[approximation.layer]]\nname = 'a'", "nothing is said of layer 'a'"),
        ("layer = [{ name = 'a', rows = 1 }, { name = 'a', rows = 2 }]", "layer 'a' is there 2 times"),
        ("calibration_samples = 5", "unknown key 'calibration_samples'"),
    ],
)
def test_what_cannot_be_names_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        read(tmp_path, f"{SMALL}[approximation]\n{text}\n")
    assert "test.toml:" in (caught.value.where or "") and "approximation" in (caught.value.where or "")


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, f"{SMALL}[approximation]\nchannels = 1.5\nrows = -1\n[target]\nsamples = 0\n")
    told = str([caught.value.what, *(other.what for other in caught.value.others)])
    assert all(word in told for word in ("channels", "rows", "samples"))


def test_made_up_samples_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").touch()
    with pytest.raises(ConfigurationError, match="there is no \\[dataset\\]"):
        read(tmp_path, '[[model]]\nfile = "m.tflite"\n[approximation]\n')


def test_a_report_tells_what_was_skipped(stages: FakeStages, tmp_path: Path) -> None:
    chosen = Approximation(channels=0.5, compensation="bias")
    builder = Builder((4,), seed=1)
    builder.dense(8, activation="relu")
    builder.dense(CLASSES)
    whole_model = RememberedGraph(**vars(builder.graph()))
    stages.read_model = lambda path, name: Source(whole_model)
    whole = experiment(tmp_path, "a")
    exact, made = (
        run_case(Setting(one, tmp_path / "out"), next(one.cases()), Bench(Silent())).run
        for one in (whole, whole.model_copy(update={"approximations": (chosen,)}))
    )
    assert (exact.approximation, exact.significance, exact.compensation) == ({}, "", "")
    assert made.approximation["channels"] and (made.significance, made.compensation) == ("obs", "bias")
    assert made.macs and exact.macs and made.macs < exact.macs
    assert any(note.startswith("channels are skipped (obs)") for note in made.notes)
