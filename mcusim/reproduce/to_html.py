"""Reproduction -> a page: the paper's figures and tables, and ours. `page.html.jinja` is what it looks like."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mcusim.reports.html.page import demand, template
from mcusim.reproduce import told
from mcusim.reproduce.beside import Beside, beside, losses, ours_of
from mcusim.reproduce.pictures import accuracy, cost
from mcusim.reproduce.run import Reproduction
from mcusim.reproduce.study import METRICS
from mcusim.system.version import VERSION

Picture = tuple[str, str]  # SVG, what it is


def render(found: Reproduction) -> str:
    """Raises MissingToolError without what draws the pictures."""
    demand()
    rows, ours, study = beside(found), ours_of(found), found.study
    there = {one.part.name for one in found.parts}
    sources = dict.fromkeys(row.source for row in study.rows if row.experiment in there)
    return template(Path(__file__).with_name("page.html.jinja")).render(
        study=study,
        version=VERSION,
        quick=found.quick,
        parts=[
            {
                "part": one.part,
                "summary": told.summary(one),
                "pictures": list(_accuracies(found, rows, one.part.name)),
                "grid": told.accuracies(study, ours, one.part.name),
                "latencies": told.latencies(one, ours),
            }
            for one in found.parts
        ],
        losses=told.largest_losses(study, losses(found)),
        tables=[
            {
                "source": source,
                "title": _title(found, source),
                "grid": told.table(found, rows, source),
                "pictures": list(_costs(found, rows, source)),
            }
            for source in sources
        ],
        remarks=[*told.remarks(found), *study.notes],
    )


def _title(found: Reproduction, source: str) -> str:
    metric = METRICS[next(row.metric for row in found.study.rows if row.source == source)]
    return f"{metric.title}, {metric.unit}"


def _accuracies(found: Reproduction, rows: Sequence[Beside], name: str) -> Iterator[Picture]:
    study = found.study
    part = next(part for part in study.parts if part.name == name)
    if not any((row.part, row.metric) == (name, "accuracy_pct") and row.ours is not None for row in rows):
        return
    for figure, by in ((part.by_size, "filters"), (part.by_memory, "memory")):
        yield accuracy(study, rows, name, by=by), f"{figure}: accuracy by {by}"
    if part.by_type:
        figure, types = part.by_type
        yield accuracy(study, rows, name, by="filters", types=types), f"{figure}: accuracy by filters"


def _costs(found: Reproduction, rows: Sequence[Beside], source: str) -> Iterator[Picture]:
    chosen = [row for row in rows if row.source == source and row.board and row.ours is not None]
    for board, framework in dict.fromkeys((row.board, row.framework) for row in chosen):
        first = next(row for row in chosen if (row.board, row.framework) == (board, framework))
        svg = cost(found.study, rows, first.part, first.metric, board, framework)
        yield svg, f"{source}, {board}: {framework} dashed, mcusim drawn through"
