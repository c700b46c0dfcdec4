"""An exploration from its file to its front: the same however often it is begun, and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mcusim.explore import explore, workers
from mcusim.explore.evaluate import Task, learned
from mcusim.explore.exploration import EXPLORATION, Exploration
from mcusim.explore.explore import Explorer, explorations, files_of, task_of
from mcusim.explore.point import Point
from mcusim.explore.save import save
from mcusim.explore.store import EVALUATIONS, Store
from mcusim.explore.workers import Here
from mcusim.line.watcher import Silent
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.system.toml_file import read_toml
from tests.explore.exploring import opened, write
from tests.explore.test_evaluate import convolutions

ESTIMATE = 'fidelity = "estimate"\nobjectives = ["accuracy", "latency_ms", "rom_bytes"]'


class Counted(Here):
    """Ends like a killed process after `most` evaluations."""

    def __init__(self, most: int = 1000) -> None:
        self.tasks: list[Task] = []
        self.most = most

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Point]]:
        for task, point in super().run(tasks):
            if len(self.tasks) == self.most:
                raise KeyboardInterrupt
            self.tasks.append(task)
            yield task, point


def explored(path: Path, out: Path, counted: Counted | None = None) -> Exploration:
    experiment, _ = opened(path)
    *_, last = explorations(experiment, read_toml(path)[0], out, counted or Counted(), Silent())
    return last


def told(found: Exploration) -> dict[str, object]:
    return {name: value for name, value in vars(found).items() if name not in ("started", "wall_s", "reused")}


@pytest.mark.parametrize("tunes", [False, True])
def test_points_are_tuned_only_where_it_is_asked_for(tmp_path: Path, tunes: bool) -> None:
    """Minutes of each; what is frozen has it in its file."""
    path = write(tmp_path, "tuning = true" if tunes else "")
    path.write_text(f"{path.read_text()}[approximation]\nchannels = 2\n[approximation.tuning]\nepochs = 1\n")
    experiment, space = opened(path)
    task = task_of(experiment, space, tmp_path, space.base, "estimate", ())
    assert ("tuning" in task.tables["approximation"]) is tunes and task.tables["approximation"]["channels"] == 2
    assert "[approximation.tuning]" in save(experiment, space, Point(space.base, {}), tmp_path / "saved").read_text()


def test_every_point_has_its_figures_and_the_best_are_the_front(tmp_path: Path) -> None:
    found = explored(write(tmp_path, ESTIMATE), tmp_path / "out")
    assert found.complete and found.search == "grid" and found.evaluations == len(found.points) == 6
    assert not found.failed and found.front
    assert {"accuracy", "latency_ms", "rom_bytes", "ram_bytes", "cross_entropy"} <= set(found.points[0].figures)
    by = {tuple(point.chosen.values()): point.figures for point in found.points}
    assert by["int8", "plain"]["latency_ms"] >= by["int8", "auto"]["latency_ms"]
    assert json.loads((tmp_path / "out" / EXPLORATION).read_text())["front"][0]["genes"] == list(found.front[0].genes)


@pytest.mark.parametrize("most", [0, 1, 4])
def test_an_interrupted_exploration_goes_on_and_ends_the_same(tmp_path: Path, most: int) -> None:
    path = write(tmp_path, ESTIMATE)
    whole = explored(path, tmp_path / "whole")
    files = learned(tmp_path / "out")
    files.write("of a point", b"numbers")
    with pytest.raises(KeyboardInterrupt):
        explored(path, tmp_path / "out", Counted(most))
    assert files.read("of a point"), "who goes on would learn it again"
    rest = Counted()
    again = explored(path, tmp_path / "out", rest)
    assert len(rest.tasks) == 6 - most and again.reused == most
    assert told(again) == told(whole) and not files.path("").parent.exists()


@pytest.mark.parametrize("fidelity", ["test", "firmware"])
def test_a_line_of_something_else_is_evaluated_again(tmp_path: Path, fidelity: str) -> None:
    path, out = write(tmp_path, ESTIMATE), tmp_path / "out"
    first, kept = explored(path, out), out / EVALUATIONS
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    lines[0]["point"]["fidelity"] = fidelity
    kept.write_text("".join(json.dumps(line) + "\n" for line in lines))
    counted = Counted()
    assert told(explored(path, out, counted)) == told(first) and len(counted.tasks) == 1


def test_another_model_of_the_same_name_is_evaluated_again(tmp_path: Path) -> None:
    path, again = write(tmp_path, ESTIMATE), Counted()
    explored(path, tmp_path / "out")
    model = bytearray((tmp_path / "tiny.tflite").read_bytes())
    (tmp_path / "tiny.tflite").write_bytes(bytes(model) + b"\0" * 4)
    explored(path, tmp_path / "out", again)
    assert len(again.tasks) == 6


def test_a_model_of_an_axis_counts_too(tmp_path: Path) -> None:
    axes = '"model.file" = ["tiny.tflite", "other.tflite", "a\\u0000/b.tflite"]\n'
    path, again = write(tmp_path, ESTIMATE, axes), Counted()
    assert len(explored(path, tmp_path / "out").failed) == 2
    (tmp_path / "other.tflite").write_bytes((tmp_path / "tiny.tflite").read_bytes())
    assert len(explored(path, tmp_path / "out", again).failed) == 1 and len(again.tasks) == 3


def test_a_point_that_cannot_be_is_told_and_no_more(tmp_path: Path) -> None:
    axes = '"quantization.data_type" = ["int8", "int16"]\n"quantization.scheme" = ["per-channel", "per-layer"]\n'
    found = explored(write(tmp_path, ESTIMATE, axes), tmp_path / "out")
    [failed] = found.failed
    assert failed.chosen == {"quantization.data_type": "int16", "quantization.scheme": "per-channel"}
    assert failed.error and "per-channel" in failed.error.message and len(found.points) == 4


def test_a_point_that_lacks_an_objective_is_none(tmp_path: Path) -> None:
    """Such as a model of another task among several."""
    path = write(tmp_path, ESTIMATE)
    explored(path, tmp_path / "out")
    kept = tmp_path / "out" / EVALUATIONS
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    del lines[-1]["point"]["figures"]["latency_ms"]
    kept.write_text("".join(json.dumps(line) + "\n" for line in lines))
    [failed] = explored(path, tmp_path / "out").failed
    assert failed.error and failed.error.message == "it has no latency_ms" and not failed.figures


def test_a_base_that_cannot_be_ends_it(tmp_path: Path) -> None:
    axes = '"quantization.data_type" = ["int16", "int8"]\n"quantization.scheme" = ["per-channel", "per-layer"]\n'
    with pytest.raises(ConfigurationError, match="the base, of the first values of all axes, cannot be"):
        explored(write(tmp_path, ESTIMATE, axes), tmp_path / "out")


def test_what_ends_it_keeps_its_kind(tmp_path: Path) -> None:
    """And so its exit code: of a data set, not of the experiment."""
    path = write(tmp_path, ESTIMATE)
    arrays = dict(np.load(tmp_path / "data.npz"))
    np.savez(tmp_path / "data.npz", **{**arrays, "x_test": arrays["x_train"], "y_test": arrays["y_train"]})
    with pytest.raises(DataError, match=r"cannot be: data set 'data': .* are in the test set, too") as told:
        explored(path, tmp_path / "out")
    assert told.value.hint and told.value.exit_code == 3
    path.write_text(path.read_text().replace("validation = 0.5", "validation = 0.001"))
    with pytest.raises(ConfigurationError, match="0 to validate on") as of_share:
        explored(path, tmp_path / "out")
    assert of_share.value.where == "[explore]"


def test_budgets_of_single_runs_are_told_as_unasked(tmp_path: Path) -> None:
    path = write(tmp_path, ESTIMATE, '"target.kernels" = ["auto", "plain"]\n')
    path.write_text(path.read_text() + '[[expect_for]]\nboard = "nucleo_l452re_p"\nrom_bytes_max = 1\n')
    assert (
        "[[expect_for]] was asked of no point: an exploration keeps the budgets of [expect]"
        in explored(path, tmp_path / "out").notes
    )


def test_budgets_that_nothing_keeps_name_the_nearest_point(tmp_path: Path) -> None:
    path = write(tmp_path, ESTIMATE)
    path.write_text(path.read_text() + "[expect]\nrom_bytes_max = 10\n")
    found = explored(path, tmp_path / "out")
    least = min(found.points, key=lambda point: point.figures["rom_bytes"])
    assert found.missed == ("rom_bytes_max",)
    assert not found.front and found.nearest and found.nearest.figures["rom_bytes"] == least.figures["rom_bytes"]


def test_an_axis_without_effect_is_told(tmp_path: Path) -> None:
    axes = '"target.timing_samples" = [10, 20]\n"quantization.data_type" = ["int8", "int16"]\n'
    found = explored(write(tmp_path, ESTIMATE, axes), tmp_path / "out")
    assert [note for note in found.notes if "no effect" in note] == [
        "axis 'target.timing_samples' had no effect: its values give the same firmware"
    ]


def test_an_axis_of_tuning_wants_points_tuned(tmp_path: Path) -> None:
    path, space_of_keys = tmp_path / "exp.toml", '"approximation.tuning.epochs" = [1, 2]\n'
    convolutions(tmp_path)
    path.write_text(path.read_text().replace('"target.code_in_ram" = [false, true]\n', space_of_keys))
    path.write_text(path.read_text().replace("[explore]\n", f"[explore]\n{ESTIMATE}\n"))
    notes = explored(path, tmp_path / "out").notes
    assert "axis 'approximation.tuning.epochs' had no effect: [explore] tuning = true tunes points" in notes


@pytest.mark.parametrize("second", ["int61", 8])
def test_a_value_that_no_point_can_have_is_told_with_what_was_meant(tmp_path: Path, second: object) -> None:
    axes = f'"quantization.data_type" = ["int8", {json.dumps(second)}]\n"target.kernels" = ["auto", "plain"]\n'
    found = explored(write(tmp_path, ESTIMATE, axes), tmp_path / "out")
    [note] = [note for note in found.notes if "can be" in note]
    assert note.startswith(f"axis 'quantization.data_type': no point with {second!r} can be: ") and note.endswith(")")


def test_limits_of_figures_that_points_do_not_have_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, ESTIMATE, '"target.kernels" = ["auto", "plain"]\n')
    path.write_text(path.read_text() + "[expect]\nrmse_max = 0.1\nrom_bytes_max = 100000\n")
    assert [note for note in explored(path, tmp_path / "out").notes if "[expect]" in note] == [
        "rmse_max in [expect] was asked of no point: they have no such figure"
    ]
    base = Point((), {}, figures={"rom_bytes": 1.0})
    with pytest.raises(ConfigurationError, match="no accuracy to drop"):
        explore._demand_figures(base, ["rom_bytes"], "1pt")


def test_an_objective_that_no_point_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="points have no rmse"):
        explored(write(tmp_path, 'fidelity = "estimate"\nobjectives = ["rmse"]'), tmp_path / "out")


def test_trouble_of_a_machine_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcusim.reports.report import RunError

    path, lost = write(tmp_path, ESTIMATE), RunError("EngineError", "lost", None, None)
    experiment, space = opened(path)
    real = workers.evaluate

    def evaluate(task: Task) -> Point:
        return real(task) if task.genes == space.base else Point(task.genes, task.chosen, error=lost)

    monkeypatch.setattr(workers, "evaluate", evaluate)
    assert len(explored(path, tmp_path / "out").failed) == 5
    assert len((tmp_path / "out" / EVALUATIONS).read_text().splitlines()) == 1
    monkeypatch.setattr(workers, "evaluate", real)
    assert not explored(path, tmp_path / "out").failed and experiment


def test_a_point_that_cannot_be_costs_no_other_of_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = '"quantization.data_type" = ["int8", "int16"]\n"quantization.scheme" = ["per-channel", "per-layer"]\n'
    experiment, space = opened(write(tmp_path, ESTIMATE, axes))
    explorer = Explorer(experiment, space, tmp_path / "out", Here(), Silent(), Store(tmp_path / "out" / EVALUATIONS))
    trained: list[tuple[int, ...]] = []

    def train(task: Task, _: object) -> bool:
        trained.append(task.genes)
        return task.genes != (1, 0)

    monkeypatch.setattr(explore, "train", train)
    first, second, third = explorer.all([(1, 0), (0, 0), (1, 1)], "estimate")
    assert first.error and not second.error and not third.error
    assert trained == [(1, 0), (0, 0)], "a model that was never trained, or twice"


def test_what_lies_beside_a_model_counts_and_the_experiment_itself_does_not(tmp_path: Path) -> None:
    path = write(tmp_path, ESTIMATE).rename(tmp_path / "tiny.toml")
    before = files_of(opened(path)[0])
    path.write_text(path.read_text() + "# another word\n")
    assert files_of(opened(path)[0]) == before
    (tmp_path / "tiny.weights").write_bytes(b"1")
    assert files_of(opened(path)[0]) != before
