"""Report -> Markdown: a table for a pull request or the summary of a GitHub job."""

import html
import re
from collections.abc import Sequence

from mcusim.reports.report import Report
from mcusim.reports.table import BROKEN, NAMES, error_lines, failures, remarks, summary, table
from mcusim.system.names import printable


def render(report: Report) -> str:
    headings, rows = table(report)
    lines = [f"### mcusim: {escape(report.experiment)}", "", f"{summary(report)}.", ""]
    if rows:
        rule = ["---" if index < len(NAMES) else "---:" for index in range(len(headings))]
        cells = (table_row([escape(cell) for cell in row]) for row in rows)
        lines += [table_row(headings), table_row(rule), *cells, ""]
    for error, runs in failures(report).items():
        first, *more = error_lines(error, runs)
        lines += [f"- {escape(first)}", *(f"  - {escape(line)}" for line in more)]
    lines += [""] if failures(report) else []
    broken = [check for check in report.broken if not report.run(check.run).error]
    if broken:
        lines += [f"**Broken budgets** ({BROKEN} in the table)", ""]
        lines += [f"- {escape(f'{report.run(check.run).label}: {check}')}" for check in broken]
        lines += [""]
    elif report.checks and not report.broken:
        lines += [f"All {len(report.checks)} budgets kept.", ""]
    if found := remarks(report):
        lines += [*(f"- {escape(remark)}" for remark in found), ""]
    return "\n".join(lines)


# What GitHub makes a link, a mention or a picture of, although Markdown has no sign for it. An invisible space
# parts it: a backslash does not help.
_PARTED = re.compile(r"(@)(?=\w)|(#)(?=\d)|(GH-)(?=\d)|(:)(?=//)|(www)(?=\.)|(:)(?=[A-Za-z0-9_+-]+:)", re.IGNORECASE)
_BEGINS_BLOCK = re.compile(r"^([-+=])(?=[-+=\s]|$)|^([0-9]{1,9})(?=[.)](\s|$))")
_INVISIBLE = "&#8203;"


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no table cell, link, mention, HTML or code begins or ends in it."""
    text = printable(text)
    parted = _PARTED.sub(lambda found: f"{found[0]}\0", text)
    quoted = re.sub(r"([\\`*\[\]|~#$])", r"\\\1", html.escape(parted, quote=False))
    quoted = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", quoted)
    first = _BEGINS_BLOCK.match(text)
    if first:
        quoted = f"\\{quoted}" if first[1] else f"{first[2]}\\{quoted[first.end() :]}"
    return quoted.replace("\0", _INVISIBLE)


def table_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
