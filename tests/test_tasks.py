"""Each task from a user's `.npz` to the report: small models, on the host engine, held against scikit-learn."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim import pipeline
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import DatasetChoice, Expect, Model, TaskChoice
from mcusim.graph import Graph
from mcusim.line import bench
from mcusim.line.float_proof import Proved
from mcusim.line.stages import Stages
from mcusim.line.watcher import Silent
from mcusim.models.source import Source
from mcusim.reports.report import Report, Run
from mcusim.reports.to_console import show
from mcusim.reports.to_junit import render as to_junit
from mcusim.system.arrays import Array
from tests.graphs import Builder
from tests.lines import experiment

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="the host engine needs gcc")
FLOAT = (Quantization(data_type="float32"),)
BOTH = (*FLOAT, Quantization(data_type="int8"))
X = np.random.default_rng(5).normal(size=(60, 4)).astype(np.float32)


def dense(units: int, end: str | None = None) -> Graph:
    """4 inputs; a Dense layer that is told in `WEIGHTS`, and what follows."""
    builder = Builder((4,), seed=2)
    builder.add("Dense", units=units, arrays=(builder.weights(4, units, fan_in=4), np.full(units, 0.1, np.float32)))
    if end:
        builder.add(end)
    return builder.graph()


def answers(graph: Graph) -> Array:
    return graph.run(X)


class Line:
    """Runs a graph on arrays that a user might have, in float32 and int8."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, monkeypatch

    def report(self, graph: Graph, arrays: dict[str, Any] | None, **tables: Any) -> Report:
        self.patch.setattr(
            bench,
            "STAGES",
            Stages(
                read_model=lambda path, name: Source(replace(graph, name=name)),
                start_proof=lambda *_: lambda: Proved(reason="the file is empty"),
            ),
        )
        (self.folder / "m.keras").touch()
        chosen: dict[str, Any] = {"quantizations": FLOAT, "models": (Model(name="m", file=self.folder / "m.keras"),)}
        if arrays is not None:
            np.savez(self.folder / "data.npz", **arrays)
        chosen["dataset"] = DatasetChoice(file="data.npz") if arrays is not None else DatasetChoice()
        return pipeline.run(experiment(self.folder, **{**chosen, **tables}), self.folder / "out", Silent())

    def runs(self, graph: Graph, arrays: dict[str, Any] | None, **tables: Any) -> tuple[Run, ...]:
        """Of which no one failed."""
        report = self.report(graph, arrays, **tables)
        assert [run.error for run in report.runs] == [None] * len(report.runs)
        assert all(run.mismatches == 0 and run.complete for run in report.runs)
        return report.runs


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(tmp_path, monkeypatch)


def test_regression(line: Line) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    graph, noise = dense(1), np.random.default_rng(0).normal(0, 0.1, 60)
    wanted = answers(graph)[:, 0] + noise
    of_float, of_int8 = line.runs(
        graph, {"x_train": X, "x_test": X, "y_test": wanted.astype(np.float32)}, quantizations=BOTH
    )
    assert of_float.task == "regression" and of_float.accuracy is None and of_float.accuracy_float is None
    assert of_float.scores["mae"] == pytest.approx(np.abs(noise).mean(), rel=1e-5)
    assert of_float.scores["r2"] == pytest.approx(metrics.r2_score(wanted, answers(graph)), abs=1e-6)
    assert of_int8.scores_float == of_float.scores_float and of_float.scores_float["mae"] == pytest.approx(
        of_float.scores["mae"]
    )
    assert of_int8.scores["mae"] is not None and of_int8.scores["mae"] != of_float.scores["mae"]
    assert any("guessed to be 'regression'" in note for note in of_float.notes)


