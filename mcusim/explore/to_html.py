"""Exploration -> one HTML file, a page like that of a report: the front, all points, and what each value contributed.

It stays below 2 MB: of more than fits it shows some, and says so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcusim.explore import pictures
from mcusim.explore.contributions import Contribution, contributions
from mcusim.explore.exploration import Exploration
from mcusim.explore.to_console import columns_of, heading, remarks, rows_of, summary, value_of
from mcusim.reports.html.page import demand, template, that_fits

MOST_PICTURES = 4  # of the first objective against others


@dataclass(frozen=True)
class Most:
    """How many of each are shown."""

    points: int
    axes: int
    rows: int


_MOST = (Most(1000, 24, 300), Most(300, 12, 100), Most(100, 8, 40), Most(20, 4, 20))


def render(found: Exploration) -> str:
    """Raises MissingToolError without what draws the pictures."""
    demand()
    return that_fits(_page(found, most) for most in _MOST)


def _page(found: Exploration, most: Most) -> str:
    columns = columns_of(found)
    score, *others = found.objectives
    shown = pictures.shown_of(found, most.points)
    fitted = contributions(found.points, found.objectives, [len(values) for values in found.axes.values()])
    rows = list(rows_of(found, columns))
    return template(Path(__file__).with_name("page.html.jinja")).render(
        found=found,
        summary=summary(found),
        most=most,
        headings=[*map(heading, columns), *(["p"] if found.tested else [])],
        rows=rows,
        scatters=[
            (heading(score), heading(cost), pictures.scatter(found, cost, score, most.points))
            for cost in others[:MOST_PICTURES]
        ]
        if shown
        else [],
        lines=pictures.lines(found, most.points, most.axes) if shown else None,
        shown=len(shown),
        known=sum(1 for point in found.points if point.figures),
        objectives=[pictures.scale_of(name)[1] for name in found.objectives],
        fitted=fitted,
        explained=[None if share is None else f"{100 * share:.1f} %" for share in fitted.explained],
        contributed=[_row(found, one) for one in fitted.each[: most.rows]],
        remarks=[line for line, _ in remarks(found)],
        failed=found.failed[: most.rows],
    )


def _row(found: Exploration, one: Contribution) -> dict[str, Any]:
    axis, values = list(found.axes.items())[one.axis]
    factors = [pictures.scale_of(name)[0] for name in found.objectives]
    told = [
        "" if change is None else f"{factor * change:+.4g}" for factor, change in zip(factors, one.changes, strict=True)
    ]
    return {
        "axis": axis,
        "value": value_of(values[one.gene]),
        "base": value_of(values[0]),
        "points": one.points,
        "changes": told,
    }
