"""Weights are tuned once: a second run finds them, unless anything differs that they depend on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.experiment.approximation import Approximation
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.exploration import Explore
from mcusim.experiment.tables import General
from mcusim.graph import Graph
from mcusim.line import scheduled, tuned
from mcusim.line.bench import Bench
from mcusim.line.case import run_case
from mcusim.line.ready import Setting
from mcusim.line.watcher import Silent
from mcusim.models.source import Source
from mcusim.reports.report import Run
from mcusim.system.arrays import Array
from mcusim.training.settings import TrainingSettings, TuningSettings
from mcusim.training.surrogate import with_weights
from mcusim.training.tuning import Lesson
from tests.graphs import Builder
from tests.lines import CLASSES, FakeStages, RememberedGraph, dataset, experiment
from tests.lines import stages as stages  # noqa: PLC0414  (a fixture)

TUNING = TuningSettings(epochs=3)


@pytest.fixture
def lessons(stages: FakeStages, monkeypatch: pytest.MonkeyPatch) -> list[Lesson]:
    """Of each tuning, which leaves twice the weights behind. Models have eight channels that can go."""
    builder = Builder((4,), seed=1)
    builder.dense(8, activation="relu")
    builder.dense(CLASSES)
    model = RememberedGraph(**vars(builder.graph()))
    stages.read_model = lambda path, name: Source(model)
    seen: list[Lesson] = []

    def fake(graph: Graph, exact: Graph, lesson: Lesson, *_: Any) -> tuple[Graph, str]:
        seen.append(lesson)
        own = {one.name: (2 * one.weights["kernel"], one.weights["bias"]) for one in graph if one.weights}
        return with_weights(graph, own), f"tuning {len(seen)}"

    monkeypatch.setattr(tuned, "tuned", fake)
    return seen


def chosen(folder: Path, channels: float = 0.5, tuning: TuningSettings | None = TUNING, **changes: Any) -> Experiment:
    approximation = Approximation(channels=channels, dead_channels=False, tuning=tuning)
    return experiment(folder, "a").model_copy(update={"approximations": (approximation,), **changes})


def run(one: Experiment, folder: Path, **setting: Any) -> Run:
    return run_case(Setting(one, folder, **setting), next(one.cases()), Bench(Silent())).run


def test_a_second_run_finds_it(lessons: list[Lesson], tmp_path: Path) -> None:
    first, second = (run(chosen(tmp_path), tmp_path / "out") for _ in range(2))
    plain = run(chosen(tmp_path, tuning=None), tmp_path / "out")
    assert len(lessons) == 1 and "tuning 1" in first.notes and first.error is None
    assert (second.notes, second.kernels_sha256, second.accuracy) == (first.notes, first.kernels_sha256, first.accuracy)
    assert (first.tuning, plain.tuning) == ("3 epochs from 0.001", "") and "tuning 1" not in plain.notes


@pytest.mark.parametrize(
    "change",
    [
        {"tuning": TUNING.model_copy(update={"learning_rate": 0.1})},
        {"channels": 0.25},
        {"general": General(name="test", seed=4)},
        {"explore": Explore(validation=0.3)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_the_weights_is_another_tuning(
    lessons: list[Lesson], tmp_path: Path, change: dict[str, Any]
) -> None:
    run(chosen(tmp_path), tmp_path / "out")
    assert "tuning 2" in run(chosen(tmp_path, **change), tmp_path / "out").notes


def test_so_are_other_samples_and_another_version(
    lessons: list[Lesson],
    stages: FakeStages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(chosen(tmp_path), tmp_path / "out")
    data = dataset()
    stages.load_dataset = lambda *_: replace(data, x_train=np.multiply(0.5, data.x_train, dtype=np.float32))
    run(chosen(tmp_path), tmp_path / "out")
    monkeypatch.setattr(tuned, "VERSION", "9.9")
    assert "tuning 3" in run(chosen(tmp_path), tmp_path / "out").notes


@pytest.mark.parametrize("content", [b"", b"nonsense", None], ids=["empty", "foreign", "cut off"])
def test_a_damaged_file_is_made_again(lessons: list[Lesson], tmp_path: Path, content: bytes | None) -> None:
    run(chosen(tmp_path), tmp_path / "out")
    [path] = (tmp_path / "out/models").glob(f"*{tuned.SUFFIX}")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] if content is None else content)
    assert "tuning 2" in run(chosen(tmp_path), tmp_path / "out").notes
    assert path.read_bytes() != whole and "tuning 2" in run(chosen(tmp_path), tmp_path / "out").notes


@pytest.mark.parametrize("training", [0.0, 0.3])
def test_what_is_held_out_is_never_learned_from(lessons: list[Lesson], tmp_path: Path, training: float) -> None:
    """By [training], or else by [explore]."""
    one = chosen(tmp_path, explore=Explore(validation=0.2))
    model = one.models[0].model_copy(update={"training": TrainingSettings(validation=training)})
    run(one.model_copy(update={"models": (model,)}), tmp_path / "out")
    [lesson] = lessons
    assert len(lesson.x) + len(lesson.unseen) == 40 and abs(len(lesson.unseen) - 40 * (training or 0.2)) <= 2
    assert not rows(lesson.x) & rows(lesson.unseen) and lesson.answers == "classes"


def rows(x: Array) -> set[bytes]:
    return {row.tobytes() for row in x}


def test_nothing_left_out_is_nothing_to_tune(lessons: list[Lesson], tmp_path: Path) -> None:
    assert run(chosen(tmp_path, channels=0), tmp_path / "out").error is None
    assert not lessons


def test_with_labels_the_exact_network_learns_as_long(lessons: list[Lesson], tmp_path: Path) -> None:
    """It shows what is gained by training alone."""
    labelled = TUNING.model_copy(update={"labels": 0.3})
    made = run(chosen(tmp_path, channels=0, tuning=labelled), tmp_path / "out")
    [lesson] = lessons
    assert made.error is None and made.tuning == "3 epochs from 0.001, labels 0.3"
    assert lesson.y is not None and len(lesson.y) == len(lesson.x) and lesson.share == 0.3


def test_labels_that_are_not_there(lessons: list[Lesson], stages: FakeStages, tmp_path: Path) -> None:
    data = dataset()
    stages.load_dataset = lambda *_: replace(data, y_train=None)
    error = run(chosen(tmp_path, tuning=TUNING.model_copy(update={"labels": 0.3})), tmp_path / "out").error
    assert error and "labels = 0.3 needs class labels" in error.message and not lessons


def test_who_must_not_train_is_told(lessons: list[Lesson], tmp_path: Path) -> None:
    error = run(chosen(tmp_path), tmp_path / "out", may_train=False).error
    assert error and "have not been tuned" in error.message and error.hint == "mcusim run tunes them"
    run(chosen(tmp_path), tmp_path / "out")
    assert run(chosen(tmp_path), tmp_path / "out", may_train=False).error is None


def test_it_is_tuned_before_shards_are_run(lessons: list[Lesson], tmp_path: Path) -> None:
    """Whose workers must not train."""
    scheduled._train(Setting(chosen(tmp_path), tmp_path / "out"), Silent())
    assert run(chosen(tmp_path), tmp_path / "out", may_train=False).error is None and len(lessons) == 1


def test_a_folder_that_cannot_be_written_is_told(lessons: list[Lesson], tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    error = run(chosen(tmp_path), tmp_path / "out", models=tmp_path / "models").error
    assert error and error.kind == "ConfigurationError" and "cannot write" in error.message


def test_channels_go_in_steps_with_a_tuning_behind_each(lessons: list[Lesson], tmp_path: Path) -> None:
    """Until as many are gone as would be at once; a second run finds all of them."""
    stepwise = TUNING.model_copy(update={"steps": 3})
    first, second = (run(chosen(tmp_path, channels=0.75, tuning=stepwise), tmp_path / "out") for _ in range(2))
    assert first.error is None and first.tuning == "3 steps of 3 epochs from 0.001"
    assert first.notes == second.notes and len(lessons) == 3
    told = [note for note in first.notes if note.startswith(("channels", "tuning"))]
    counts = ["2 of 8", "tuning 1", "4 of 8", "tuning 2", "6 of 8", "tuning 3"]
    assert all(one in note for one, note in zip(counts, told, strict=True))
    assert first.approximation == {"channels": {"dense_1": 6}}


def test_nothing_is_tuned_before_anything_is_gone(lessons: list[Lesson], tmp_path: Path) -> None:
    """A quarter of two of eight channels is none."""
    stepwise = TUNING.model_copy(update={"steps": 4})
    made = run(chosen(tmp_path, channels=0.25, tuning=stepwise), tmp_path / "out")
    assert made.error is None and made.approximation == {"channels": {"dense_1": 2}} and len(lessons) == 1
