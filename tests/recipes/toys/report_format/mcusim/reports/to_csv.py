"""Report -> CSV: a line for each run."""

from __future__ import annotations

from mcusim.reports.report import Report
from mcusim.reports.table import table


def render(report: Report) -> str:
    headings, rows = table(report)
    return "\n".join(",".join(cell.replace(",", "") for cell in row) for row in (headings, *rows))
