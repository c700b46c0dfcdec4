"""A badge tells the worst that there is to tell."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mcusim.reports.report import Report
from mcusim.reports.to_badge import render
from tests.reports.reports import empty_report, full_report, good_run, hostile_report

GOOD = replace(full_report(), runs=(good_run(),), checks=full_report().checks[:1])
BROKEN = replace(full_report(), runs=full_report().runs[:3], checks=full_report().checks[:4])


@pytest.mark.parametrize(
    ("report", "message", "color"),
    [
        (GOOD, "1 of 1 budgets kept", "brightgreen"),
        (replace(GOOD, checks=()), "1 runs", "blue"),
        (BROKEN, "3 of 4 budgets broken", "red"),
        (full_report(), "1 of 4 runs failed", "red"),
        (empty_report(), "interrupted", "red"),
        (replace(empty_report(), error=full_report().runs[-1].error), "failed", "red"),
    ],
)
def test_a_badge(report: Report, message: str, color: str) -> None:
    badge: dict[str, Any] = json.loads(render(report))
    told = {"schemaVersion": 1, "label": report.experiment, "message": message, "color": color}
    assert badge == {**told, "isError": color == "red"}


def test_a_hostile_name_is_one_short_line() -> None:
    label = json.loads(render(replace(hostile_report(), experiment="x\x1b[31m\n" * 1000)))["label"]
    assert len(label) < 60 and label.isprintable()
