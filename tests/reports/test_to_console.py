"""The table: fits, wraps, and takes no name for markup."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from rich.console import Console

from mcusim.reports.report import Report
from mcusim.reports.to_console import show
from tests.reports.reports import empty_report, full_report, good_run, hostile_report, timed

Golden = Callable[[str, str], None]


def shown(report: Report, width: int = 100, *, terminal: bool = False) -> str:
    out = io.StringIO()
    show(
        report,
        Console(
            file=out,
            width=width,
            force_terminal=terminal,
            highlight=False,
            color_system="standard" if terminal else None,
        ),
    )
    return out.getvalue()


@pytest.mark.parametrize("width", [100, 50])
def test_golden(golden: Golden, width: int) -> None:
    golden(f"full_{width}.txt", shown(full_report(), width))


@pytest.mark.parametrize("make", [full_report, hostile_report, empty_report])
@pytest.mark.parametrize("width", [30, 50, 79, 100, 200])
def test_nothing_is_wider_than_the_terminal(make: Callable[[], Report], width: int) -> None:
    assert max(cell_len(line) for line in shown(make(), width).splitlines()) <= width


def test_the_demo_fits_eighty_columns_as_a_table() -> None:
    kinds, boards = ("float32", "int16", "int8"), ("nucleo_l452re_p", "sparkfun_edge")
    runs = tuple(timed(good_run("gesture_net", kind, board)) for kind in kinds for board in boards)
    text = shown(dataclasses.replace(full_report(), runs=runs, checks=()), 80)
    assert "accu-" in text, "headings of the table"
    assert "6 runs, 2,947 test samples each, 0 mismatches" in text and "mis-" not in text
    assert "instruc-" not in text, "latency tells more"


def test_columns_that_tell_something_are_there() -> None:
    wrong = dataclasses.replace(timed(good_run()), mismatches=3)
    text = shown(dataclasses.replace(full_report(), runs=(wrong,), checks=()))
    assert "mis-" in text and "mismatches" not in text
    text = shown(dataclasses.replace(full_report(), runs=(good_run(),), checks=()))
    assert "instruc-" in text and "1,234,567" in text


def test_a_figure_that_broke_its_budget_is_marked() -> None:
    text = shown(full_report())
    assert "!23.4" in text, "ROM of 24,000 bytes"


def test_missing_latency_says_why() -> None:
    run = dataclasses.replace(good_run(), no_cycles="engine host has no clock to count by")
    other = dataclasses.replace(timed(good_run("cnn", "int8", "b")), id="b")
    assert "no latency: engine host has" in shown(dataclasses.replace(full_report(), runs=(run,), checks=()))
    text = shown(dataclasses.replace(full_report(), runs=(run, other), checks=()))
    assert "no latency (nucleo_l452re_p): engine host has" in text


def test_names_are_no_markup_and_no_escape_sequences() -> None:
    text = shown(hostile_report(), 200)
    assert "[red]x[/red]" in text and "\x1b" not in text and "\u202e" not in text and "\x00" not in text


def test_escape_sequences_on_a_terminal_are_ours_only() -> None:
    assert "\x1b[31m \N{REPLACEMENT CHARACTER}" not in shown(hostile_report(), 200, terminal=True)


def test_what_a_reader_must_see() -> None:
    text = " ".join(shown(full_report()).split())
    for words in (
        "error: no answer to sample 4 within 60 s in: nn_dense.h:31 hint: the firmware hangs",
        "failed: cnn, int9, sparkfun_edge",
        "first mismatch: cnn #2, int16 Q7.9 floor, sparkfun_edge: sample 17, output 2: expected -5, got 6",
        "ROM 24,000 bytes is over 20,000 bytes by 20 % (rom_bytes_max)",
        "this run has no latency",
        "budgets: 1 of 5 kept",
        "note (sparkfun_edge): linked with RAM elsewhere",
    ):
        assert words in text


def test_an_error_of_several_runs_is_told_once() -> None:
    failed = full_report().runs[-1]
    twice = dataclasses.replace(full_report(), runs=(failed, dataclasses.replace(failed, id="x", board="b")), checks=())
    text = shown(twice)
    assert text.count("no answer") == 1 and "failed: cnn, int9, sparkfun_edge; cnn, int9, b" in text


def test_an_unfinished_report_says_so() -> None:
    assert "not complete" in shown(empty_report())


def test_a_name_of_a_million_letters_is_cut() -> None:
    run = dataclasses.replace(good_run(), model="a" * 1_000_000, notes=("b" * 1_000_000,))
    assert len(shown(dataclasses.replace(full_report(), runs=(run,), checks=()))) < 6000


def test_a_note_of_one_engine_names_the_board_in_it() -> None:
    runs = [good_run("cnn", kind, board) for kind in ("int8", "int16") for board in ("a", "b")]
    runs = [dataclasses.replace(run, notes=("stands in",) if run.board == "b" else ()) for run in runs]
    others = [dataclasses.replace(run, id=f"{run.id}-renode", engine="renode", notes=()) for run in runs]
    text = shown(dataclasses.replace(full_report(), runs=(*runs, *others), checks=()))
    assert "note (b): stands in" in text


BOLD, DIM, RED, GREEN, YELLOW = (f"\x1b[{code}m" for code in (1, 2, 31, 32, 33))


def _line_of(report: Report, words: str) -> str:
    return next(line for line in shown(report, 200, terminal=True).splitlines() if words in line)


def test_colours_tell_what_to_look_at() -> None:
    report = full_report()
    broken = dataclasses.replace(report.checks[2], run=report.runs[0].id)
    some = dataclasses.replace(report, runs=(*report.runs[:2], report.runs[2]), checks=(broken,))
    good = dataclasses.replace(report, runs=report.runs[1:2], checks=(report.checks[0],))
    good = dataclasses.replace(good, checks=(dataclasses.replace(good.checks[0], run=good.runs[0].id),))
    for of, words, code in (
        (report, "gestures", BOLD),
        (report, "model", BOLD),
        (some, "int8", YELLOW),
        (some, "int16", RED),
        (report, "first mismatch", RED),
        (report, "linked with RAM", DIM),
        (report, "the firmware hangs", RED),
        (some, "broken budget", RED),
        (some, "0 of 1 kept", RED),
        (good, "1 of 1 kept", GREEN),
    ):
        assert _line_of(of, words).startswith(code), words
    assert "\x1b" not in _line_of(good, "float32")


def test_a_table_that_fits_exactly_is_one() -> None:
    report = dataclasses.replace(full_report(), runs=(timed(good_run()),), checks=())
    rule = next(line for line in shown(report, 200).splitlines() if line.startswith("─"))
    cells = [line for line in shown(report, len(rule)).splitlines() if line.startswith("─")]
    assert [len(line) for line in cells] == [len(rule)]
