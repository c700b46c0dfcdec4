"""Markdown: a table that no name can break."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcusim.reports.report import Report
from mcusim.reports.to_markdown import escape, render
from tests.reports.reports import empty_report, full_report, hostile_report

Golden = Callable[[str, str], None]


def test_golden(golden: Golden) -> None:
    golden("full.md", render(full_report()))


@pytest.mark.parametrize("make", [full_report, hostile_report])
def test_every_row_has_the_same_cells(make: Callable[[], Report]) -> None:
    rows = [line for line in render(make()).splitlines() if line.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert len(rows) == 2 + len(make().runs)


def test_no_html_gets_through() -> None:
    assert "<" not in render(hostile_report())


def test_an_empty_report_has_no_table() -> None:
    assert "|" not in render(empty_report()) and "not complete" in render(empty_report())


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("nucleo_l452re_p", "nucleo_l452re_p"),
        ("_x_", "\\_x\\_"),
        ("a|b", "a\\|b"),
        ("<b>", "&lt;b&gt;"),
        ("[x](y)", "\\[x\\](y)"),
        ("`c`", "\\`c\\`"),
        ("a\nb", "a b"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_escape(text: str, quoted: str) -> None:
    assert escape(text) == quoted
