"""Comparison -> Markdown: for a pull request, or the summary of a GitHub job."""

from mcusim.comparison.comparison import Comparison
from mcusim.comparison.told import (
    HEADINGS,
    NAMES,
    broken,
    changed_runs,
    commits,
    limits,
    lines,
    remarks,
    rows,
    summary,
    title,
)
from mcusim.reports import to_markdown
from mcusim.reports.to_markdown import escape, table_row


def render(comparison: Comparison) -> str:
    text = [f"### mcusim compare: {escape(title(comparison))}", "", f"{escape(summary(comparison))}.", ""]
    text += [f"{escape(told)}.", ""] if (told := commits(comparison)) else []
    if comparison.is_first:
        return "\n".join([*text, *map(to_markdown.render, comparison.head.reports)])
    shown = changed_runs(comparison)
    table = [table_row([escape(cell) for cell in row]) for run in shown for row in rows(run)]
    if table:
        rule = ["---" if index < NAMES else "---:" for index in range(len(HEADINGS))]
        text += [table_row(HEADINGS), table_row(rule), *table, ""]
    for run in shown:
        if found := [*lines(run)]:
            text += [f"- {escape(run.run.label)}", *(f"  - {escape(line)}" for line in found)]
    text += [""] if shown else []
    if found := broken(comparison):
        text += ["**Broken limits**", "", *(f"- {escape(line)}" for line in found), ""]
    elif told := limits(comparison):
        text += [f"{escape(told)}.", ""]
    if found := remarks(comparison):
        text += [*(f"- {escape(remark)}" for remark in found), ""]
    return "\n".join(text)
