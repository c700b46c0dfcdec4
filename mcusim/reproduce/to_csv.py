"""Reproduction -> CSV: a line for each number of ours or of the paper."""

import csv
import io

from mcusim.reproduce.beside import beside
from mcusim.reproduce.run import Reproduction
from mcusim.reproduce.study import METRICS

HEADINGS = (
    *("experiment", "metric", "unit", "board", "type", "filters", "ours"),
    *("paper", "framework", "source", "difference", "difference_unit"),
)


def render(found: Reproduction) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(HEADINGS)
    for row in beside(found):
        unit = METRICS[row.metric].unit
        change = row.difference
        lines.writerow(
            (
                *(row.part, row.metric, unit, row.board, row.type_label, row.size, _told(row.ours)),
                *(_told(row.paper), row.framework, row.source, _told(change)),
                "" if change is None else "points" if unit == "%" else "%",
            )
        )
    return text.getvalue()


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
