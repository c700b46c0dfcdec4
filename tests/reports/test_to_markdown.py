"""Markdown: a table that no name can break."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.reports.report import Report
from mcusim.reports.to_markdown import escape, render
from tests.reports.reports import empty_report, full_report, good_run, hostile_report

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
        ("A_B_3", "A_B_3"),
        ("a|b", "a\\|b"),
        ("<b>", "&lt;b&gt;"),
        ("[x](y)", "\\[x\\](y)"),
        ("`c`", "\\`c\\`"),
        ("a\nb", "a b"),
        ("back\\slash", "back\\\\slash"),
        ("cnn #2", "cnn \\#&#8203;2"),
        ("@user", "@&#8203;user"),
        ("a@b.org", "a@&#8203;b.org"),
        ("GH-7", "GH-&#8203;7"),
        ("https://x.org", "https:&#8203;//x.org"),
        ("WWW.x.org", "WWW&#8203;.x.org"),
        ("![x](y)", "!\\[x\\](y)"),
        (":tada:", ":&#8203;tada:"),
        ("$x$", "\\$x\\$"),
        ("# x", "\\# x"),
        ("- [ ] x", "\\- \\[ \\] x"),
        ("---", "\\---"),
        ("12. x", "12\\. x"),
        ("-0.5", "-0.5"),
        ("> x", "&gt; x"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("a: 5, b: 6", "a: 5, b: 6"),
    ],
)
def test_escape(text: str, quoted: str) -> None:
    assert escape(text) == quoted


@given(st.text(max_size=60))
def test_any_name_leaves_the_table_whole_and_links_nowhere(name: str) -> None:
    run = dataclasses.replace(good_run(), model=f"@user #1 https://x {name}")
    text = render(dataclasses.replace(full_report(), runs=(run,), checks=()))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 3 and len({row.replace("\\\\", "").replace("\\|", "").count("|") for row in rows}) == 1
    assert not re.search(r"@\w|#\d|://|<", text.replace("&#8203;", "\u200b"))


def test_a_paragraph_ends_before_the_next_begins() -> None:
    assert "\n\n**Broken budgets** (! in the table)\n\n- " in render(full_report())
    good = dataclasses.replace(full_report(), runs=(good_run(),), checks=())
    assert "\n\n\n" not in render(good)
