from pathlib import Path

from mcusim.commands import cli
from mcusim.reports.to_csv import render
from tests.commands.test_cli import path as path  # noqa: PLC0414
from tests.lines import engine as engine  # noqa: PLC0414
from tests.lines import stages as stages  # noqa: PLC0414
from tests.reports.reports import full_report


def test_golden(golden) -> None:
    golden("full.csv", render(full_report()))


def test_commands_have_the_option(engine, path) -> None:
    assert cli.execute(["run", "test.toml", "--out", "out", "--csv", "run.csv"]) == 0
    assert cli.execute(["report", "out", "--csv", "report.csv"]) == 0
    assert Path("run.csv").read_text() == Path("report.csv").read_text() != ""
