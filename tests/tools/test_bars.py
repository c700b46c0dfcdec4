"""script/bars: rows, verdicts, and what ends with which exit code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from mcusim.system.errors import ConfigurationError, DataError
from tools.bars import __main__ as bars
from tools.bars import graphs, rows, timing
from tools.bars.group import Group, NotHere, Place
from tools.bars.rows import Row, verdict

LATENCY = Row("latency", "<=", "10", "8", "ms", "README.md")


@pytest.mark.parametrize(
    ("row", "figure", "holds", "word"),
    [
        (LATENCY, 8.0, True, "holds"),
        (LATENCY, 8.0 + 1e-12, True, "holds"),
        (LATENCY, 7.5, True, "holds; better than 8: --update keeps it"),
        (LATENCY, 8.001, False, "WORSE than 8"),
        (Row("new", "<=", "10", "", "ms", "README.md"), 10.1, False, "BEYOND its bar"),
        (Row("late", "<=", "10", "12", "ms", "README.md", "no time"), 12.0, True, "missed: no time"),
        (Row("late", "<=", "10", "12", "ms", "README.md", "no time"), 12.1, False, "WORSE than 12"),
        (
            Row("done", "<=", "10", "9", "ms", "x", "no time"),
            9.0,
            False,
            "holds, though bars.csv says that it is missed",
        ),
        (Row("speed-up", ">=", "4", "5", "times", "docs/kernels.md"), 4.9, False, "WORSE than 5"),
        (Row("speed-up", ">=", "4", "", "times", "docs/kernels.md"), 3.9, False, "BEYOND its bar"),
    ],
)
def test_a_figure_is_judged_by_its_bar_and_by_what_was_kept(row: Row, figure: float, holds: bool, word: str) -> None:
    found = verdict(row, figure)
    assert (found.holds, found.word) == (holds, word)


def test_a_figure_without_a_row_is_an_error() -> None:
    with pytest.raises(DataError, match="no row has the name 'other'"):
        rows.verdicts([LATENCY], {"latency": 8.0, "other": 1.0})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("latency,<,10,8,ms,README.md,", "'<' is neither"),
        ("latency,<=,ten,8,ms,README.md,", "could not convert"),
        ("latency,<=,,8,ms,README.md,late", "without a bar nothing is missed"),
        ("latency,<=,10,8,ms,README.md,,more", "unexpected keyword|must be strings"),
        ("latency,<=,10,8,ms,README.md,\nlatency,<=,10,8,ms,README.md,", "is there twice"),
    ],
)
def test_what_is_no_row_is_told_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(",".join(rows.COLUMNS) + "\n" + line + "\n")
    with pytest.raises(DataError, match=message) as caught:
        rows.read(path)
    assert caught.value.where == f"{path}, line {line.count(chr(10)) + 2}"


def test_the_table_is_read_and_written_again_as_it_is(tmp_path: Path) -> None:
    table, copy = rows.read(), tmp_path / "bars.csv"
    rows.write(table, {}, copy)
    assert copy.read_text() == rows.TABLE.read_text()
    rows.write(table, {table[0].name: 0.5}, copy)
    assert rows.read(copy)[0].kept == "0.5" and rows.read(copy)[1:] == table[1:]


def test_quick_groups_are_run_and_a_row_that_does_not_hold_ends_with_7(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def measure(place: Place) -> Mapping[str, float]:
        assert place.data == tmp_path and not list(place.work.iterdir())
        return {"latency": 9.0}

    def missing(_place: Place) -> Mapping[str, float]:
        raise NotHere("nobody gave it")

    monkeypatch.setattr(bars, "read", lambda: [LATENCY])
    monkeypatch.setattr(bars, "GROUPS", (Group("quick", False, False, measure), Group("far", False, False, missing)))
    assert bars.main(["--data", str(tmp_path)]) == 7
    said = capsys.readouterr().out
    assert "WORSE than 8" in said and "far: not measured, nobody gave it" in said and "not all hold" in said
    assert bars.main(["--only", "far"]) == 0 and "nothing was measured" in capsys.readouterr().out
    monkeypatch.setattr(bars, "GROUPS", (Group("slow", True, False, measure),))
    assert bars.main(["--long", "--data", str(tmp_path)]) == 7
    with pytest.raises(ConfigurationError, match="no group has '' in its name"):
        bars.main([])


def test_of_code_of_another_compiler_only_bars_are_held(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    late = Row("late", "<=", "1", "2", "ms", "README.md", "no time")
    monkeypatch.setattr(bars, "read", lambda: [LATENCY, late])
    monkeypatch.setattr(bars, "version_line", lambda _: "arm-none-eabi-gcc (Arm) 14.2.1 20241119")
    monkeypatch.setattr(bars, "find_arm_tool", lambda name: name)
    monkeypatch.setattr(bars, "GROUPS", (Group("compiled", False, True, lambda _: {"latency": 9.0, "late": 3.0}),))
    assert bars.main([]) == 0 and "another compiler than GCC 12.2.1" in capsys.readouterr().out
    monkeypatch.setattr(bars, "GROUPS", (Group("compiled", False, True, lambda _: {"latency": 10.5}),))
    assert bars.main([]) == 7 and "BEYOND" in capsys.readouterr().out


def test_the_record_of_the_timing_model_is_as_bars_has_it() -> None:
    (group,) = timing.GROUPS
    found = rows.verdicts(rows.read(), group.measure(Place(Path(), None)))
    assert len(found) == 5 and not [one for one in found if not one.holds]


@pytest.mark.parametrize(
    ("said", "failed"),
    [
        ("....\n12 passed in 3.1s", 0),
        ("F\n3 failed, 12 passed, 1 skipped in 3s\n", 3),
        ("1 failed, 2 errors in 1s", 3),
        ("E\n1 error in 2.13s", 1),  # of what cannot even be imported
    ],
)
def test_failures_are_read_from_the_last_line_of_pytest(said: str, failed: int) -> None:
    assert graphs.failures(said) == failed


@pytest.mark.parametrize("said", ["no tests ran in 0.01s", "s\n1 skipped in 2.1s", ""])
def test_a_pytest_that_ran_nothing_is_no_success(said: str) -> None:
    with pytest.raises(NotHere):
        graphs.failures(said)


def test_every_test_that_draws_as_many_graphs_as_it_is_told_is_in_a_row() -> None:
    told = {name: drawn for names, drawn in graphs.TESTS.values() for name in names}
    files = {path.stem: path.read_text() for path in (graphs.ROOT / "tests/models").glob("test_*.py")}
    assert sorted(told) == sorted(name for name, text in files.items() if '"MCUSIM_GRAPHS"' in text)
    for name, drawn in told.items():
        drawing = re.findall(r"@given.*?def (test_\w+)", files[name], re.DOTALL)
        assert any(drawn in test for test in drawing), name
