"""Report -> the table, errors and remarks that people read: the same ones in the console and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from mcusim.reports.figures import COLUMNS, OF_TASKS
from mcusim.reports.report import Report, Run, RunError
from mcusim.tasks.figure import Figure

NAMES = ("model", "type", "board")  # columns that tell which run it is


def table(report: Report) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows, names as users gave them. Columns of which no run knows anything are left out."""
    columns = _columns(report)
    rows = [_row(run, columns) for run in report.runs]
    return (*NAMES, *(figure.heading for figure in columns)), rows


def _columns(report: Report) -> tuple[Figure, ...]:
    """The first is there in any case: what went wrong is told in it."""
    known = tuple(figure for figure in COLUMNS if any(figure.cell(run) for run in report.runs))
    scores = tuple(figure for figure in known if figure in OF_TASKS)
    return known if scores else (COLUMNS[0], *known)


def _row(run: Run, columns: Sequence[Figure]) -> tuple[str, ...]:
    first, *others = (figure.cell(run) for figure in columns)
    return run.model_label, run.type_label, run.board_label, "failed" if run.error else first, *others


def failures(report: Report) -> dict[RunError, list[Run]]:
    """Each error once, with the runs that it ended."""
    found: dict[RunError, list[Run]] = {}
    for run in report.runs:
        if run.error:
            found.setdefault(run.error, []).append(run)
    return found


def error_lines(error: RunError, runs: Sequence[Run]) -> list[str]:
    """The error as the command line prints one, and where it happened."""
    lines = [f"error: {error.message}"]
    lines += [f"  in: {error.where}"] if error.where else []
    lines += [f"  hint: {error.hint}"] if error.hint else []
    return [*lines, f"  failed: {'; '.join(run.label for run in runs)}"]


def remarks(report: Report) -> list[str]:
    """What a reader should know beside table and errors: interruptions, mismatches, notes."""
    lines = []
    for run in report.runs:
        if not run.complete and not run.error:
            lines.append(f"interrupted: {run.label} after {run.samples:,} samples")
        if run.first_mismatch:
            first = run.first_mismatch
            lines.append(
                f"first mismatch: {run.label}: sample {first.sample}, output {first.output}: "
                f"expected {_number(first.expected)}, got {_number(first.got)}"
            )
    if not report.complete:
        lines.append("not complete: the experiment was interrupted, or is still running")
    return lines + _notes(report)


def _notes(report: Report) -> list[str]:
    """Each note once, with the boards it is true for."""
    boards: dict[str, dict[str, None]] = {}
    for run in report.runs:
        for note in run.notes:
            boards.setdefault(note, {})[run.board] = None
    every = {run.board for run in report.runs}
    return [
        f"note: {note}" if len(where) == len(every) else f"note ({', '.join(where)}): {note}"
        for note, where in boards.items()
    ]


def _number(value: int | float | None) -> str:
    """Nine digits tell two float32 apart."""
    return "NaN or infinity" if value is None else str(value) if isinstance(value, int) else f"{value:.9g}"
