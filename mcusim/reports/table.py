"""Run -> the cells of a table for people: the same figures in the console and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from mcusim.reports.report import Report, Run, RunError

# The last two columns are there when a run has them.
HEADINGS = (
    "model",
    "type",
    "board",
    "accuracy %",
    "float %",
    "mismatches",
    "ROM KiB",
    "RAM KiB",
    "instructions",
    "latency ms",
    "energy uWh",
)
LEFT_ALIGNED = 3


def table(report: Report) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows, names as users gave them. Columns of which no run knows anything are left out."""
    rows = [_cells(run) for run in report.runs]
    known = [i for i in range(len(HEADINGS)) if i < LEFT_ALIGNED + 1 or any(row[i] for row in rows)]
    return tuple(HEADINGS[i] for i in known), [tuple(row[i] for i in known) for row in rows]


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


def _cells(run: Run) -> tuple[str, ...]:
    return (
        run.model_label,
        run.type_label,
        run.board_label,
        "failed" if run.error else _percent(run.accuracy),
        _percent(run.accuracy_float),
        "" if run.mismatches is None else f"{run.mismatches:,}",
        _kib(run.rom_bytes.total if run.rom_bytes else None),
        _kib(run.ram_bytes.total if run.ram_bytes else None),
        f"{run.instructions.mean:,.0f}" if run.instructions else "",
        f"{run.latency_ms:,.2f}" if run.latency_ms is not None else "",
        f"{run.energy_uwh:,.4f}" if run.energy_uwh is not None else "",
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _kib(size: int | None) -> str:
    return "" if size is None else f"{size / 1024:,.1f}"


def _number(value: int | float | None) -> str:
    """Nine digits tell two float32 apart."""
    return "NaN or infinity" if value is None else str(value) if isinstance(value, int) else f"{value:.9g}"
