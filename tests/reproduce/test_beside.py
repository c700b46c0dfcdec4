"""Numbers of a paper beside ours, as rows, as CSV and as a page."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from mcusim.reports.report import RunError
from mcusim.reproduce import to_csv, to_html
from mcusim.reproduce.beside import Beside, beside, losses, ours_of
from mcusim.reproduce.run import Reproduction
from mcusim.reproduce.told import latencies, remarks, summary
from tests.reproduce.studies import reproduced, run_of


def row_of(found: Reproduction, metric: str, size: int, board: str = "") -> Beside:
    [row] = [
        row
        for row in beside(found)
        if (row.metric, row.size, row.board, row.type_label) == (metric, size, board, "int8 per-layer")
        and row.framework in ("", "MicroAI")
    ]
    return row


def test_a_share_is_compared_in_points_and_bytes_in_percent() -> None:
    found = reproduced(run_of(16, "int8", 0.95))
    accuracy, rom = row_of(found, "accuracy_pct", 16), row_of(found, "rom_kib", 16, "nucleo_l452re_p")
    assert (accuracy.paper, accuracy.ours, accuracy.difference) == (92.41, 95.0, pytest.approx(2.59))
    assert (rom.paper, rom.ours) == (45.038, 40.0) and rom.difference == pytest.approx(100 * (40 / 45.038 - 1))


def test_repeats_are_told_by_their_mean() -> None:
    found = reproduced(run_of(16, "int8", 0.90), run_of(16, "int8", 0.96, repeat=1))
    assert row_of(found, "accuracy_pct", 16).ours == pytest.approx(93)


def test_boards_have_one_accuracy_and_a_rom_each() -> None:
    """Of a repeat on a second board its accuracy would count twice."""
    runs = (run_of(16, "int8", 0.90), run_of(16, "int8", 0.90, "sparkfun_edge"), run_of(16, "int8", 0.96, repeat=1))
    found = reproduced(*runs)
    assert row_of(found, "accuracy_pct", 16).ours == pytest.approx(93)
    assert row_of(found, "rom_kib", 16, "sparkfun_edge").ours == 40.0


def test_another_way_to_the_same_numbers_is_shown_as_they_are() -> None:
    run = replace(run_of(16, "int8", 0.9), quantization="int8 equalized")
    ours = ours_of(reproduced(run))
    assert ours["uci_har", "accuracy_pct", "", "int8", 16] == pytest.approx(90)
    assert ours["uci_har", "rom_kib", "nucleo_l452re_p", "int8", 16] == 40.0
    assert {label for _, _, _, label, _ in ours} == {"int8"}


def test_memory_of_parameters_is_counted_as_in_the_paper() -> None:
    found = reproduced(run_of(16, "int8", 0.9))
    assert row_of(found, "parameters_bytes", 16).ours == 250 * 16


def test_of_what_failed_or_was_not_run_only_the_paper_is_told() -> None:
    failed = replace(run_of(16, "int8", 0.9), error=RunError("BuildError", "no"))
    row = row_of(reproduced(failed), "rom_kib", 16, "nucleo_l452re_p")
    assert row.ours is None and row.difference is None and row.paper == 45.038
    assert [*remarks(reproduced(run_of(16, "int8", 0.9)))] == [
        "uci_har: no network of 24, 32, 40, 48, 64, 80 filters; `--train` trains them"
    ]


def test_what_is_too_big_for_a_board_is_an_answer_and_no_failure() -> None:
    fits, big = replace(run_of(16, "int8", 0.9), latency_ms=7.6), run_of(24, "int8", 0.9)
    found = reproduced(fits, replace(big, error=RunError("TooBigError", "overflows RAM by 3 bytes")))
    assert found.exit_code == 0 and "1 too big" in summary(found.parts[0])
    [row] = latencies(found.parts[0], ours_of(found)).rows
    assert row[-2:] == ("7.6", "too big")
    assert any("overflows RAM by 3 bytes" in line for line in remarks(found))
    assert reproduced(fits, replace(big, error=RunError("BuildError", "no"))).exit_code == 5


def test_the_largest_loss_is_told_beside_the_papers() -> None:
    each = ((16, "float32", 0.95), (16, "int8", 0.94), (80, "float32", 0.95), (80, "int8", 0.93))
    runs = [run_of(*one) for one in each]
    [loss] = losses(reproduced(*runs))
    assert (loss.type_label, loss.size, loss.paper) == ("int8 per-layer", 80, 0.81)
    assert loss.points == pytest.approx(2)


def test_csv_has_every_number_of_the_paper_and_ours() -> None:
    rows = [*csv.DictReader(to_csv.render(reproduced(run_of(16, "int8", 0.95))).splitlines())]
    assert sum(bool(row["paper"]) for row in rows) == 2 + 30 * 7
    [row] = [row for row in rows if row["metric"] == "accuracy_pct" and row["type"] == "int8 per-layer"]
    assert (row["ours"], row["paper"], row["difference"], row["difference_unit"]) == ("95", "92.41", "2.59", "points")


@pytest.mark.usefixtures("drawn")
def test_a_page_has_figures_and_tables() -> None:
    runs = [run_of(size, name, 0.9 + size / 1000) for size in (16, 24) for name in ("float32", "int8")]
    page = to_html.render(reproduced(*runs, quick=True))
    assert all(f"Figure {number}:" in page for number in (5, 6, "A1"))
    assert all(f"<h2>Table A{number}:" in page for number in (3, 4, 5))
    assert "40.0 (-11 %)" in page and "--quick" in page and "<script" not in page


@pytest.mark.usefixtures("drawn")
def test_before_anything_ran_there_is_a_page() -> None:
    assert "1,034.0" in to_html.render(reproduced())
