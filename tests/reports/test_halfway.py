"""A run that failed halfway: the report keeps its figures, and nobody tells them as those of a whole one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcusim.comparison.hold import hold
from mcusim.comparison.limits import read_limit
from mcusim.reports import FORMATS, render
from mcusim.reports.measured import pairs
from mcusim.reports.report import Report, Run, RunError
from mcusim.timing.timing import HOW, MEASURED
from tests.line.test_budgets import check
from tests.reports.reports import empty_report, good_run, timed
from tests.reports.test_to_console import shown

SCORE = 0.87654321


def halfway() -> Run:
    error = RunError("EngineError", "the serial port went away", "/dev/ttyACM0", "is the cable plugged in?")
    whole = timed(good_run("half"))
    assert whole.cycles
    measured = replace(whole.cycles, how=MEASURED)
    return replace(
        whole,
        engine="serial",
        samples=283,
        complete=False,
        accuracy=SCORE,
        scores={"f1": SCORE},
        cycles=measured,
        error=error,
    )


def report() -> Report:
    whole = timed(good_run("half"))
    assert whole.cycles
    whole = replace(whole, id="whole", cycles=replace(whole.cycles, how=HOW))
    budgets = check(halfway(), {"accuracy_min": 0.5, "latency_ms_max": 1000.0})
    return replace(empty_report(), complete=True, runs=(whole, halfway()), checks=budgets)


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_tells_its_score(name: str) -> None:
    text = render(report(), name)
    assert "87.65" not in text and "0.8765" not in text
    if name not in ("badge", "metrics"):
        assert "the serial port went away" in text


def test_the_console_tells_how_many_samples_are_kept() -> None:
    text = shown(report())
    assert "87.65" not in text and "failed: half, int8" in text and "after 283 samples" in text


def test_no_budget_passes_and_nothing_is_held_against_it() -> None:
    assert not any(one.passed for one in report().checks) and report().exit_code == 6
    [held] = hold(good_run("half"), halfway(), {"accuracy": read_limit("accuracy", "1pt")})
    assert not held.passed
    assert not list(pairs(report().runs)), "the model is not judged by it"


def test_it_is_read_again() -> None:
    text = report().to_json()
    [_, again] = Report.from_json(text).runs
    assert again.samples == 283 and again.accuracy == SCORE and again.failed_halfway
