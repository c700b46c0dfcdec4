"""Report -> text, one format each: a module with `render(report) -> str`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcusim.reports.report import Report
from mcusim.reports.to_junit import render as to_junit
from mcusim.reports.to_markdown import render as to_markdown

FORMATS: Mapping[str, Callable[[Report], str]] = {"junit": to_junit, "markdown": to_markdown}
