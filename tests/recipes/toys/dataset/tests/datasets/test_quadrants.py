import re
from pathlib import Path

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.datasets import load_dataset
from mcusim.reports.report import Report
from tests.commands.test_cli import path as path  # noqa: PLC0414
from tests.lines import FakeEngine, FakeStages
from tests.lines import engine as engine  # noqa: PLC0414
from tests.lines import stages as stages  # noqa: PLC0414


def test_what_it_is() -> None:
    data = load_dataset("quadrants")
    assert (data.x_train.shape, data.x_test.shape, data.x_train.dtype) == ((60, 4), (40, 4), np.float32)
    assert set(data.y_test) == {0, 1, 2}


def test_it_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["datasets"]) == 0
    assert re.search("^quadrants +points of the plane", capsys.readouterr().out, re.MULTILINE)


def test_an_experiment_uses_it(stages: FakeStages, engine: FakeEngine, path: Path) -> None:
    stages.load_dataset = load_dataset
    path.write_text(path.read_text().replace('"digits"', '"quadrants"'))
    assert cli.execute(["run", "test.toml", "--out", "out"]) == 0
    assert [run.samples for run in Report.read(Path("out/report.json")).runs] == [40, 40]
