from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.commands import cli
from mcusim.cores import core_of, cortex_m7
from mcusim.reports.report import Report
from tests.commands.test_cli import path as path  # noqa: PLC0414
from tests.lines import FakeStages
from tests.lines import stages as stages  # noqa: PLC0414


def test_the_core_of_its_chip() -> None:
    assert core_of(load_board("mps2_m7").chip) is cortex_m7


@pytest.mark.arm
def test_a_whole_run(stages: FakeStages, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built for it and run on it; nobody knows how long that takes on silicon."""
    from mcusim.line import bench
    from mcusim.line.stages import Stages

    given = {name: getattr(stages, name) for name in ("load_dataset", "read_model", "start_proof")}
    monkeypatch.setattr(bench, "STAGES", Stages(**given))
    path.write_text(path.read_text().replace('engine = "host"', 'boards = ["mps2_m7"]'))
    assert cli.execute(["run", "test.toml", "--out", "out"]) == 0
    for run in Report.read(Path("out/report.json")).runs:
        assert (run.error, run.mismatches, run.board, run.samples) == (None, 0, "mps2_m7", 40)
        assert run.instructions is not None and run.flags is not None and "-mcpu=cortex-m7" in run.flags
        assert (run.cycles, run.latency_ms, run.energy_uwh) == (None, None, None)
