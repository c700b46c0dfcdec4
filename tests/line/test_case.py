"""A case is a value, and its run a function of it: whatever ran before, and in whichever process."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterable
from pathlib import Path

import pytest

from mcusim.engines.engine import Execution, Job
from mcusim.engines.qemu.facts import FACTS as QEMU
from mcusim.experiment.case import Case
from mcusim.experiment.tables import Target
from mcusim.line.bench import Bench
from mcusim.line.case import run_case
from mcusim.line.part import Outcome
from mcusim.line.ready import Setting
from mcusim.line.watcher import Silent
from mcusim.pipeline import run
from mcusim.system.errors import EngineError
from tests.lines import FakeEngine, FakeStages, experiment
from tests.lines import stages as stages  # noqa: PLC0414  (a fixture)


def outcomes(setting: Setting, cases: Iterable[Case], bench: Bench) -> list[Outcome]:
    return [run_case(setting, case, bench) for case in cases]


def test_the_order_of_cases_changes_nothing(stages: FakeStages, tmp_path: Path) -> None:
    setting = Setting(experiment(tmp_path, "a", "b"), tmp_path / "out")
    cases = list(setting.experiment.cases())
    forward = outcomes(setting, cases, Bench(Silent()))
    backward = outcomes(setting, reversed(cases), Bench(Silent()))
    alone = [outcomes(setting, [case], Bench(Silent()))[0] for case in cases]
    assert [one.run for one in forward] == [one.run for one in reversed(backward)] == [one.run for one in alone]


def test_what_goes_to_another_process_and_comes_back_is_a_value(stages: FakeStages, tmp_path: Path) -> None:
    setting = Setting(experiment(tmp_path, "a"), tmp_path / "out")
    case = next(setting.experiment.cases())
    setting_there, case_there = pickle.loads(pickle.dumps((setting, case)))
    assert (setting_there, case_there) == (setting, case)
    back = pickle.loads(pickle.dumps(run_case(setting_there, case_there, Bench(Silent()))))
    assert back.run == run_case(setting, case, Bench(Silent())).run


def test_an_engine_is_opened_once_and_closed_at_the_end(stages: FakeStages, tmp_path: Path) -> None:
    setting = Setting(experiment(tmp_path, "a", "b"), tmp_path / "out")
    engine = stages.engine
    with Bench(Silent()) as bench:
        assert engine.opened == 0, "nobody has asked for it"
        assert len(outcomes(setting, setting.experiment.cases(), bench)) == engine.runs == 4
        assert (engine.opened, engine.closed) == (1, 0)
    assert (engine.opened, engine.closed) == (1, 1)


def test_an_engine_is_closed_after_a_bug(stages: FakeStages, tmp_path: Path) -> None:
    def trouble(number: int) -> None:
        raise ZeroDivisionError

    stages.engine.trouble = trouble
    with pytest.raises(ZeroDivisionError):
        run(experiment(tmp_path), tmp_path / "out", Silent())
    assert (stages.engine.opened, stages.engine.closed) == (1, 1)


def test_a_hang_while_it_is_timed_ends_as_the_experiment_says(stages: FakeStages, tmp_path: Path) -> None:
    """`stall_s` is for every phase of a run."""
    seen: list[Job] = []

    class Timed(FakeEngine):
        def run(self, job: Job) -> Execution:
            seen.append(job)
            raise EngineError("no answer")

    stages.engine = Timed(FACTS=dataclasses.replace(QEMU, name="host"))
    target = Target(engine="host", boards=("nucleo_l452re_p",), stall_s=7.5, jobs=1)
    setting = Setting(experiment(tmp_path, target=target), tmp_path / "out")
    case = dataclasses.replace(next(setting.experiment.cases()), board="nucleo_l452re_p")
    outcome = run_case(setting, case, Bench(Silent()))
    assert outcome.run.error and [(job.profile, job.stall_s) for job in seen] == [(True, 7.5)]
