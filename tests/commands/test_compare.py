"""mcusim compare: arguments, exit codes, files, and GitHub's summary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcusim.commands import cli
from tests.comparison.comparing import report, run, slower
from tests.reports.reports import HOSTILE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a report `base`, the slower `head`, and `strict`, which is `head` with limits of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    report(run()).write(tmp_path / "base" / "report.json")
    report(slower(run(), 1, 62_000)).write(tmp_path / "head" / "report.json")
    limits = {"latency_ms": "2%"}
    report(slower(run(), 1, 62_000), regress=limits).write(tmp_path / "strict" / "report.json")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["base", "head"], 0),
        (["base", "head/report.json"], 0),
        (["base", "strict"], 7),
        (["strict", "base"], 0),
        (["base", "strict", "--max-rise", "latency_ms=5%"], 0),
        (["base", "strict", "--max-drop", "accuracy=0"], 7),
        (["base", "head", "--max-rise", "cycles=61999", "--max-rise", "rom_bytes=0"], 7),
        (["base", "head", "--max-rise", "cycles=62000"], 0),
        (["nothing", "strict"], 0),
    ],
)
def test_exit_codes(arguments: list[str], code: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["compare", *arguments]) == code
    printed = capsys.readouterr().out
    assert ("broken limit" in printed) == (code == 7)
    assert ("to compare with yet" in printed) == ("nothing" in arguments)


@pytest.mark.parametrize(
    ("arguments", "told", "hint"),
    [
        (["base", "nothing"], "there is no report at 'nothing'", "mcusim run writes it"),
        (["base", "head", "--max-rise", "latency=2%"], "unknown figure 'latency'", "did you mean 'latency_ms'?"),
        (["base", "head", "--max-rise", "latency_ms"], "'latency_ms' is no limit", "latency_ms=2%"),
        (["base", "head", "--max-rise", "accuracy=1pt"], "worse where it falls", "--max-drop accuracy=1pt"),
        (["base", "head", "--max-drop", "accuracy=1%"], "percent may be points", "1pt"),
        (["base", "e.toml"], "'e.toml' is an experiment", "give what its run has written"),
        (["base"], "missing argument 'HEAD'", "--help"),
    ],
)
def test_wrong_usage(
    arguments: list[str], told: str, hint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "e.toml").write_text("")
    assert cli.execute(["compare", *arguments]) == 2
    printed = capsys.readouterr().err
    assert told in printed and hint in printed and "Traceback" not in printed


def test_a_report_that_was_cut_off(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "base" / "report.json"
    path.write_bytes(path.read_bytes()[:700])
    assert cli.execute(["compare", "base", "head"]) == 3
    assert "this is no readable report" in capsys.readouterr().err


def test_files_and_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--markdown", "m.md", "--json", "-", "--junit", "deep/j.xml"]
    assert cli.execute(["compare", "base", "strict", *files]) == 7
    printed = capsys.readouterr().out
    assert "markdown: m.md\njunit: deep/j.xml\n" in printed
    assert not json.loads(printed[printed.index("{\n") :])["passed"]
    assert "Broken limits" in (folder / "m.md").read_text() and "<failure" in (folder / "deep" / "j.xml").read_text()


def test_github_gets_a_summary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    assert cli.execute(["compare", "base", "strict"]) == 7
    assert (folder / "summary.md").read_text().startswith("before\n### mcusim compare: gestures\n")


def test_a_path_is_no_command_of_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["compare", HOSTILE.replace("\x00", "").replace("/", ""), "head"]) == 0
    assert "\x1b" not in capsys.readouterr().out
