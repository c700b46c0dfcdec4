"""The recipes for a task, a figure and a report format are followed in a copy of the tree: nothing else is to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "*.egg-info")


class Tree:
    """A copy of the repository, to which members are added as a recipe says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.changed: list[str] = []
        shutil.copytree(ROOT, root, ignore=LEFT_OUT)

    def new(self, name: str, text: str) -> None:
        self.changed.append(name)
        (self.root / name).write_text(text, encoding="utf-8")

    def line(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        self.new(name, text.replace(old, new))

    def test(self, *paths: str) -> None:
        """The tests of these files, with golden files and tables of docs/ written anew."""
        options = ("-q", "-x", "--update-golden", "--ignore", "tests/reports/test_recipes.py")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *paths],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")


TO_CSV = '''\
"""Report -> CSV: a line for each run."""

from __future__ import annotations

from mcusim.reports.report import Report
from mcusim.reports.table import table


def render(report: Report) -> str:
    headings, rows = table(report)
    return "\\n".join(",".join(cell.replace(",", "") for cell in row) for row in (headings, *rows))
'''

TEST_TO_CSV = """\
from pathlib import Path

from mcusim.commands import cli
from mcusim.reports.to_csv import render
from tests.commands.test_cli import path as path
from tests.lines import engine as engine
from tests.lines import stages as stages
from tests.reports.reports import full_report


def test_golden(golden) -> None:
    golden("full.csv", render(full_report()))


def test_commands_have_the_option(engine, path) -> None:
    assert cli.execute(["run", "test.toml", "--out", "out", "--csv", "run.csv"]) == 0
    assert cli.execute(["report", "out", "--csv", "report.csv"]) == 0
    assert Path("run.csv").read_text() == Path("report.csv").read_text() != ""
"""


def test_a_report_format(tree: Tree) -> None:
    tree.new("mcusim/reports/to_csv.py", TO_CSV)
    tree.line("mcusim/reports/__init__.py", '"Markdown"}', '"Markdown", "csv": "CSV"}')
    tree.new("tests/reports/test_to_csv.py", TEST_TO_CSV)
    tree.test("tests/reports/test_to_csv.py")
    assert tree.text("tests/golden/to_csv/full.csv").startswith("model,type,board,accuracy %")
    assert len(tree.changed) == 3


REGRESSION = '''\
"""Outputs + labels -> mean absolute error: the label is the number that the output should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.tasks.figure import Budget, Figure, Row
from mcusim.tasks.task import Scores

if TYPE_CHECKING:
    from mcusim.datasets.dataset import Dataset

NAME = "regression"
FIGURES: tuple[Row, ...] = (
    Figure(
        "scores.mae",
        "mean absolute error",
        word="mean absolute error",
        heading="MAE",
        show="{:.3f}".format,
        better="lower",
        budget=Budget("mae_max", "positive", lacks="mean absolute error", doc="mean absolute error"),
    ),
)


def check(elements: int, dataset: Dataset, model: str) -> None:
    if elements != 1:
        raise DataError(f"model {model!r} answers {elements} numbers", hint="one is asked for")


def score(outputs: Array, labels: Array) -> Scores:
    return Scores(numbers={"mae": float(np.abs(outputs[:, 0] - labels).mean())} if len(labels) else {})


def differs(outputs: Array, expected: Array) -> Array:
    wrong: Array = ~np.isclose(outputs, expected, equal_nan=True).all(axis=1)
    return wrong
'''

TEST_REGRESSION = """\
from dataclasses import replace

import numpy as np

from mcusim.experiment.experiment import Expect
from mcusim.line.budgets import check
from mcusim.line.score import Wanted, score
from mcusim.reports.report import Report
from mcusim.reports.to_junit import render as to_junit
from mcusim.reports.to_markdown import render
from mcusim.tasks import regression
from tests.reports.reports import full_report, good_run


def test_from_outputs_to_report() -> None:
    outputs = np.array([[1.0], [2.0]], np.float32)
    found = score({"": outputs}, {"": Wanted(regression, outputs, np.array([1.5, 2.0]), None)}, np.arange(2))
    run = replace(good_run(), accuracy_float=None, **vars(found))
    checks = check(run, Expect(mae_max=0.2).limits)
    assert [(entry.name, entry.value, entry.passed) for entry in checks] == [("mae_max", 0.25, False)]
    report = Report.from_json(replace(full_report(), runs=(run,), checks=checks).to_json())
    assert "| model | type | board | MAE | mismatches |" in render(report) and "| 0.250 |" in render(report)
    assert 'name="scores.mae" value="0.25"' in to_junit(report)
"""


def test_a_task(tree: Tree) -> None:
    tree.new("mcusim/tasks/regression.py", REGRESSION)
    tree.line("mcusim/tasks/__init__.py", "(classification,)", "(classification, regression)")
    tree.line("mcusim/tasks/__init__.py", "import classification\n", "import classification, regression\n")
    tree.new("tests/tasks/test_regression.py", TEST_REGRESSION)
    tree.test("tests/reports", "tests/tasks", "tests/experiment/test_read.py", "tests/line/test_budgets.py")
    assert "| `scores.mae` | | mean absolute error |" in tree.text("docs/report.md")
    assert "| `mae_max` | mean absolute error |" in tree.text("docs/experiment.md")
    assert len(set(tree.changed)) == 3


FIGURE = """\
SIZE = (
    Figure(
        "bytes_per_mac",
        "`rom_bytes.total / macs`",
        word="bytes for a MAC",
        show="{:.3f}".format,
        better="lower",
        of=lambda run: run.rom_bytes.total / run.macs if run.rom_bytes and run.macs else None,
        budget=Budget("bytes_per_mac_max", "positive", lacks="size or MACs", doc="bytes of flash for a MAC"),
    ),
"""


def test_a_figure(tree: Tree) -> None:
    tree.line("mcusim/reports/figures.py", "SIZE = (\n", FIGURE)
    tree.test("tests/reports", "tests/experiment/test_read.py", "tests/line/test_budgets.py")
    assert "| `bytes_per_mac_max` | bytes of flash for a MAC |" in tree.text("docs/experiment.md")
    assert '"bytes_per_mac" value="0.07' in tree.text("tests/golden/to_junit/full.xml")
    assert "against `rom_bytes.total / macs`" in " ".join(tree.text("docs/report.md").split())
    assert tree.changed == ["mcusim/reports/figures.py"]
