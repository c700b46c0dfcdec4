"""Comparison -> one HTML file, a page like that of a report: what changed, by which layers and functions, and limits.

It stays below 2 MB: of more than fits it shows some, and says so.
"""

from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from mcusim.comparison import pictures
from mcusim.comparison.comparison import Comparison, Held, LayerChange, RunComparison
from mcusim.comparison.reasons import went
from mcusim.comparison.told import HEADINGS, NAMES, changed_runs, commits, known_changes, lines, remarks, rows, summary
from mcusim.comparison.told import title as title_of
from mcusim.comparison.wording import signed, told
from mcusim.reports.html.page import demand, template, that_fits
from mcusim.reports.table import table

COUNTS = (("cycles", "cycles"), ("code_bytes", "code bytes"), ("weight_bytes", "weights bytes"))


@dataclass(frozen=True)
class Most:
    """How many of each are shown."""

    runs: int
    looked_into: int
    layers: int
    functions: int
    limits: int


_MOST = (Most(100, 12, 60, 20, 300), Most(50, 6, 40, 10, 100), Most(20, 2, 20, 10, 40), Most(10, 1, 10, 5, 20))


def render(comparison: Comparison) -> str:
    """Raises MissingToolError without what draws the pictures."""
    demand()
    return that_fits(_page(comparison, most) for most in _MOST)


def _page(comparison: Comparison, most: Most) -> str:
    shown = [] if comparison.is_first else changed_runs(comparison)
    held = sorted(comparison.held, key=lambda one: one[1].passed)
    return template(Path(__file__).with_name("page.html.jinja")).render(
        comparison=comparison,
        title=title_of(comparison),
        summary=summary(comparison),
        commits=commits(comparison),
        most=most,
        headings=HEADINGS,
        names=NAMES,
        limits=[(run.run.label, _verdict(one), told(one)) for run, one in held[: most.limits]],
        held=len(held),
        first=[(report.experiment, *table(report)) for report in comparison.head.reports * comparison.is_first],
        changed=[row for number, run in enumerate(shown[: most.runs], 1) for row in _judged(number, run)],
        pictures=pictures.of_figures(shown[: most.runs]),
        runs=shown,
        looked_into=[_inside(number, run, most) for number, run in enumerate(shown[: most.looked_into], 1)],
        remarks=remarks(comparison),
    )


def _verdict(held: Held) -> str:
    if held.passed and held.reason:
        return "not held"
    return "kept" if held.passed else "broken"


def _judged(number: int, run: RunComparison) -> list[tuple[str, tuple[str, ...], str]]:
    """Number of the run in its first row, cells of each figure, and `better`, `worse` or nothing."""
    numbers = chain([str(number)], repeat(""))
    verdicts = chain((change.verdict or "" for change in known_changes(run)), repeat(""))
    return list(zip(numbers, rows(run), verdicts, strict=False))


def _inside(number: int, run: RunComparison, most: Most) -> dict[str, Any]:
    return {
        "label": f"{number}: {run.run.label}",
        "lines": [*lines(run)],
        "layers": [(went(layer), _counts(layer)) for layer in run.layers[: most.layers]],
        "all_layers": len(run.layers),
        "functions": run.functions[: most.functions],
        "all_functions": len(run.functions),
        "picture": pictures.of_layers(run.layers[: most.layers]),
    }


def _counts(layer: LayerChange) -> list[tuple[str, str, str]]:
    """(before, now, change) of each of COUNTS."""
    found = []
    for key, _ in COUNTS:
        before, now = (getattr(side, key) if side else None for side in (layer.base, layer.head))
        change = signed(now - before) if before is not None and now is not None and now != before else ""
        found.append((_whole(before), _whole(now), change))
    return found


def _whole(count: float | None) -> str:
    return "" if count is None else f"{count:,.0f}"
