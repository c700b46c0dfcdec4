"""Rows of figures: each is right about its key, and docs/ says what the rows say."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mcusim.experiment.tables import Expect, Regress
from mcusim.reports import table
from mcusim.reports.figures import (
    BUDGETS,
    COLUMNS,
    ENERGY,
    FIGURES,
    INSIDE,
    OF_TASKS,
    PROPERTIES,
    REGRESS,
    ROWS,
    SCORES,
    SIZE,
    TIME,
    WHO_RAN,
)
from mcusim.tasks.figure import Figure, Row
from tests.reports.reports import full_report, good_run

DOCS = Path(__file__).parents[2] / "docs"


def test_no_key_has_two_rows() -> None:
    keys = [row.key for row in ROWS]
    assert len(keys) == len(set(keys))


def test_a_figure_is_a_number_of_a_run_and_a_row_is_not() -> None:
    timed = full_report().runs[1]
    for row in (row for row in ROWS if "[]" not in row.key and row.key not in ("repeat", "clock_hz", "wall_s")):
        value = row.value(timed)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        assert is_number == isinstance(row, Figure) or value is None, row.key


def test_what_nobody_knows_is_no_figure() -> None:
    assert FIGURES["cycles.mean"].value(good_run()) is None and FIGURES["cycles.mean"].cell(good_run()) == ""
    assert (
        FIGURES["rom_bytes.total"].value(good_run()) == 24000 and FIGURES["rom_bytes.total"].cell(good_run()) == "23.4"
    )
    with pytest.raises(AttributeError):
        Row("rom_byte", "a slip of the pen").value(good_run())


def test_a_number_of_a_task_is_found_by_its_name() -> None:
    error = Figure("scores.far_off", "made up", better="lower")
    assert error.value(replace(good_run(), scores={"far_off": 0.25})) == 0.25
    assert error.value(good_run()) is None, "of another task"


@pytest.mark.parametrize("name", BUDGETS)
def test_a_budget_limits_its_figure_from_the_bad_side(name: str) -> None:
    budget, figure = BUDGETS[name]
    assert figure.better == {"min": "higher", "max": "lower"}[name.rpartition("_")[2]]
    assert figure.keeps(2, 2) and figure.keeps(1, 2) != figure.keeps(3, 2)
    assert figure.keeps(3, 2) == (figure.better == "higher")
    assert budget.lacks and budget.doc and figure.word


def test_expect_has_a_field_for_each_budget_in_their_order() -> None:
    assert list(Expect.model_fields) == [*BUDGETS, "margin"]


def test_each_limit_of_a_comparison_has_a_word_of_its_own_and_a_direction() -> None:
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) and figure.better for name, figure in REGRESS.items())
    assert {figure for _, figure in BUDGETS.values()} <= set(REGRESS.values())
    assert not any(figure.noisy for figure in REGRESS.values()) and list(Regress.model_fields) == list(REGRESS)


def test_figures_can_be_properties_of_a_test_case() -> None:
    assert {row.key for row in PROPERTIES} > set(FIGURES) - {"accuracy_drop"}


# -- the table ---------------------------------------------------------------------------------------------------------

ERROR = Figure("scores.far_off", "made up", heading="far off", show=lambda value: f"{value:.3f}", better="lower")


def test_the_table_of_another_task_has_its_figures_and_no_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "COLUMNS", (COLUMNS[0], ERROR, *COLUMNS[1:]))
    monkeypatch.setattr(table, "OF_TASKS", (*OF_TASKS, ERROR))
    run = replace(good_run(), accuracy=None, accuracy_float=None, confusion=None, scores={"far_off": 0.25})
    failed = full_report().runs[-1]
    headings, rows = table.table(replace(full_report(), runs=(run, failed), checks=()))
    assert headings[3:5] == ("far off", "ROM KiB")
    assert [row[3] for row in rows] == ["0.250", "failed"]


def test_failed_runs_alone_have_a_column_to_say_so() -> None:
    headings, rows = table.table(replace(full_report(), runs=full_report().runs[-1:], checks=()))
    assert headings == ("model", "type", "board", "accuracy %") and rows[0][3] == "failed"


# -- docs/ -------------------------------------------------------------------------------------------------------------


def _rows(rows: Iterable[Row]) -> str:
    told = (row for row in rows if not (isinstance(row, Figure) and row.of))
    lines = [f"| `{row.key}` | {row.unit} | {row.doc} |".replace("|  |", "| |") for row in told]
    return "\n".join(["| key | unit | what, and how it was obtained |", "|---|---|---|", *lines])


def _budgets() -> str:
    return "\n".join(
        ["| key | |", "|---|---|", *(f"| `{name}` | {budget.doc} |" for name, (budget, _) in BUDGETS.items())]
    )


def _limited() -> str:
    """Budgets that limit another key than the one they are called after."""
    pairs = {name: figure.doc if figure.of else f"`{figure.key}`" for name, (_, figure) in BUDGETS.items()}
    pairs = {name: held for name, held in pairs.items() if held.strip("`") != name.rpartition("_")[0]}
    first, *others = (f"`{name}` {{}}against {held}" for name, held in pairs.items())
    told = ", ".join([first.format("is held "), *(other.format("") for other in others)])
    told += "; every other budget against the key of its name."
    return "\n".join(textwrap.wrap(told, 120, break_long_words=False, break_on_hyphens=False))


def _regress() -> str:
    lines = (
        f"| `{name}` | `{figure.key}` | {'falls' if figure.better == 'higher' else 'rises'} |"
        if not figure.of
        else f"| `{name}` | {figure.doc} | rises |"
        for name, figure in REGRESS.items()
    )
    return "\n".join(["| key | limits | which is worse when it |", "|---|---|---|", *lines])


GENERATED: Mapping[tuple[str, str], str] = {
    ("report.md", "who ran"): _rows(WHO_RAN),
    ("report.md", "what came out"): _rows((*SCORES, *TIME, *ENERGY)),
    ("report.md", "how big"): _rows(SIZE),
    ("report.md", "inside, and how it went"): _rows(INSIDE),
    ("report.md", "what budgets limit"): _limited(),
    ("experiment.md", "budgets"): _budgets(),
    ("experiment.md", "regress"): _regress(),
}


@pytest.mark.parametrize(("name", "part"), GENERATED)
def test_docs_say_what_the_rows_say(name: str, part: str, request: pytest.FixtureRequest) -> None:
    path = DOCS / name
    found = re.fullmatch(
        rf"(.*<!-- from figures\.py: {part} -->\n\n)(.*?)(\n\n<!-- end -->.*)",
        text := path.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert found, f"{name} has no markers for {part!r}"
    wanted = found[1] + GENERATED[name, part] + found[3]
    if request.config.getoption("--update-golden"):
        path.write_text(wanted, encoding="utf-8", newline="\n")
    else:
        assert text == wanted, f"{path} is behind mcusim/reports/figures.py: --update-golden writes it"


def test_every_row_is_documented() -> None:
    parts = (WHO_RAN, SCORES, TIME, ENERGY, SIZE, INSIDE)
    assert sum(map(len, parts)) == len(ROWS)


@pytest.mark.parametrize(
    "value, shown", [(1234.567, "1,234.57"), (0.65, "0.65"), (0.0421, "0.042"), (4.2e-5, "0.000042"), (0.0, "0.00")]
)
def test_a_small_latency_keeps_two_digits(value: float, shown: str) -> None:
    assert FIGURES["latency_ms"].show(value) == shown
