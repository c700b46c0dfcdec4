"""A cluster's report is that of one process, but for times; what is in the way of its workers is told as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcusim.experiment.tables import Expect
from mcusim.line import scheduled
from mcusim.line.watcher import Silent
from mcusim.pipeline import BEFORE, run
from mcusim.reports.report import Report
from mcusim.system.cluster import Cluster, cluster
from mcusim.system.errors import EngineError, MissingToolError
from tests.line.test_merge import without_times, wrong_now_and_then
from tests.lines import FakeEngine, experiment
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414

distributed = pytest.importorskip("distributed")


@pytest.fixture
def three() -> Iterator[Cluster]:
    """Threads of this process, so that they have its engine."""
    choices: Any = {"processes": False, "dashboard_address": None, "silence_logs": 50}
    with (
        distributed.LocalCluster(n_workers=3, threads_per_worker=1, **choices) as made,
        cluster(made.scheduler_address, 1, lambda: None) as there,
    ):
        yield there


class Alone:
    """A cluster of two workers, of which each task comes to `result`."""

    able = ("one", "two")

    def __init__(self, result: Any) -> None:
        self.result = result

    def each(self, _: object, tasks: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
        return iter([(task, self.result) for task in tasks.values()])


def test_its_report_is_that_of_one_process(engine: FakeEngine, tmp_path: Path, three: Cluster) -> None:
    engine.answer = wrong_now_and_then
    chosen = experiment(tmp_path, "a", "b", expect=Expect(accuracy_min=0.99, mismatches_max=0))
    whole = run(chosen, tmp_path / "whole", Silent())
    [found] = scheduled.reports(chosen, tmp_path / "out", Silent(), three)
    assert without_times(found) == without_times(whole) and found.exit_code == 7
    assert Report.read(tmp_path / "out" / "report.json") == found
    assert len(list((tmp_path / "out" / scheduled.SHARDS).iterdir())) == 3
    [again] = scheduled.reports(chosen, tmp_path / "out", Silent(), three)
    assert without_times(again) == without_times(whole) and (tmp_path / "out" / BEFORE).is_file()


def test_what_is_in_the_way_of_all_runs_is_told_as_it_is(
    engine: FakeEngine, tmp_path: Path, three: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = MissingToolError("arm-none-eabi-gcc was not found", hint="install it")
    monkeypatch.setattr(FakeEngine, "missing", lambda _: missing)
    with pytest.raises(MissingToolError, match="arm-none-eabi-gcc") as caught:
        list(scheduled.reports(experiment(tmp_path, "a"), tmp_path / "out", Silent(), three))
    assert "install it" in (caught.value.hint or "")


@pytest.mark.parametrize(("result", "told"), [(None, "was lost, again and again"), ((), "its report is not here")])
def test_a_shard_that_is_not_there(engine: FakeEngine, tmp_path: Path, result: Any, told: str) -> None:
    there: Any = Alone(result)
    with pytest.raises(EngineError, match=told) as caught:
        list(scheduled.reports(experiment(tmp_path, "a"), tmp_path / "out", Silent(), there))
    assert caught.value.hint and "1-of-2" in (caught.value.where or "")
