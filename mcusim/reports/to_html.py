"""Report -> one HTML file that needs nothing else: no network, no script, light and dark, on paper too.

It stays below 2 MB, which browsers and mails take: of more runs than fit it shows some, and says so.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcusim.reports.html import front, pictures, tables
from mcusim.reports.report import Report, Run
from mcusim.reports.table import error_lines, failures, remarks, summary, table
from mcusim.system.errors import MissingToolError
from mcusim.system.names import printable, shortened

if TYPE_CHECKING:
    import jinja2

LARGEST_BYTES = 2_000_000
LONGEST_TEXT = 600  # letters of a cell or a note


@dataclass(frozen=True)
class Most:
    """How many of each are shown."""

    runs: int
    looked_into: int
    layers: int
    notes: int
    points: int


_MOST = (Most(1000, 12, 60, 100, 400), Most(300, 6, 40, 50, 200), Most(100, 2, 20, 20, 100), Most(20, 1, 10, 10, 40))


def demand() -> None:
    """Raises MissingToolError without what draws the pictures."""
    if importlib.util.find_spec("vl_convert") is None:
        what = "the Python package 'vl-convert-python' is not installed: it draws the pictures of the HTML report"
        raise MissingToolError(what, hint="pip install 'mcusim[html]'")


def render(report: Report) -> str:
    """Raises MissingToolError as `demand` does."""
    demand()
    for most in _MOST:
        page = _page(report, most)
        if len(page.encode()) <= LARGEST_BYTES:
            break
    return page


def _page(report: Report, most: Most) -> str:
    headings, rows = table(report)
    fronts = front.fronts(report)
    chosen = _looked_into(report, fronts, most.looked_into)
    return _template().render(
        report=report,
        summary=summary(report),
        most=most,
        headings=headings,
        rows=list(enumerate(rows, 1))[: most.runs],
        failures=[error_lines(error, runs[: most.looked_into]) for error, runs in failures(report).items()],
        remarks=remarks(report),
        budgets=tables.budgets(report, most.runs),
        fronts=[
            (score, cost, [one.number for one in some if one.first], pictures.tradeoff(some, score, cost, most.points))
            for score, cost, some in fronts
        ],
        looked_into=[_inside(number, run, most) for number, run in chosen],
        every_figure=tables.every_figure([run for _, run in chosen]),
        chosen=chosen,
        explained=tables.explained(),
    )


def _looked_into(report: Report, fronts: list[Any], most: int) -> list[tuple[int, Run]]:
    """Those that nobody beats or that broke a budget first, of as many as there is room for; in their order."""
    broken = {check.run for check in report.broken}
    first = {point.number for _, _, some in fronts for point in some if point.first}
    runs = [(number, run) for number, run in enumerate(report.runs, 1) if not run.error]
    runs.sort(key=lambda one: (one[0] not in first, one[1].id not in broken))
    return sorted(runs[:most], key=lambda one: one[0])


def _inside(number: int, run: Run, most: Most) -> dict[str, Any]:
    layers = run.layers[: most.layers]
    classes = len(run.confusion or ())
    return {
        "number": number,
        "run": run,
        "layers": layers,
        "cycles": pictures.layers_of(run, layers) if any(one.cycles is not None for one in layers) else None,
        "flash": pictures.flash_of(layers) if any(one.weight_bytes is not None for one in layers) else None,
        "confusion": pictures.confusion_of(run) if 0 < classes <= pictures.MOST_CLASSES else None,
        "confused": tables.most_confused(run),
    }


@cache
def _template() -> jinja2.Template:
    """Whatever it shows is cut, freed of control characters and escaped, unless it is a picture of ours."""
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent / "html")
    strict: Any = jinja2.StrictUndefined
    environment = jinja2.Environment(
        loader=loader, autoescape=True, finalize=_shown, undefined=strict, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.jinja")


def _shown(value: Any) -> Any:
    if hasattr(value, "__html__"):
        return value
    text = str(value)
    inner = shortened(printable(text), LONGEST_TEXT)
    return f"{' ' * text.startswith(' ')}{inner}{' ' * text.endswith(' ')}" if inner else ""
