"""Report -> text, one format each: a module `to_<format>` with `render(report) -> str`.

One that shows what the folders of the runs keep has `render_from(report, folder) -> str`, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcusim.reports.report import Report

# What each option of `mcusim run` and `mcusim report` writes. The modules are loaded late: `--help` names all of them.
FORMATS: Mapping[str, str] = {
    "html": "HTML",
    "junit": "JUnit XML",
    "xunit": "JUnit XML, as the xUnit plug-in of Jenkins checks it",
    "metrics": "OpenMetrics text",
    "badge": "JSON for a badge of shields.io",
    "markdown": "Markdown",
    "annotations": "annotations of a GitHub job",
}


def demand(names: Iterable[str]) -> None:
    """Raises MissingToolError where what writes one of these formats is not installed."""
    for name in names:
        module = import_module(f"mcusim.reports.to_{name}")
        if hasattr(module, "demand"):
            module.demand()


def render(report: Report, name: str, folder: Path | None = None) -> str:
    """The report in the format of that name. `folder`: where the folders of its runs lie, for one that looks there."""
    module = import_module(f"mcusim.reports.to_{name}")
    if folder is not None and hasattr(module, "render_from"):
        return str(module.render_from(report, folder))
    return str(module.render(report))
