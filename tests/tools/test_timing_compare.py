"""The bars against silicon, where MCUSIM_DATA_DIR has recordings of measured programs: they hold others' code."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

import pytest

from mcusim.timing.record import FITTED, RECORD, Line, read_record
from mcusim.timing.recording import Recording, save
from tests.timing.programs import CALL
from tools.timing_compare import TABLE, compare, main


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    """Of all recordings, priced once."""
    folder = Path(os.environ.get("MCUSIM_DATA_DIR", "")) / "timing"
    if not os.environ.get("MCUSIM_DATA_DIR") or not (folder / TABLE).is_file():
        pytest.skip("MCUSIM_DATA_DIR has no recordings of measured programs")
    return list(compare(folder))


def errors(lines: list[Line], clock_hz: int) -> list[float]:
    """In percent. A table that does not say what was held out has nothing that was."""
    at_clock = [line for line in lines if line.clock_hz == clock_hz]
    return [abs(line.error_pct) for line in [one for one in at_clock if one.use == FITTED] or at_clock]


def test_zero_wait_states(lines: list[Line]) -> None:
    """Each within 3 %, the median within 1.5 %."""
    found = errors(lines, 20_000_000)
    assert found and max(found) < 3 and statistics.median(found) < 1.5


def test_five_wait_states(lines: list[Line]) -> None:
    """Each within 5 %."""
    found = errors(lines, 120_000_000)
    assert found and max(found) < 5


def test_the_record_is_that_of_these_rules(lines: list[Line]) -> None:
    """A change of rules changes platforms/measured.csv, too, where it was made of these recordings."""
    shipped = {(line.program, line.chip, line.clock_hz): line for line in read_record(RECORD)}
    pairs = [(line, shipped.get((line.program, line.chip, line.clock_hz))) for line in lines]
    behind = [
        line.program
        for line, there in pairs
        if there and (line.predicted, line.kinds) != (there.predicted, there.kinds)
    ]
    assert not behind, "python -m tools.timing_compare FOLDER platforms/measured.csv"


def test_rows_of_a_table_become_lines_of_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = CALL.counts("enter loop loop loop return leave", "enter loop return leave")
    save(Recording("nucleo_l4r5zi", counts, CALL.code, (), ()), tmp_path / "a.json")
    head = "name,recording,chip,clock_hz,first,step,measured,use,source\n"
    rows = "a,a.json,stm32l4r5zi,20000000,0,2,24,held-out,me\nb,a.json,stm32l4r5zi,20000000,1,2,20,fitted,me\n"
    (tmp_path / TABLE).write_text(head + rows)
    assert main([str(tmp_path), str(tmp_path / "record.csv")]) == 0
    one, two = read_record(tmp_path / "record.csv")
    assert one.predicted - two.predicted == 2 * 4, "two turns of its loop, as in test_profile.py"
    assert (one.record, one.kinds, one.use, two.use) == ("stm32l4", ("integer",), "held-out", "fitted")
    assert "integer, held-out: 1 rows: median" in capsys.readouterr().out
    (tmp_path / TABLE).write_text((head + rows).replace("fitted", "guessed"))
    assert main([str(tmp_path), str(tmp_path / "record.csv")]) == 3
    assert "'guessed'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "row",
    ["a,a.json\n", "a,a.json,,,,,\n", "a,a.json,stm32l4r5zi,20000000,0,1,0\n", "a,a.json,stm32l4r5zi,1,0,1,nan", '"a'],
)
def test_a_row_that_cannot_be_right(row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = CALL.counts("enter loop return leave")
    save(Recording("nucleo_l4r5zi", counts, CALL.code, (), ()), tmp_path / "a.json")
    (tmp_path / TABLE).write_text(f"name,recording,chip,clock_hz,first,step,measured\n{row}")
    assert main([str(tmp_path)]) in (2, 3)
    assert capsys.readouterr().err.startswith("error: ")


def test_a_name_does_not_break_the_record(tmp_path: Path) -> None:
    save(Recording("nucleo_l4r5zi", CALL.counts("enter loop return leave"), CALL.code, (), ()), tmp_path / "a.json")
    head = "name,recording,chip,clock_hz,first,step,measured\n"
    (tmp_path / TABLE).write_bytes(f'{head}"a\rb, \x1b[31m",a.json,stm32l4r5zi,20000000,0,1,20\n'.encode())
    assert main([str(tmp_path), str(tmp_path / "record.csv")]) == 0
    (line,) = read_record(tmp_path / "record.csv")
    assert line.program == "a b, \N{REPLACEMENT CHARACTER}[31m"


def test_a_folder_without_a_table_is_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 3
    assert "measured.csv cannot be used" in capsys.readouterr().err
