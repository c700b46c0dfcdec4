"""Explorations in virtual time: what can be known by hand, and that all that is measured is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.explore.exploring import write
from tools import explore_scaling
from tools.explore_scaling import Costs, main, simulated

FREE = Costs((1.0,), 0.0, 0.0)


@pytest.mark.parametrize(
    ("workers", "population", "wall_s", "computing"),
    [(1, 16, 64.0, 1.0), (16, 16, 4.0, 1.0), (64, 64, 1.0, 1.0), (64, 16, 4.0, 0.25), (12, 16, 8.0, 64 / 96)],
)
def test_a_generation_waits_for_its_last_task(workers: int, population: int, wall_s: float, computing: float) -> None:
    found = simulated([1.0] * 64, workers, population, FREE, 0.0)
    assert found.wall_s == pytest.approx(wall_s) and found.computing == pytest.approx(computing)
    assert found.barrier == pytest.approx(1 - computing)


def test_the_scheduler_sends_one_task_after_the_other() -> None:
    found = simulated([1.0] * 64, 64, 64, Costs((1.0,), 0.0, 0.5), 0.0)
    assert found.wall_s == pytest.approx(64 * 0.5 + 1.0)


def test_search_and_start_are_paid_by_all() -> None:
    found = simulated([1.0] * 4, 2, 2, Costs((1.0,), 3.0, 0.0), 0.25)
    assert found.wall_s == pytest.approx(2 * 0.5 + (1 + 3) + 1)
    assert found.starting == pytest.approx(2 * 3.0 / (2 * found.wall_s)) and found.serial == pytest.approx(1 / 6)


def test_no_share_is_less_than_nothing() -> None:
    tasks_s = list(np.random.default_rng(0).exponential(1.0, 100))
    for workers in (1, 3, 64):
        found = simulated(tasks_s, workers, 16, Costs((1.0,), 2.0, 0.01), 0.01)
        assert min(found.computing, found.starting, found.serial) >= 0
        assert found.computing + found.starting + found.serial <= 1 + 1e-9


def test_an_experiment_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    pytest.importorskip("optuna")
    monkeypatch.setattr(explore_scaling, "NULL_TASKS", 20)
    monkeypatch.setattr(explore_scaling, "POPULATIONS", (2,))
    assert main([str(write(tmp_path)), "--points", "2", "--evaluations", "4"]) == 0
    first, second, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("measured: a task ") and "2 points" in first and "scheduler" in first
    assert "search" in second and len(rows) == len(explore_scaling.WORKERS)
    assert "efficiency 100.0 %" in rows[0] and " 0.0 ms" not in first
