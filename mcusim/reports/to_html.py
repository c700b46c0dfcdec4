"""Report -> one HTML file that needs nothing else: no network, no script, light and dark, on paper too.

It stays below 2 MB: of more runs than fit it shows some, and says so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcusim.reports.html import arena, flame, front, pictures, quantized, rom, tables
from mcusim.reports.html.page import demand, template, that_fits
from mcusim.reports.html.worst import worst
from mcusim.reports.report import Report, Run
from mcusim.reports.table import error_lines, failures, remarks, summary, table

MOST_PARTS = 12  # flame graphs of single functions, and samples: each takes a while to draw


@dataclass(frozen=True)
class Most:
    """How many of each are shown."""

    runs: int
    looked_into: int
    layers: int
    notes: int
    points: int
    samples: int


_MOST = (
    Most(1000, 12, 60, 100, 400, 12),
    Most(300, 6, 40, 50, 200, 6),
    Most(100, 2, 20, 20, 100, 6),
    Most(20, 1, 10, 10, 40, 4),
)


def render(report: Report) -> str:
    """Without what folders of runs keep. Raises MissingToolError as `demand` does."""
    return render_from(report, None)


def render_from(report: Report, folder: Path | None) -> str:
    """`folder`: where the folders of the runs lie, which keep what is too large for a report. Raises as `render`."""
    demand()
    return that_fits(_page(report, folder, most) for most in _MOST)


def _page(report: Report, folder: Path | None, most: Most) -> str:
    headings, rows = table(report)
    fronts = front.fronts(report)
    chosen = _looked_into(report, fronts, most.looked_into)
    return template(Path(__file__).parent / "html" / "page.html.jinja").render(
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
        looked_into=[_inside(number, run, folder, most, MOST_PARTS // len(chosen)) for number, run in chosen],
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


def _inside(number: int, run: Run, folder: Path | None, most: Most, parts: int) -> dict[str, Any]:
    layers = run.layers[: most.layers]
    classes = len(run.confusion or ())
    return {
        "number": number,
        "run": run,
        "layers": layers,
        "cycles": pictures.layers_of(run, layers) if any(one.cycles is not None for one in layers) else None,
        "flash": pictures.flash_of(layers) if any(one.weight_bytes is not None for one in layers) else None,
        "flames": flame.flames_of(run, folder, parts),
        "rom": rom.rom_of(run, folder),
        "arena": arena.map_of(run),
        "confusion": pictures.confusion_of(run) if 0 < classes <= pictures.MOST_CLASSES else None,
        "confused": tables.most_confused(run),
        "quantized": quantized.rows(run, most.layers),
        "noise": quantized.noise_of(run.quantized[: most.layers]),
        "worst": worst(run, folder, min(parts, most.samples)),
    }
