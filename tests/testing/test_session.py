"""Engines that stay open between the runs of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcusim import pipeline
from mcusim.boards.board import Board
from mcusim.engines.renode import engine as renode
from mcusim.engines.renode.workers import shared
from mcusim.reports.report import Report
from mcusim.system.errors import EngineError
from mcusim.testing.session import Session
from tests.engines.conftest import nucleo as nucleo  # noqa: PLC0414  (a fixture)
from tests.engines.renode_stand_in import WORKS, firmware, given, install
from tests.jobs import run as run_job

EXPERIMENT = Path(__file__).parents[2] / "examples" / "digits"


@pytest.mark.usefixtures("alone")
def test_one_renode_serves_all_runs(nucleo: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after one that failed; it goes with the session."""
    install(tmp_path, f"print(os.getpid(), file=open({str(tmp_path / 'pids')!r}, 'a'))\n" + WORKS, monkeypatch)

    def run(chosen: Any, out: Path, watcher: object, **_: Any) -> Report:
        """As the pipeline: the engine is opened for the run."""
        run_job(renode, firmware(tmp_path), nucleo, given(chosen.target.samples), tmp_path / "run")
        if chosen.target.samples == 2:
            raise EngineError("it hangs")
        return Report(1, "0", chosen.name, "2026-01-01T00:00:00+00:00", 1.0, True, ())

    monkeypatch.setattr(pipeline, "run", run)
    with Session() as session:
        session.run(EXPERIMENT, engine="renode", samples=1)
        with pytest.raises(EngineError, match="it hangs"):
            session.run(EXPERIMENT, engine="renode", samples="2")
        session.run(EXPERIMENT, engine="renode", samples=3)
        pids = (tmp_path / "pids").read_text().split()
        assert len(pids) == 3 and len(set(pids)) == 1 and Path("/proc", pids[0]).exists()
        with shared() as workers:
            folder = workers.folder
    assert not Path("/proc", pids[0]).exists() and not folder.exists()