def test_a_softmax_whose_numbers_are_scored_is_kept(line: Line) -> None:
    """Dropped, the error would be that of the logits."""
    graph = dense(3, "Softmax")
    of_float, of_int8 = line.runs(graph, {"x_train": X, "x_test": X, "y_test": answers(graph)}, quantizations=BOTH)
    assert of_float.scores["mae"] == pytest.approx(0, abs=1e-6) and of_int8.scores["mae"] == pytest.approx(0, abs=0.02)
    assert [layer.kind for layer in of_float.layers] == ["Dense", "Softmax"]
    (of_classes,) = line.runs(graph, {"x_train": X, "x_test": X, "y_test": answers(graph).argmax(axis=1)})
    assert of_classes.accuracy == 1.0 and [layer.kind for layer in of_classes.layers] == ["Dense"]


def test_one_logit(line: Line) -> None:
    graph = dense(1)
    logits = answers(graph)[:, 0]
    arrays = {"x_train": X, "x_test": X, "y_test": (logits > 0).astype(np.float32)}
    (of_float,) = line.runs(graph, arrays)
    assert of_float.task == "classification" and of_float.accuracy == 1.0
    assert of_float.confusion == ((int((logits <= 0).sum()), 0), (0, int((logits > 0).sum())))
    assert any("taken for a logit, is above 0 " in note for note in of_float.notes)
    (of_float,) = line.runs(graph, arrays, task=TaskChoice(threshold=1.0))
    assert of_float.accuracy == pytest.approx(1 - np.mean((logits > 0) & (logits <= 1)))
    assert of_float.classes[1].recall == pytest.approx(np.mean(logits[logits > 0] > 1))


@pytest.mark.parametrize("how", ["numbers", "one-hot", "names", "from 1", "floats", "column"])
def test_labels_of_any_form_give_the_same_scores(line: Line, how: str) -> None:
    graph = dense(3)
    truth = np.where(np.arange(60) % 5 == 0, 0, answers(graph).argmax(axis=1))
    y = {
        "numbers": truth.astype(np.uint8),
        "one-hot": np.eye(3)[truth],
        "names": np.array(["a", "b", "c"])[truth],
        "from 1": truth + 1,
        "floats": truth.astype(np.float64),
        "column": truth[:, None],
    }[how]
    (run,) = line.runs(graph, {"x_train": X, "x_test": X, "y_test": y}, task=TaskChoice(top_k=2))
    decided = answers(graph).argmax(axis=1)
    assert run.accuracy == run.accuracy_float == pytest.approx(np.mean(decided == truth))
    assert [entry.recall for entry in run.classes] == [np.mean(decided[truth == one] == one) for one in range(3)]
    assert [entry.name for entry in run.classes] == (["a", "b", "c"] if how == "names" else ["0", "1", "2"])
    assert run.scores["top_k_accuracy"] is not None and run.scores["top_k_accuracy"] > run.accuracy


def test_anomalies(line: Line) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    graph = dense(4)
    odd = (np.arange(60) % 3 == 0).astype(np.int64)
    errors = np.mean((answers(graph) - X) ** 2, axis=1)
    of_float, of_int8 = line.runs(graph, {"x_train": X, "x_test": X, "y_test": odd}, quantizations=BOTH)
    assert of_float.task == "anomaly" and of_float.scores["score_correlation"] == pytest.approx(1.0)
    assert of_float.scores["auc"] == pytest.approx(metrics.roc_auc_score(odd, errors))
    assert of_float.scores["pauc"] == pytest.approx(metrics.roc_auc_score(odd, errors, max_fpr=0.1))
    assert of_float.scores["anomaly_score_mean"] == pytest.approx(errors.mean(), rel=1e-5)
    assert of_int8.scores_float["auc"] == pytest.approx(of_float.scores["auc"])
    correlation = of_int8.scores["score_correlation"]
    assert correlation is not None and 0.9 < correlation < 1.0 and "score_correlation" not in of_int8.scores_float
    (unlabelled,) = line.runs(graph, {"x_train": X, "x_test": X})
    assert unlabelled.task == "anomaly" and "auc" not in unlabelled.scores


