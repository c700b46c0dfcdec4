"""Changes -> pictures: by how much a figure of each run moved, and the cycles of each layer."""

import math
from collections.abc import Iterator, Sequence

from mcusim.comparison.comparison import WORSE, Change, LayerChange, RunComparison
from mcusim.comparison.wording import relative, signed
from mcusim.reports.figures import FIGURES
from mcusim.reports.html.drawing import MAIN, STEP, WIDTH, WRONG, Spec, drawn, label
from mcusim.reports.html.front import COSTS

MOST_BARS = 30
KEYS = ("accuracy", *COSTS)


def of_figures(runs: Sequence[RunComparison]) -> list[tuple[str, str]]:
    """(what it is of, picture) of each figure that moved in any of the runs, which have their numbers."""
    found = []
    for key in KEYS:
        every = ((number, run, run.change(key)) for number, run in enumerate(runs, 1))
        moved = [(number, run, change) for number, run, change in every if change and _moved(change)][:MOST_BARS]
        if moved:
            figure = FIGURES[key]
            points = figure.unit == "share"
            title = f"{figure.name}, change in {'points' if points else '%'}"
            found.append((title, _bars([*_values(moved, points)], title)))
    return found


def _moved(change: Change) -> bool:
    by = change.difference if change.figure.unit == "share" else change.relative
    return by is not None and by != 0 and not (change.base is None or change.head is None)


def _values(moved: Sequence[tuple[int, RunComparison, Change]], points: bool) -> Iterator[Spec]:
    for number, run, change in moved:
        by = 100 * ((change.difference if points else change.relative) or 0)
        yield {
            "order": number,
            "name": f"{number}  {label(run.run.type_label)}",
            "by": by,
            "worse": change.verdict == WORSE,
            "told": f"{signed(round(by, 9))}" if points else relative(change).removesuffix(" %"),
        }


def of_layers(layers: Sequence[LayerChange]) -> str | None:
    """By how many cycles each moved; None where nobody knows, or none did."""
    values = []
    for order, layer in enumerate(layers, 1):
        before, now = (0.0 if side is None else side.cycles for side in (layer.base, layer.head))
        if before is not None and now is not None and math.isfinite(now - before) and now != before:
            told = signed(round(now - before))
            name = f"{order}  {label(layer.name)}"
            values.append({"order": order, "name": name, "by": now - before, "worse": now > before, "told": told})
    return _bars(values, "change in cycles", "~s") if values else None


def _bars(values: Sequence[Spec], title: str, digits: str = "~g") -> str:
    """To the right what rose, to the left what fell; what got worse in another colour."""
    low, high = (min(0, *(value["by"] for value in values)), max(0, *(value["by"] for value in values)))
    room = 0.4 * (high - low)  # for the numbers
    side = {
        "field": "by",
        "type": "quantitative",
        "title": title,
        "axis": {"tickCount": 4, "format": digits},
        "scale": {"domain": [low - room * (low < 0), high + room * (high > 0)], "nice": False},
    }
    axes = {"x": side, "y": {"field": "name", "type": "nominal", "title": None, "sort": {"field": "order"}}}
    bars: list[Spec] = [
        {"transform": [{"filter": test}], "mark": {"type": "bar", "color": colour, "height": {"band": 0.7}}}
        for test, colour in (("datum.worse", WRONG), ("!datum.worse", MAIN))
    ]
    bars += [
        {
            "transform": [{"filter": test}],
            "mark": {"type": "text", "align": align, "dx": far},
            "encoding": {"text": {"field": "told"}},
        }
        for test, align, far in (("datum.by > 0", "left", 5), ("datum.by <= 0", "right", -5))
    ]
    return drawn(values, {"width": WIDTH, "height": {"step": STEP}, "encoding": axes, "layer": bars})
