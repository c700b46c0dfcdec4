"""Shards put together are the run of all, bit for bit; what is no whole is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import Expect, Target, TaskChoice
from mcusim.graph import Graph
from mcusim.line import bench, case, pictured
from mcusim.line.merge import merged
from mcusim.line.sharding import PART, Which, read_shard, spans
from mcusim.line.watcher import Silent
from mcusim.models.source import Source
from mcusim.pipeline import run
from mcusim.reports.report import Report, RunError
from mcusim.system.errors import ConfigurationError, DataError, EngineError, McusimError
from mcusim.system.validation import Unusable
from tests.graphs import Builder
from tests.lines import SAMPLES, FakeEngine, FakeStages, RememberedGraph, experiment
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414

TIMES = ("started", "wall_s", "emulated_mips")


def without_times(report: Report) -> Any:
    values = json.loads(report.to_json())
    for entry in (values, *values["runs"]):
        for key in TIMES:
            entry.pop(key, None)
    return values


def sharded(chosen: Experiment, out: Path, of: int) -> list[Path]:
    folders = [out / f"shard-{number}" for number in range(1, of + 1)]
    for number, folder in enumerate(folders, start=1):
        run(chosen, folder, Silent(), shard=Which(number, of))
    return folders


def changed(folder: Path, **values: Any) -> None:
    report = Report.read(folder / "report.json")
    replace(report, **values).write(folder / "report.json")


def of_runs(folder: Path, **values: Any) -> None:
    changed(folder, runs=tuple(replace(run, **values) for run in Report.read(folder / "report.json").runs))


# -- the cut -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cases", "samples", "of"), [(6, 360, 5), (1, 7, 3), (4, 40, 4), (2, 1, 5), (3, 10, 1)])
def test_every_sample_of_every_case_is_of_one_shard(cases: int, samples: int, of: int) -> None:
    found = [spans(cases, samples, Which(number, of)) for number in range(1, of + 1)]
    seen = [(case, at) for shard in found for case, span in shard for at in range(span.first, span.end)]
    assert seen == [(case, at) for case in range(cases) for at in range(samples)]
    sizes = [sum(span.end - span.first for _, span in shard) for shard in found]
    assert max(sizes) - min(sizes) <= 1
    parts = [sum(span.end - span.first < span.of for _, span in shard) for shard in found]
    assert max(parts) <= 2, "a case is made ready once where it can be"


@pytest.mark.parametrize(
    "text", ["0/5", "6/5", "x", "1/0", "", "1", "1/", "/5", "-1/5", "1/5/2", "²/5", "1/9999", "1/1e3"]
)
def test_a_shard_that_cannot_be(text: str) -> None:
    with pytest.raises(Unusable) as caught:
        read_shard(text)
    assert caught.value.hint


# -- the whole ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [1, 5])
def test_shards_together_are_the_whole(engine: FakeEngine, tmp_path: Path, of: int) -> None:
    """Also what their budgets came to, and answers that are wrong."""
    engine.answer = wrong_now_and_then
    chosen = experiment(tmp_path, "a", "b", expect=Expect(accuracy_min=0.99, mismatches_max=0))
    whole = run(chosen, tmp_path / "whole", Silent())
    together = merged(sharded(chosen, tmp_path, of), tmp_path / "merged")
    assert whole.runs[0].mismatches and whole.exit_code == 7
    assert without_times(together) == without_times(whole)
    assert Report.read(tmp_path / "merged" / "report.json") == together


def wrong_now_and_then(outputs: np.ndarray) -> np.ndarray:
    """By what is in them, not by where they stand."""
    found = outputs.copy()
    turned = (np.abs(outputs.astype(np.float64)).sum(axis=1) * 8 % 5).astype(int) == 0
    found[turned] = found[turned][:, ::-1]
    return found


def regression() -> Dataset:
    random = np.random.default_rng(3)
    x = random.normal(size=(SAMPLES, 4)).astype(np.float32)
    return Dataset("mine", x, random.normal(size=(SAMPLES, 3)), x, random.normal(size=(SAMPLES, 3)))


def anomalies() -> Dataset:
    random = np.random.default_rng(4)
    x = random.normal(size=(SAMPLES, 4)).astype(np.float32)
    return Dataset("mine", x, None, x, random.integers(0, 2, SAMPLES))


def many_labels() -> Dataset:
    random = np.random.default_rng(5)
    x, y = random.normal(size=(SAMPLES, 4)).astype(np.float32), random.integers(0, 2, (SAMPLES, 3))
    return Dataset("mine", x, y, x, y)


def dense(units: int) -> Callable[[str], Graph]:
    def graph(name: str) -> Graph:
        builder = Builder((4,), seed=2)
        weights = builder.weights(4, units, fan_in=4)
        builder.add("Dense", units=units, arrays=(weights, np.zeros(units, np.float32)))
        return RememberedGraph(**vars(builder.graph(name)))

    return graph


@pytest.mark.parametrize(
    ("kind", "made", "units", "score"),
    [
        ("regression", regression, 3, "r2"),
        ("anomaly", anomalies, 4, "auc"),
        ("multilabel", many_labels, 3, "label_accuracy"),
        ("none", regression, 3, None),
    ],
)
def test_every_task_has_the_scores_of_the_whole(
    stages: FakeStages, tmp_path: Path, kind: str, made: Callable[[], Dataset], units: int, score: str | None
) -> None:
    stages.load_dataset = lambda *_: made()
    stages.read_model = lambda path, name: Source(dense(units)(name))
    chosen = experiment(tmp_path, task=TaskChoice(kind=kind))
    whole = run(chosen, tmp_path / "whole", Silent())
    together = merged(sharded(chosen, tmp_path, 3), tmp_path / "merged")
    assert without_times(together) == without_times(whole)
    assert all(run.task == kind and not run.error for run in whole.runs)
    assert score is None or all(run.scores[score] is not None for run in together.runs)


def test_a_shard_is_not_judged_and_says_what_it_is_of(engine: FakeEngine, tmp_path: Path) -> None:
    chosen = experiment(tmp_path, expect=Expect(accuracy_min=1.0))
    report = run(chosen, tmp_path / "out", Silent(), shard=Which(2, 5))
    assert report.exit_code == 0 and not report.checks and report.complete and report.shard
    assert str(report.shard) == "shard 2/5" and [one.name for one in report.shard.budgets] == ["accuracy_min"]
    [entry] = report.runs
    assert entry.part and (entry.part.first, entry.part.end, entry.part.of) == (16, 32, SAMPLES)
    assert entry.samples == 16


def test_more_shards_than_samples(engine: FakeEngine, tmp_path: Path) -> None:
    chosen = experiment(tmp_path, target=Target(engine="host", jobs=1, samples=1))
    folders = sharded(chosen, tmp_path, 5)
    assert sum(not Report.read(folder / "report.json").runs for folder in folders) == 3
    together = merged(folders, tmp_path / "merged")
    assert without_times(together) == without_times(run(chosen, tmp_path / "whole", Silent()))


def test_a_part_that_failed_is_a_run_that_failed(engine: FakeEngine, tmp_path: Path) -> None:
    def trouble(number: int) -> None:
        if number == 2:
            raise EngineError("it hangs", where="sample 1", hint="wait")

    engine.trouble = trouble
    chosen = experiment(tmp_path, expect=Expect(accuracy_min=0.1))
    together = merged(sharded(chosen, tmp_path, 3), tmp_path / "merged")
    assert together.runs[0].error == RunError(
        "EngineError", "it hangs", "sample 1; samples count from 26 of 40", "wait"
    )
    assert not together.runs[1].error
    assert together.exit_code == 6 and together.runs[0].part is None
    assert [check.reason for check in together.checks if not check.passed] == ["the run failed: it hangs"]


def test_what_runs_left_beside_their_report_is_there(engine: FakeEngine, tmp_path: Path) -> None:
    folders = sharded(experiment(tmp_path), tmp_path, 2)
    for name in ("profile.json", "stacks.json"):
        (folders[0] / "a-float32-host" / name).write_text("{}")
    together, kept = merged(folders, tmp_path / "merged"), tmp_path / "merged" / "a-float32-host"
    assert (kept / "profile.json").read_text() == (kept / "stacks.json").read_text() == "{}"
    assert set(pictured.kept(kept)) == set(together.runs[0].worst_samples) != set()


# -- what is no whole --------------------------------------------------------------------------------------------------


Change = Callable[[list[Path]], list[Path]]


def after(change: Callable[[Path], object]) -> Change:
    def apply(folders: list[Path]) -> list[Path]:
        change(folders[1])
        return folders

    return apply


def swap(folders: list[Path]) -> list[Path]:
    """Parts of the same run, each where the report tells of the other."""
    one, other = (folder / "a-float32-host" / PART for folder in folders[:2])
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    return folders


def shard_of(folder: Path, **values: Any) -> None:
    shard = Report.read(folder / "report.json").shard
    assert shard
    changed(folder, shard=replace(shard, **values))


def first_run(folder: Path, **values: Any) -> None:
    first, *others = Report.read(folder / "report.json").runs
    changed(folder, runs=(replace(first, **values), *others))


def part(folder: Path) -> Path:
    return next(folder.glob(f"*/{PART}"))


NO_WHOLE: dict[str, tuple[Change, type[McusimError], str]] = {
    "missing": (lambda found: found[:1] + found[2:], ConfigurationError, "1 of 3 shards are missing: 2/3"),
    "doubled": (lambda found: [*found, found[0]], ConfigurationError, "two shards are of the same part: shard 1/3"),
    "absent": (lambda found: [*found, found[0] / "no"], ConfigurationError, "there is no report in"),
    "whole": (after(lambda one: changed(one, shard=None)), ConfigurationError, "this report is of no shard"),
    "interrupted": (after(lambda one: changed(one, complete=False)), ConfigurationError, "shard 2/3 is not complete"),
    "ended": (
        after(lambda one: changed(one, error=RunError("DataError", "no data"))),
        ConfigurationError,
        "shard 2/3 ended before its first run: no data",
    ),
    "version": (after(lambda one: changed(one, mcusim="9.9")), ConfigurationError, "was run by mcusim 9.9"),
    "experiment": (
        after(lambda one: shard_of(one, plan_sha256="0")),
        ConfigurationError,
        "shard 2/3 of 'test' is of another experiment than shard 1/3",
    ),
    "cut": (after(lambda one: shard_of(one, of=4)), ConfigurationError, "shard 2/4 and shard 1/3 are not cut alike"),
    "model": (
        after(lambda one: of_runs(one, model_sha256="0")),
        DataError,
        "shard 2/3 ran another model than shard 1/3",
    ),
    "data": (after(lambda one: of_runs(one, data_sha256="0")), DataError, "other test samples"),
    "engine": (after(lambda one: of_runs(one, engine_version="2")), EngineError, "another version of the engine"),
    "compiler": (after(lambda one: of_runs(one, compiler="2")), ConfigurationError, "another compiler"),
    "firmware": (after(lambda one: of_runs(one, elf_sha256="0")), ConfigurationError, "another firmware"),
    "swapped": (swap, DataError, "it is of another run than the report"),
    "lost": (after(lambda one: part(one).unlink()), ConfigurationError, "there is no 'shard.part' of shard 2/3"),
    "cut off": (after(lambda one: part(one).write_bytes(part(one).read_bytes()[:-9])), DataError, "cut off or damaged"),
    "foreign": (after(lambda one: part(one).write_bytes(b"mcusim 2 ")), DataError, "is not readable"),
    "ids": (after(lambda one: first_run(one, id="../x")), DataError, "not those that the other shards have left"),
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Shards of one experiment, for tests that copy them."""
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "STAGES", FakeStages(FakeEngine()))
        return sharded(experiment(folder), folder, 3)


