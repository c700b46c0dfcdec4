from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.commands import cli
from mcusim.engines import mirror
from mcusim.line import bench
from mcusim.line.stages import Stages
from mcusim.reports.report import Report
from tests.commands.test_cli import path as path  # noqa: PLC0414
from tests.jobs import run
from tests.lines import FakeStages
from tests.lines import stages as stages  # noqa: PLC0414
from tests.tiny_library import build_library, expected, library, samples


def test_answers(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    inputs = samples(30)
    seen = run(mirror, build_library(library(), nucleo, build_folder, "mirror"), None, inputs, tmp_path, jobs=2)
    np.testing.assert_array_equal(seen.answers.view(np.int8), expected(inputs))
    assert seen.engine == "mirror" and seen.indices.tolist() == list(range(30))


def test_a_whole_run(stages: FakeStages, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: getattr(stages, name) for name in ("load_dataset", "read_model", "start_proof")}
    monkeypatch.setattr(bench, "STAGES", Stages(**given))
    assert cli.execute(["run", "test.toml", "--engine", "mirror", "--out", "out", "--junit", "junit.xml"]) == 0
    for seen in Report.read(Path("out/report.json")).runs:
        assert (seen.error, seen.mismatches, seen.engine, seen.board) == (None, 0, "mirror", "mirror")
        assert seen.notes == ("mirrored",) and seen.samples == 40


def test_it_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["engines"]) == 0
    assert "mirror   from the last sample to the first  " in capsys.readouterr().out
