"""Annotations: what is wrong stands at its line, and no name is a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.reports.report import Check, RunError
from mcusim.reports.to_annotations import MOST, render
from tests.reports.reports import empty_report, full_report, good_run, hostile_report

Golden = Callable[[str, str], None]
COMMAND = re.compile(
    r"::error (?P<places>(?:file=[^:,\r\n]+,)?(?:line=\d+,)?title=[^:,\r\n]+)::(?P<message>[^\r\n]*)\n"
)


def test_golden(golden: Golden) -> None:
    report = full_report()
    checks = tuple(replace(check, line=10 + index) for index, check in enumerate(report.checks))
    golden("full.txt", render(replace(report, file="nets/gestures.toml", checks=checks)))


def test_a_good_report_has_none() -> None:
    good = replace(full_report(), runs=(good_run(),), checks=(Check("accuracy_min", good_run().id, 0.9, 0.95, True),))
    assert render(good) == "" == render(empty_report())


def test_a_line_of_no_file_is_left_out() -> None:
    check = Check("accuracy_min", good_run().id, 0.9, 0.5, False, line=3)
    told = render(replace(empty_report(), runs=(good_run(),), checks=(check,)))
    assert told.startswith("::error title=") and COMMAND.fullmatch(told)


def test_what_ended_all_and_an_interruption_are_told() -> None:
    error = RunError("DataError", "no data", None, "give some")
    half = replace(good_run(), complete=False, samples=7)
    told = render(replace(empty_report(), file="a.toml", error=error, runs=(half,)))
    assert "::error file=a.toml,title=mcusim::no data; give some\n" in told and "interrupted after 7 samples" in told


@pytest.mark.parametrize("broken", [MOST, MOST + 1, 1000])
def test_what_github_would_drop_is_counted(broken: int) -> None:
    check = Check("accuracy_min", good_run().id, 0.9, 0.5, False)
    lines = render(replace(empty_report(), runs=(good_run(),), checks=(check,) * broken)).splitlines()
    assert len(lines) == MOST
    assert ("more: see the report" in lines[-1]) == (broken > MOST)
    assert broken <= MOST or f"::{broken - MOST + 1} more" in lines[-1]


def test_no_name_is_a_command() -> None:
    told = render(replace(hostile_report(), file="a:b,c\n::add-mask::x.toml"))
    assert "".join(found[0] for found in COMMAND.finditer(told)) == told and len(told.splitlines()) == 2


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_any_name_is_one_annotation(name: str, message: str) -> None:
    """Read back as a runner does: by its line, then its properties, then what they escape."""
    run = replace(good_run(), model=name)
    check = Check("b", run.id, 1, None, False, message)
    told = render(replace(empty_report(), file=f"{name}.toml", runs=(run,), checks=(check,)))
    assert COMMAND.fullmatch(told)
    assert not re.search(r"%(?!25|3A|2C)", told)
