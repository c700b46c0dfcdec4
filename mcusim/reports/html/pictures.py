"""Runs -> pictures of them: score against cost, cycles and flash of layers, confusion of classes."""

import math
from collections.abc import Sequence

from mcusim.line.measure import LayerFigures
from mcusim.reports.html.drawing import FIRST, HEIGHT, INK, MAIN, STEP, WIDTH, WRONG, Spec, drawn, label
from mcusim.reports.html.front import Point, among
from mcusim.reports.report import Run
from mcusim.tasks.figure import Figure

MOST_LABELS = 30
MOST_CLASSES = 20
NEAR = 0.08  # of a picture: nearer points have their numbers in one place


def tradeoff(some: Sequence[Point], score: Figure, cost: Figure, most: int) -> str:
    """Score against cost, with the runs' numbers; filled and joined what nobody beats."""
    percent, kib = score.unit == "share", cost.unit == "bytes"
    values = [
        {
            "cost": point.cost / 1024 if kib else point.cost,
            "score": point.score * 100 if percent else point.score,
            "first": point.first,
            "number": number,
        }
        for point, number in _numbered(among(some, most))
    ]
    axes = {
        "x": _number("cost", f"{cost.word} {'KiB' if kib else cost.unit}"),
        "y": _number("score", f"{score.name}{' %' * percent}"),
    }
    of_front = [{"filter": "datum.first"}]
    line = {"type": "line", "interpolate": "step-after", "color": FIRST, "strokeWidth": 1.5}
    layers = [
        {"transform": of_front, "mark": line},
        {"transform": [{"filter": "!datum.first"}], "mark": {"type": "point", "color": MAIN, "opacity": 1}},
        {"transform": of_front, "mark": {"type": "point", "filled": True, "color": FIRST, "size": 70, "opacity": 1}},
        {"mark": {"type": "text", "dx": 9, "dy": -7}, "encoding": {"text": {"field": "number"}}},
    ]
    return drawn(values, {"width": WIDTH, "height": HEIGHT, "encoding": axes, "layer": layers})


def _numbered(some: Sequence[Point]) -> list[tuple[Point, str]]:
    """Each with its number; of those that lie upon each other one has the numbers of all."""
    known = [one for one in some if math.isfinite(one.cost) and math.isfinite(one.score)]
    costs, scores = [one.cost for one in known], [one.score for one in known]
    wide, high = ((max(side, default=0.0) - min(side, default=0.0)) * NEAR for side in (costs, scores))
    heaps: list[list[Point]] = []
    for one in known:
        if one.first or len(known) <= MOST_LABELS:
            near = (at for at in heaps if abs(at[0].cost - one.cost) <= wide and abs(at[0].score - one.score) <= high)
            heap = next(near, None)
            if heap is None:
                heaps.append([one])
            else:
                heap.append(one)
    told = {heap[0].number: ", ".join(str(one.number) for one in heap[:4]) + " .." * (len(heap) > 4) for heap in heaps}
    return [(one, told.get(one.number, "")) for one in known]


def _class(run: Run, number: int) -> str:
    """With its number, which stands below the columns, too."""
    name = run.classes[number].name if number < len(run.classes) else ""
    return f"{number} {label(name)}" if name not in ("", str(number)) else str(number)


def _number(field: str, title: str) -> Spec:
    scale = {"zero": False, "nice": True, "padding": 14}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": {"tickCount": 5}}


def layers_of(run: Run, layers: Sequence[LayerFigures]) -> str:
    """Cycles of each, with the model's error of such programs, and cycles for a MAC behind the bars."""
    error = run.cycles.error_pct["p90"] if run.cycles and run.cycles.error_pct else 0.0
    off = error / 100 if 0 < error < 100 else 0.0
    values = [
        {
            "order": order,
            "name": f"{order}  {label(layer.name)}",
            "cycles": layer.cycles,
            "low": layer.cycles * (1 - off),
            "high": layer.cycles * (1 + off),
            "each": f"{layer.cycles_per_mac:.3g} c/MAC" if layer.cycles_per_mac is not None else "",
        }
        for order, layer in enumerate(layers, 1)
        if layer.cycles is not None and math.isfinite(layer.cycles)
    ]
    names = {"field": "name", "type": "nominal", "title": None, "sort": {"field": "order"}}
    cycles = {"field": "cycles", "type": "quantitative", "title": "cycles", "axis": {"tickCount": 4, "format": "~s"}}
    bars: list[Spec] = [{"mark": {"type": "bar", "color": MAIN, "height": {"band": 0.7}}}]
    ends = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
    bars += [{"mark": {"type": "rule", "color": INK, "strokeWidth": 1.5}, "encoding": ends}] if off else []
    behind = {"x": {"field": "high", "type": "quantitative"}, "text": {"field": "each"}}
    bars += [{"mark": {"type": "text", "align": "left", "dx": 6}, "encoding": behind}]
    return drawn(
        values, {"width": WIDTH, "height": {"step": STEP}, "encoding": {"x": cycles, "y": names}, "layer": bars}
    )


def flash_of(layers: Sequence[LayerFigures]) -> str:
    """Bytes of each: its weights, and its code behind them."""
    values = [
        {"order": order, "name": f"{order}  {label(layer.name)}", "kind": kind, "bytes": size}
        for order, layer in enumerate(layers, 1)
        for kind, size in (("weights", layer.weight_bytes), ("code", layer.code_bytes))
        if size is not None
    ]
    colours = {"domain": ["weights", "code"], "range": [MAIN, FIRST]}
    axes = {
        "x": {
            "field": "bytes",
            "type": "quantitative",
            "title": "flash bytes",
            "axis": {"tickCount": 4, "format": "~s"},
        },
        "y": {"field": "name", "type": "nominal", "title": None, "sort": {"field": "order"}},
        "color": {"field": "kind", "scale": colours, "legend": {"orient": "top", "title": None, "labelColor": INK}},
        "order": {"field": "kind", "sort": "descending"},
    }
    bars = {"type": "bar", "height": {"band": 0.7}}
    return drawn(values, {"width": WIDTH, "height": {"step": STEP}, "encoding": axes, "mark": bars})


def confusion_of(run: Run) -> str:
    """Rows: labels; columns: decided classes; shaded by their share of the row."""
    matrix = run.confusion or ()
    names = [_class(run, at) for at in range(len(matrix))]
    values = [
        {
            "label": names[row],
            "decided": column,
            "count": count,
            "share": count / (sum(counts) or 1),
            "right": row == column,
        }
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if count
    ]
    order: Spec = {"domain": names}
    axes = {
        "y": {"field": "label", "type": "nominal", "title": "label", "scale": order, "sort": None},
        "x": {
            "field": "decided",
            "type": "ordinal",
            "title": "decided",
            "scale": {"domain": list(range(len(names)))},
            "axis": {"labelAngle": 0},
        },
    }
    shade = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": [0.15, 0.65]},
        "legend": None,
    }
    squares = [
        {"transform": [{"filter": test}], "mark": {"type": "rect", "color": colour}, "encoding": {"opacity": shade}}
        for test, colour in (("datum.right", MAIN), ("!datum.right", WRONG))
    ]
    counts = {"mark": {"type": "text", "fontSize": 10}, "encoding": {"text": {"field": "count", "format": "d"}}}
    size = {"width": {"step": 32}, "height": {"step": STEP}}
    return drawn(values, {**size, "encoding": axes, "layer": [*squares, counts]})
