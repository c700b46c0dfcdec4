"""The bars against silicon, where MCUSIM_DATA_DIR has recordings of measured programs: they hold others' code."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

import pytest

from tools.timing_compare import TABLE, compare, main


def _folder() -> Path:
    folder = Path(os.environ.get("MCUSIM_DATA_DIR", "")) / "timing"
    if not os.environ.get("MCUSIM_DATA_DIR") or not (folder / TABLE).is_file():
        pytest.skip("MCUSIM_DATA_DIR has no recordings of measured programs")
    return folder


def test_zero_wait_states() -> None:
    """Each within 3 %, the median within 1.5 %."""
    errors = [abs(row.error_pct) / 100 for row in compare(_folder()) if row.clock_hz == 20_000_000]
    assert errors and max(errors) < 0.03 and statistics.median(errors) < 0.015


def test_five_wait_states() -> None:
    """Each within 5 %."""
    errors = [abs(row.error_pct) / 100 for row in compare(_folder()) if row.clock_hz == 120_000_000]
    assert errors and max(errors) < 0.05


def test_a_folder_without_a_table_is_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 3
    assert "measured.csv cannot be used" in capsys.readouterr().err
