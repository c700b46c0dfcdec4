"""Reproduction -> pictures: ours by size and type, and the paper's numbers where it tells some."""

from collections.abc import Mapping, Sequence

from mcusim.reports.html.drawing import FIRST, HEIGHT, KEPT, MAIN, MUTED, WIDTH, WRONG, Spec, drawn
from mcusim.reproduce.beside import OF_ANY_BOARD, Beside
from mcusim.reproduce.study import METRICS, Study

COLOURS = (MAIN, FIRST, WRONG, KEPT, MUTED)
OURS, PAPER = "ours", "paper"


def accuracy(study: Study, rows: Sequence[Beside], part: str, *, by: str, types: Sequence[str] = ()) -> str:
    """Of a part, by `filters` or by `memory`: a line for each type, those of `types` or all."""
    memory = _by_network(rows, part, "parameters_bytes")
    values = []
    for (size, type_label), share in _by_network(rows, part, "accuracy_pct").items():
        across = size if by == "filters" else memory.get((size, type_label), 0.0) / 1024
        if type_label in study.of_types and (not types or type_label in types):
            values.append({"x": across, "y": share, "type": study.of_types[type_label], "of": OURS})
    values += [
        {"x": across, "y": row.paper, "type": study.of_types[row.type_label], "of": PAPER}
        for row in rows
        if (row.part, row.metric) == (part, "accuracy_pct")
        and row.paper is not None
        and row.type_label in study.of_types
        if (across := row.size if by == "filters" else memory.get((row.size, row.type_label), 0.0) / 1024)
    ]
    return _lines(study, values, "filters" if by == "filters" else "parameters KiB", "accuracy %", log=False)


def cost(study: Study, rows: Sequence[Beside], part: str, metric: str, board: str, framework: str) -> str:
    """ROM, latency or energy on a board by filters: ours, and `framework` of the paper, dashed."""
    chosen = [row for row in rows if (row.part, row.metric, row.board) == (part, metric, board)]
    types = [label for label in study.of_types if any(row.type_label == label and row.framework for row in chosen)]
    values = []
    for row in chosen:
        if row.framework == framework or (not row.framework and row.type_label in types):
            of_type = {"x": row.size, "type": study.of_types[row.type_label]}
            values += [{**of_type, "y": row.ours, "of": OURS}] if row.ours is not None else []
            values += [{**of_type, "y": row.paper, "of": PAPER}] if row.paper is not None else []
    return _lines(study, values, "filters", f"{METRICS[metric].title.split()[0]} {METRICS[metric].unit}", log=True)


def _by_network(rows: Sequence[Beside], part: str, metric: str) -> Mapping[tuple[int, str], float]:
    chosen = (row for row in rows if (row.part, row.metric, row.board) == (part, metric, OF_ANY_BOARD))
    return {(row.size, row.type_label): row.ours for row in chosen if row.ours is not None}


def _lines(study: Study, values: Sequence[Spec], across: str, up: str, *, log: bool) -> str:
    there = [told for told in study.of_types.values() if any(one["type"] == told for one in values)]
    scale: Spec = {"type": "log"} if log else {"zero": False, "nice": True, "padding": 8}
    encoding: Spec = {
        "x": {"field": "x", "type": "quantitative", "title": across, "scale": {"zero": False, "padding": 8}},
        "y": {"field": "y", "type": "quantitative", "title": up, "scale": scale, "axis": {"tickCount": 5}},
        "color": {
            "field": "type",
            "type": "nominal",
            "scale": {"domain": there, "range": list(COLOURS[: len(there)])},
            "legend": {"title": None, "orient": "bottom", "columns": 2, "labelColor": "var(--ink)"},
        },
        "strokeDash": {
            "field": "of",
            "type": "nominal",
            "scale": {"domain": [OURS, PAPER], "range": [[1, 0], [4, 3]]},
            "legend": None,
        },
    }
    mark: Spec = {"type": "line", "point": {"size": 22}, "strokeWidth": 1.5}
    return drawn(values, {"width": WIDTH, "height": HEIGHT, "mark": mark, "encoding": encoding})
