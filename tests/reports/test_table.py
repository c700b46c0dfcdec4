"""What is said of runs beside their table: which of them a note is about, and each output of several."""

from __future__ import annotations

from dataclasses import replace

from mcusim.line.score import OutputFigures
from mcusim.reports.report import Run
from mcusim.reports.table import remarks
from tests.comparison.comparing import bits
from tests.reports.reports import full_report, good_run

BOARDS = ("nucleo_l452re_p", "sparkfun_edge")


def told(*runs: Run) -> list[str]:
    return [line for line in remarks(replace(full_report(), runs=runs, checks=())) if line.startswith(("note", "outp"))]


def grid() -> list[Run]:
    names = [(model, data_type, board) for model in "ab" for data_type in ("float32", "int8") for board in BOARDS]
    return [replace(good_run(*name), notes=()) for name in names]


def test_a_note_names_the_runs_that_it_is_about_in_the_fewest_words() -> None:
    for of, words in {
        lambda run: True: "note: x",
        lambda run: run.data_type == "int8": "note (int8): x",
        lambda run: run.board == BOARDS[1]: f"note ({BOARDS[1]}): x",
        lambda run: run.model == "b" and run.data_type == "int8": "note (b, int8): x",
        lambda run: run.id == f"a-int8-{BOARDS[0]}": f"note (a, int8, {BOARDS[0]}): x",
    }.items():
        assert told(*(replace(run, notes=("x",)) if of(run) else run for run in grid())) == [words]


def test_of_many_runs_a_note_names_boards_unless_all_are_meant() -> None:
    many = [replace(good_run(board=board), id=f"{board}{at}", notes=()) for at in range(501) for board in BOARDS]
    noted = [replace(run, notes=("x",)) for run in many]
    assert told(*noted) == ["note: x"]
    assert told(*(run if run.board == BOARDS[0] else new for run, new in zip(many, noted, strict=True))) == [
        f"note ({BOARDS[1]}): x"
    ]


def test_decisions_of_a_variant_are_held_against_the_first() -> None:
    def run(board: str, variant: str, *wrong: int) -> Run:
        return replace(good_run(board=board), id=f"{board}{variant}", variant=variant, right=bits(*wrong), notes=())

    runs = [run(board, name, *wrong) for name, wrong in (("exact", (1, 2)), ("half", (2, 3, 4))) for board in BOARDS]
    lines = [
        line for line in remarks(replace(full_report(), runs=tuple(runs), checks=())) if line.startswith("against")
    ]
    assert lines == ["against 'exact' (int8, half): -0.03 points, 2 worse, 1 better, p = 1"]
    assert [run.type_label for run in runs[::2]] == ["int8, exact", "int8, half"]


def test_each_of_several_outputs_is_told() -> None:
    """The table has the worst of them."""
    figures = OutputFigures("a", "classification", 0.9722, {"f1_macro": 0.9}, 0, 0.0, None)
    other = OutputFigures("b", "regression", None, {"mae": 0.1}, 0, 0.0, None)
    run = replace(good_run(), outputs=(figures, other), notes=())
    assert told(run) == ["outputs: a accuracy 97.22 %, b mean absolute error 0.1"]