@pytest.mark.parametrize("kind", NO_WHOLE)
def test_what_is_no_whole_is_refused(three: list[Path], tmp_path: Path, kind: str) -> None:
    """What, where, one thing to do; and nothing is written."""
    change, error, told = NO_WHOLE[kind]
    folders = change([copytree(one, tmp_path / one.name) for one in three])
    with pytest.raises(error) as caught:
        merged(folders, tmp_path / "merged")
    assert told in caught.value.what and caught.value.where and caught.value.hint
    assert not (tmp_path / "merged").exists()


def test_the_whole_does_not_take_the_place_of_a_shard(three: list[Path]) -> None:
    with pytest.raises(ConfigurationError, match="would take the place of shard 2/3"):
        merged(three, three[1])


def test_parts_of_two_runs_are_no_run(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where digests cannot tell: figures of the firmware that differ."""
    chosen = experiment(tmp_path)
    run(chosen, tmp_path / "1", Silent(), shard=Which(1, 3))
    original = case._of_model
    monkeypatch.setattr(case, "_of_model", lambda *args: replace(original(*args), arena_bytes=99))
    for number in (2, 3):
        run(chosen, tmp_path / str(number), Silent(), shard=Which(number, 3))
    with pytest.raises(ConfigurationError, match="shards differ in 'arena_bytes' of a, float32, host"):
        merged([tmp_path / str(number) for number in (1, 2, 3)], tmp_path / "merged")


def test_a_folder_of_shards_is_enough(three: list[Path], tmp_path: Path) -> None:
    assert len(merged([three[0].parent], tmp_path / "merged").runs) == 2
