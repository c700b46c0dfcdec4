"""The record of the model: whom a line speaks for, and what a figure says of its error."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.boards.load import board_names, load_board, load_chip
from mcusim.system.errors import DataError
from mcusim.timing.record import (
    COLUMNS,
    FEWEST,
    RECORD,
    Line,
    error_of,
    groups,
    read_record,
    record_of,
    summary,
    write_record,
)
from mcusim.timing.timing import plus_minus, told_error

L452, APOLLO3 = load_chip("stm32l452re"), load_chip("apollo3")
LINE = Line("a", "stm32l4", "stm32l4r5zi", 20_000_000, ("integer",), "held-out", 1010, 1000.0, "somebody", "2026-11-26")


def lines(*errors_pct: float, **told: object) -> list[Line]:
    made = [replace(LINE, program=f"p{n}", predicted=round(1000 + 10 * error)) for n, error in enumerate(errors_pct)]
    return [replace(line, **told) for line in made]  # type: ignore[arg-type]


def test_the_error_is_that_of_the_lines_of_its_kind() -> None:
    found = error_of(("integer",), L452, [*lines(1, -2, 3), *lines(50, kinds=("float",))])
    assert found == {
        "median": 2.0,
        "p90": 2.8,
        "from": "3 held-out measurements of integer code on stm32l4r5zi, 2026-11-26",
    }
    assert plus_minus(found) == "±2.0 %" and told_error(found).endswith("2026-11-26; nine of ten within 2.8 %")  # type: ignore[arg-type]


def test_what_a_rule_was_chosen_with_is_no_record() -> None:
    fitted = str(error_of(("integer",), L452, lines(1, 1, 1, use="fitted")))
    assert fitted.startswith("nobody measured integer code on a chip like this; `mcusim")
    few = lines(*[1] * (FEWEST - 1))
    assert f"only {len(few)} of the {FEWEST} measurements" in str(error_of(("integer",), L452, few))


def test_who_moves_code_to_ram_is_told_what_it_has_in_flash() -> None:
    held_out = lines(1, 2, 3)
    told = str(error_of(("integer", "ram-code"), L452, held_out))
    assert told.startswith(
        "nobody measured integer code that runs from RAM on a chip like this; integer code in flash "
        "(code_in_ram = false), where it"
    )
    assert told.endswith(" has ±2.0 %, nine of ten within 2.8 %")
    assert "code_in_ram" not in str(error_of(("float", "ram-code"), L452, held_out)), (
        "nor in flash does anybody know it"
    )


def test_code_that_waits_for_memory_speaks_of_the_core_and_not_the_reverse() -> None:
    waiting = lines(4, 4, 4, kinds=("integer", "flash-bound"))
    assert error_of(("integer", "flash-bound"), L452, [*lines(1, 1, 1, 1), *waiting])["median"] == 4.0  # type: ignore[index]
    assert error_of(("integer",), L452, [*lines(1, 1, 1, 1), *waiting])["median"] == 1.0  # type: ignore[index]
    assert "float code that waits for flash" in str(error_of(("float", "flash-bound"), L452, waiting))


def test_a_chip_that_no_line_speaks_for() -> None:
    nobody = "nobody measured the memory of chip"
    assert str(error_of(("integer",), APOLLO3, lines(1, 1, 1))).startswith(f"{nobody} 'apollo3'; `mcusim validate`")
    assert str(error_of(("integer",), L452, lines(1, 1, 1, record="apollo3"))).startswith(nobody)
    assert (record_of(L452), record_of(APOLLO3)) == ("stm32l4", "apollo3")


def test_lines_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "record.csv"
    made = [LINE, replace(LINE, program='a, "b"', kinds=("float", "slow-ram"), measured=1.5e9)]
    write_record(path, made)
    assert read_record(path) == tuple(made)
    again = replace(LINE, predicted=7, date="2027-01-01")
    write_record(path, [again, replace(LINE, clock_hz=1)])
    assert read_record(path) == (again, made[1], replace(LINE, clock_hz=1)), "the same program takes its place"


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("kinds", "", "are no kinds"),
        ("kinds", "flash-bound", "one of integer, float, then"),
        ("kinds", "integer quick", "are no kinds"),
        ("kinds", "integer float", "are no kinds"),
        ("kinds", "integer slow-ram slow-ram", "are no kinds"),
        ("clock_hz", "0", "clock cannot be"),
        ("use", "seen", "neither held-out nor fitted"),
        ("measured", "0", "cycles cannot be"),
        ("measured", "nan", "cycles cannot be"),
        ("predicted", "1.5", "invalid literal"),
        ("predicted", "-1", "cycles cannot be"),
        ("predicted", "9" * 400, "cycles cannot be"),
        ("measured", "5e-324", "cycles cannot be"),
    ],
)
def test_a_line_that_is_none(tmp_path: Path, column: str, value: str, words: str) -> None:
    path = tmp_path / "record.csv"
    write_record(path, [LINE, LINE])
    row = {**{name: str(getattr(LINE, name)) for name in COLUMNS}, "kinds": "integer", column: value}
    with path.open("a", newline="") as file:
        csv.DictWriter(file, COLUMNS).writerow(row)
    with pytest.raises(DataError, match=words) as caught:
        read_record(path)
    assert caught.value.where == f"{path}, line 3" and caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        *(f"{','.join(COLUMNS)}\n{line}\n" for line in ("1,2", "1," * 20, "p,r,c,1,integer,held-out,1,1", '"p')),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.csv").write_text(text)
    with pytest.raises(DataError, match="no record of measured programs"):
        read_record(tmp_path / "record.csv")


def test_the_record_that_comes_with_mcusim() -> None:
    """Its lines are read, speak for chips that there are, and none is there twice."""
    shipped = read_record(RECORD)
    chips = [load_board(name).chip for name in board_names()]
    named = {name for chip in chips if chip.timing for name in chip.timing.records}
    assert named <= {line.record for line in shipped}
    assert len({(line.program, line.chip, line.clock_hz) for line in shipped}) == len(shipped)
    assert all(line.source and line.date for line in shipped)
    assert isinstance(error_of(("integer",), L452), dict) and isinstance(error_of(("integer",), APOLLO3), str)


def test_a_summary_by_kind_and_use() -> None:
    told = summary([*lines(1, 2), *lines(5, kinds=("integer", "slow-ram"), use="fitted")])
    assert told == [
        "integer, held-out: 2 rows: median 1.50 %, p90 1.90 %, largest 2.00 %",
        "integer, fitted: 1 rows: median 5.00 %, p90 5.00 %, largest 5.00 %",
        "slow-ram, fitted: 1 rows: median 5.00 %, p90 5.00 %, largest 5.00 %",
    ]


def table() -> str:
    """As docs/timing.md has it."""
    rows = ["| record | kind of code | | lines | median | p90 | largest |", "|---|---|---|---|---|---|---|"]
    shipped = read_record(RECORD)
    for name in sorted({line.record for line in shipped}):
        for kind, use, found in groups([line for line in shipped if line.record == name]):
            sizes = f"{found.median:.2f} % | {found.p90:.2f} % | {found.largest:.2f} %"
            rows.append(f"| `{name}` | `{kind}` | {use} | {found.rows} | {sizes} |")
    return "\n".join(rows)


def test_docs_have_the_summary(request: pytest.FixtureRequest) -> None:
    path = RECORD.parents[1] / "docs" / "timing.md"
    text = path.read_text(encoding="utf-8")
    found = re.fullmatch(r"(.*<!-- from platforms/measured\.csv -->\n\n)(.*?)(\n*<!-- end -->.*)", text, re.DOTALL)
    assert found, "docs/timing.md has no markers"
    wanted = f"{found[1]}{table()}\n\n{found[3].lstrip()}"
    if request.config.getoption("--update-golden"):
        path.write_text(wanted, encoding="utf-8", newline="\n")
    else:
        assert text == wanted, "docs/timing.md is behind platforms/measured.csv: --update-golden writes it"
