"""The page of a comparison: complete, bounded, and with the elements of its template whatever a name holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.commands import cli
from mcusim.comparison import render
from mcusim.comparison.comparison import Comparison, FunctionChange
from mcusim.reports.html.page import LARGEST_BYTES
from tests.comparison.comparing import compared, full, hostile, report, run, slower
from tests.comparison.test_renderings import first, none
from tests.reports.pages import PAYLOADS, Page, demand_nothing_is_run_or_fetched, demand_pictures_of_the_page

pytestmark = pytest.mark.usefixtures("drawn")


def text_of(found: Comparison) -> str:
    return Page(render(found, "html")).text


def test_it_tells_what_changed_why_and_what_broke() -> None:
    text = text_of(full())
    for told in ("5 of 12 limits broken", "42.95833333", "+62,000", "worse", "failed now: no answer", "p = 0.66"):
        assert told in text
    assert "conv2 went from 'direct' (compact) to 'plain'" in text and "code of logits (+1)" in text
    assert "new: fresh" in text and "another compiler" in text


def test_what_got_better_is_told_so_and_functions_are_listed() -> None:
    found, runs = full(), [run(id="a", model="a")]
    better = compared([slower(runs[0], 0, 5)], runs)
    assert re.search(r"cycles\s*2,000,005\s*2,000,000\s*-5\s*-0.00025\s*better", text_of(better))
    functions = tuple(FunctionChange(f"nn_{n}", 10.0, 1010.0 + n) for n in range(40))
    text = text_of(replace(found, runs=(replace(found.runs[0], functions=functions),)))
    assert "+1,003" in text and "20 of 40 functions that changed are shown: mcusim compare --json has all" in text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_name_makes_an_element_or_an_attribute(payload: str) -> None:
    plain, changed = (Page(render(hostile(name), "html")) for name in ("plain", payload))
    assert changed.elements == plain.elements
    assert payload[:12] in changed.text


@pytest.mark.parametrize("make", [full, hostile, first, none])
def test_nothing_is_run_or_fetched(make: Callable[[], Comparison]) -> None:
    demand_nothing_is_run_or_fetched(render(make(), "html"))


@pytest.mark.parametrize("make", [full, hostile])
def test_pictures_are_whole_and_take_their_colours_from_the_page(make: Callable[[], Comparison]) -> None:
    demand_pictures_of_the_page(render(make(), "html"))


def test_the_first_time_head_is_shown_alone() -> None:
    text = text_of(first())
    assert "there is no report at 'base' to compare with yet" in text and "92.74" in text


def test_thousands_of_runs_are_cut_and_told() -> None:
    name = '<b>&"' * 100
    runs = [run(id=str(number), model=f"{name}{number}") for number in range(1000)]
    text = render(
        compared(report(*runs), report(*(slower(one, 0, 5) for one in runs), regress={"cycles": "0"})), "html"
    )
    assert len(text.encode()) <= LARGEST_BYTES
    assert re.search(r"\d+ of 1000 limits, broken ones first, are shown", text)
    assert re.search(r"\d+ of 1000 changed runs are shown: mcusim compare --json has all", text)


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, head = tmp_path / "base.json", tmp_path / "head.json"
    report(run()).write(base)
    report(slower(run(), 1, 62_000)).write(head)
    page = tmp_path / "page.html"
    assert cli.execute(["compare", str(base), str(head), "--html", str(page), "--max-rise", "cycles=1%"]) == 7
    assert f"html: {page}" in capsys.readouterr().out
    assert "1 of 1 limits broken" in Page(page.read_text(encoding="utf-8")).text
