"""mcusim merge, and run --shard: arguments, exit codes, files, and what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.commands import cli
from mcusim.experiment.tables import Expect
from mcusim.reports.report import Report
from tests.line.test_merge import sharded
from tests.lines import FakeEngine, experiment
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414


@pytest.fixture
def folder(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With two shards below `all`, whose whole breaks a budget."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    sharded(experiment(tmp_path, expect=Expect(accuracy_min=1.0)), tmp_path / "all", 2)
    return tmp_path


def test_a_whole(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["merge", "all/shard-2", "all/shard-1/report.json", "--out", "out", "--junit", "junit.xml"]
    assert cli.execute([*arguments, "--markdown", "-"]) == 7
    told = capsys.readouterr().out
    assert "test: 2 runs, 40 test samples each" in told and "budgets: 0 of 2 kept" in told
    assert "report: out/report.json" in told and "### mcusim: test" in told
    assert "accuracy_min" in (folder / "junit.xml").read_text()
    assert Report.read(folder / "out" / "report.json").shard is None


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["all/shard-1", "--out", "out"], 2, "1 of 2 shards are missing: 2/2"),
        (["all", "all/shard-1", "--out", "out"], 2, "two shards are of the same part: shard 1/2"),
        (["nothing", "--out", "out"], 2, "there is no report in 'nothing'"),
        (["all"], 2, "missing option '--out'"),
        (["--out", "out"], 2, "missing argument 'SHARD...'"),
        (["all", "--out", "all/shard-1"], 2, "would take the place of shard 1/2"),
        (["other", "--out", "out"], 3, "ran another model than"),
    ],
)
def test_wrong_usage(
    arguments: list[str], code: int, told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        report = Report.read(folder / "all" / f"shard-{number}" / "report.json")
        runs = tuple(replace(run, model_sha256=str(number), model="m") for run in report.runs)
        replace(report, runs=runs).write(folder / "other" / str(number) / "report.json")
    assert cli.execute(["merge", *arguments]) == code
    printed = capsys.readouterr().err
    assert told in printed and "hint: " in printed
    assert not (folder / "out").exists()


@pytest.mark.parametrize("value", ["0/5", "6/5", "x", "1/0"])
def test_a_shard_that_cannot_be(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["run", "e.toml", "--shard", value]) == 2
    assert f"invalid value for '--shard': shard is '{value}'" in capsys.readouterr().err


def test_an_explanation_has_no_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["evaluate", "e.toml", "--explain", "--shard", "1/2"]) == 2
    assert "--shard is of runs" in capsys.readouterr().err


def test_a_shard_says_what_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["report", "all/shard-1"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "test: shard 1/2, 1 run, 40 test samples each" in told
    assert "part of an experiment: `mcusim merge` puts 2 together, and judges budgets" in told
    assert "budgets:" not in told


def test_a_cached_run_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report.read(folder / "all" / "shard-1" / "report.json")
    replace(report, runs=tuple(replace(run, cached=True) for run in report.runs)).write(folder / "report.json")
    assert cli.execute(["report", "report.json"]) == 0
    assert "cached: not run again" in capsys.readouterr().out
