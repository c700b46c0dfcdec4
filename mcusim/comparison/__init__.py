"""Two reports -> what changed between them, what that means, and whether it is more than was allowed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcusim.comparison.comparison import Comparison

# What options of `mcusim compare` write; modules `to_<format>`, loaded late as those of reports.
FORMATS: Mapping[str, str] = {
    "html": "HTML",
    "markdown": "Markdown",
    "json": "JSON (docs/compare.md)",
    "junit": "JUnit XML",
    "annotations": "annotations of a GitHub job",
}


def render(comparison: Comparison, name: str) -> str:
    """The comparison in the format of that name."""
    return str(import_module(f"mcusim.comparison.to_{name}").render(comparison))