def test_test_samples_alone(line: Line) -> None:
    """Enough for float32. An integer type says what else it needs."""
    report = line.report(dense(3), {"x_test": X}, quantizations=BOTH)
    of_float, of_int8 = report.runs
    assert (of_float.task, of_float.scores, of_float.error, of_float.mismatches) == ("none", {}, None, 0)
    assert of_int8.error is not None and of_int8.error.kind == "DataError" and "x_train" in (of_int8.error.hint or "")
    assert any("guessed to be 'none': there are no labels" in note for note in of_float.notes)


def test_without_any_data(line: Line) -> None:
    of_float, of_int8 = line.runs(dense(4), None, quantizations=BOTH)
    assert of_float.task == of_int8.task == "none" and of_float.samples == 100, (
        "not anomaly: scores of noise mean nothing"
    )
    assert "there is no data set: random samples" in of_float.notes[0] and of_int8.notes[0] == of_float.notes[0]
    told = "the scales of its integers fit random samples"
    assert told in of_int8.notes and told not in of_float.notes, "reals have none"


def test_what_is_said_is_not_guessed(line: Line) -> None:
    graph = dense(1)
    ages = np.rint(answers(graph)[:, 0] * 10).astype(int)
    (run,) = line.runs(graph, {"x_train": X, "x_test": X, "y_test": ages % 2}, task=TaskChoice(kind="regression"))
    assert run.task == "regression" and not any("guessed" in note for note in run.notes)


def test_samples_without_an_axis_of_one_channel(line: Line) -> None:
    builder = Builder((4, 4, 1))
    builder.conv(2, 3)
    builder.add("Flatten")
    images = np.random.default_rng(1).integers(0, 255, (9, 4, 4)).astype(np.uint8)
    arrays = {"train_images": images, "test_images": images, "test_labels": np.arange(9)[:, None] % 8}
    (of_float,) = line.runs(builder.graph(), arrays)
    assert "samples of shape (4, 4) are taken as (4, 4, 1)" in of_float.notes


BUDGETS: dict[str, tuple[int, Any, dict[str, float], set[str]]] = {
    "regression": (1, np.full(60, 0.5), {"mae_max": 1e-6, "rmse_max": 1e6, "r2_min": 0.99}, {"mae_max", "r2_min"}),
    "classification": (
        3,
        np.arange(60) % 3,
        {"recall_min": 0.9, "f1_min": 0.9, "balanced_accuracy_min": 0.01, "top_k_min": 0.0},
        {"recall_min", "f1_min", "top_k_min"},
    ),
    "anomaly": (4, np.arange(60) % 2, {"auc_min": 0.999, "pauc_min": 0.01}, {"auc_min"}),
    "none": (2, None, {"mismatches_max": 0, "accuracy_min": 0.1}, {"accuracy_min"}),
}


@pytest.mark.parametrize("task", BUDGETS)
def test_budgets_of_each_task_and_its_table(line: Line, task: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A budget on a figure that the run has not is broken: nobody asked for top-k. The table fits a terminal."""
    from rich.console import Console

    units, y, limits, broken = BUDGETS[task]
    arrays = {"x_train": X, "x_test": X} | ({} if y is None else {"y_test": y})
    report = line.report(dense(units), arrays, expect=Expect(**limits), task=TaskChoice(kind=task))
    assert {check.name for check in report.broken} == broken and report.exit_code == 7
    again = Report.from_json(report.to_json())
    assert again.runs == report.runs
    for name, number in report.runs[0].scores.items():
        if number is not None:
            assert f'name="scores.{name}"' in to_junit(report), name
    show(again, Console(width=80))
    assert all(len(one) <= 80 for one in capsys.readouterr().out.splitlines())


def test_an_output_that_overflows_has_no_scores(line: Line) -> None:
    graph = dense(1)
    wide = X.copy()
    wide[7] = 3e38
    arrays = {"x_test": wide, "y_test": np.linspace(0, 1, 60)}
    run = line.report(graph, arrays, expect=Expect(mae_max=1.0)).runs[0]
    assert run.error is None and run.mismatches == 0
    assert run.scores["mae"] is None or np.isfinite(run.scores["mae"]), "NaN never reaches the report"
