"""Report -> JSON that shields.io makes a badge of (its "endpoint"): how many budgets were kept, or what went wrong."""

import json

from mcusim.reports.report import Report
from mcusim.system.names import printable, shortened

LONGEST_LABEL = 40


def render(report: Report) -> str:
    message, color = _verdict(report)
    label = shortened(printable(report.experiment), LONGEST_LABEL)
    badge = {"schemaVersion": 1, "label": label, "message": message, "color": color, "isError": color == "red"}
    return json.dumps(badge) + "\n"


def _verdict(report: Report) -> tuple[str, str]:
    failed, runs, budgets = sum(run.error is not None for run in report.runs), len(report.runs), len(report.checks)
    if report.error or failed:
        return f"{failed} of {runs} runs failed" if failed else "failed", "red"
    if not report.complete:
        return "interrupted", "red"
    if report.broken:
        return f"{len(report.broken)} of {budgets} budgets broken", "red"
    return (f"{budgets} of {budgets} budgets kept", "brightgreen") if budgets else (f"{runs} runs", "blue")
