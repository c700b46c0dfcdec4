"""The console, Markdown, JSON and JUnit of a comparison: right, complete, and safe whatever names are in it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from mcusim.comparison import FORMATS, render
from mcusim.comparison.compare import compare_sides
from mcusim.comparison.comparison import Comparison
from mcusim.comparison.to_console import show
from mcusim.reports.report import Run
from tests.comparison.comparing import bits, compared, full, hostile, report, run, side, slower
from tests.reports.test_to_annotations import COMMAND

ROOT = Path(__file__).parents[2]
Golden = Callable[[str, str], None]


def first() -> Comparison:
    return compare_sides(side(), side(report(run()), name="head"), {})


def none() -> Comparison:
    return compared(report(run(), git=None), report(run(), git=None))


def shown(found: Comparison, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(found, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [100, 50])
def test_console(width: int, golden: Golden) -> None:
    golden(f"full_{width}.txt", shown(full(), width))


@pytest.mark.parametrize(
    ("name", "suffix"), {"markdown": "md", "json": "json", "junit": "xml", "annotations": "txt"}.items()
)
def test_formats(name: str, suffix: str, golden: Golden) -> None:
    golden(f"full.{suffix}", render(full(), name))


def test_every_text_tells_what_broke_and_why() -> None:
    for text in (shown(full(), 1000), *(render(full(), name) for name in FORMATS if name != "html")):
        plain = text.replace("\\", "").replace("&#x27;", "'").replace("&gt;", ">").replace("%25", "%")
        assert "latency +3.02 %" in plain and "conv2 went from 'direct' (compact) to 'plain'" in plain
        assert "code of logits (+1)" in plain and "rom_bytes 0" in plain
        assert "p = 0.66" in plain or '"p": 0.6636' in plain
        assert "no answer" in plain


@pytest.mark.parametrize("width", [20, 50, 100, 400])
def test_no_name_reaches_a_terminal_as_more_than_letters(width: int) -> None:
    text = shown(hostile(), width)
    assert "\x1b" not in text and "\x00" not in text and "\u202e" not in text
    assert max(map(len, text.splitlines())) <= max(width, 20)


def test_no_name_means_anything_in_markdown() -> None:
    text = render(hostile(), "markdown")
    assert "<script" not in text and "\x1b" not in text and "\u202e" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) > 3 and {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {9}


def test_no_name_is_a_command() -> None:
    told = render(hostile(), "annotations")
    assert told.count("::error ") == len(told.splitlines()) == 2 and len(COMMAND.findall(told)) == 2


def test_options_stand_in_no_file() -> None:
    found = compared([run()], report(slower(run(), 0, 5), file="a.toml", regress_lines={"rom_bytes": 3}), cycles=0)
    assert render(found, "annotations").startswith("::error title=")


@pytest.mark.parametrize("make", [full, hostile, first, none])
def test_any_parser_reads_xml_and_json(make: Callable[[], Comparison]) -> None:
    assert ElementTree.fromstring(render(make(), "junit").encode()).tag == "testsuites"
    assert json.loads(render(make(), "json"))["format"] == 1


def test_a_test_case_for_each_limit() -> None:
    [suite] = ElementTree.fromstring(render(full(), "junit").encode())
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "14", "failures": "5", "errors": "0", "skipped": "2"}
    [failure] = suite[0].iter("failure")
    assert suite[0].get("name") == "a, int8, nucleo_l452re_p: latency_ms 2%" and failure.get("type") == "latency_ms"
    assert "latency +3.02 %" in str(failure.get("message")) and "conv2" in str(failure.text)


UNKNOWN = replace(run(), latency_ms=None)
FASTER = replace(run().layers[0], cycles=1.4e6)


@pytest.mark.parametrize(
    ("base", "head", "told"),
    [
        (run(), UNKNOWN, ("latency was 41.7 ms: nobody knows it any more", "gone")),
        (UNKNOWN, run(), ("latency is 41.7 ms: not known before", "new")),
        (run(), replace(run(), layers=(FASTER, *run().layers[1:])), ("no figure changed, but layers did: conv1",)),
        (run(right=bits(1, 2)), run(right=bits(1)), ("decisions: changed 0 right -> wrong, 1 wrong -> right, p = 1",)),
        (run(), replace(run(), arena_bytes=1), ("also changed: arena_bytes",)),
    ],
    ids=["gone", "new", "layers", "better", "no column"],
)
def test_what_has_no_difference_or_no_row_is_told(base: Run, head: Run, told: tuple[str, ...]) -> None:
    found = compared([base], [head], latency_ms="2%")
    for width, text in [(1000, shown(found, 1000)), (40, shown(found, 40)), (0, render(found, "markdown"))]:
        plain = " ".join(text.replace("\\", "").replace("&gt;", ">").split())
        assert all(words in plain for words in told), width


@pytest.mark.parametrize(("base", "head", "verdict"), [(UNKNOWN, run(), "not held"), (run(), UNKNOWN, "broken")])
def test_a_limit_of_what_was_not_known_is_skipped(base: Run, head: Run, verdict: str) -> None:
    """Nothing broke; a figure that is gone is another matter."""
    found = compared([base], [head], latency_ms="2%")
    [suite] = ElementTree.fromstring(render(found, "junit").encode())
    assert [one.tag for one in suite[0]] == ["skipped" if verdict == "not held" else "failure"]
    assert f">{verdict}<" in render(found, "html") and bool(found.broken) == (verdict == "broken")


def test_the_first_time_head_is_shown_alone() -> None:
    for text in (shown(first(), 200), render(first(), "markdown").replace("\\", "")):
        assert "there is no report at 'base' to compare with yet" in text and "92.74" in text
    told = json.loads(render(first(), "json"))
    assert told["first"] and told["passed"] and told["runs"][0]["figures"]["accuracy"]["base"] is None


def test_nothing_changed() -> None:
    assert shown(none(), 100) == "gestures: 1 run: 1 equal\n"


def test_thousands_of_runs_are_told_in_little_room() -> None:
    runs = [run(id=str(number), model=f"m{number}") for number in range(1100)]
    found = compared(report(*runs), report(*(slower(one, 0, 5) for one in runs), regress={"cycles": "0"}))
    text, markdown = shown(found, 120), render(found, "markdown")
    for told in (text, markdown.replace("\\", "")):
        assert "1,000 more runs changed: --json tells of all" in told and "1,000 more limits are broken" in told
    assert len(markdown) < 100_000 and len(text) < 100_000
    assert len(json.loads(render(found, "json"))["runs"]) == 1100


def test_runs_that_broke_a_limit_come_first() -> None:
    base = [run(id=name, model=name) for name in "abc"]
    head = [slower(base[0], 0, 5), slower(base[1], 0, 5), slower(base[2], 0, 50_000)]
    text = shown(compared(base, head, cycles="1%"), 100)
    assert re.findall(r"^([abc]) ", text, re.MULTILINE) == ["c", "a", "b"]


def keys_of(value: Any, prefix: str = "") -> set[str]:
    if isinstance(value, list):
        return {key for one in value for key in keys_of(one, f"{prefix}[]")}
    if not isinstance(value, dict):
        return set()
    found = set()
    for name, inner in value.items():
        key = f"{prefix}.{name}".lstrip(".")
        if prefix == "runs[].figures":  # by the keys of the report
            found |= keys_of(inner, f"{prefix}.KEY")
        elif key in ("runs[].layers[].base", "runs[].layers[].head", "runs[].base_error", "runs[].head_error"):
            found.add(key)
        else:
            found |= {key, *keys_of(inner, key)}
    return found


def test_docs_name_every_key_of_json_and_no_other() -> None:
    text = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([\w\[\].]+)` \|", text, re.MULTILINE))
    found = full()
    changed = replace(found, runs=tuple(replace(one, unlike=full().runs[1].unlike) for one in found.runs))
    written = keys_of(json.loads(render(changed, "json"))) | {
        f"runs[].functions[].{key}" for key in ("name", "base", "head", "difference")
    }
    assert documented == written
