"""Exploration -> pictures: the front among all points, and every point as a line through the values of its axes."""

import math
from collections.abc import Mapping, Sequence

from mcusim.explore.exploration import Exploration
from mcusim.explore.front import falls
from mcusim.explore.point import Point
from mcusim.explore.to_console import heading, value_of
from mcusim.reports.figures import REGRESS
from mcusim.reports.html.drawing import FIRST, HEIGHT, INK, MAIN, MUTED, RULE, WIDTH, WRONG, Spec, drawn, label

ROW = 44  # of an axis in the picture of lines
MOST_TICKS = 7  # of an axis whose values are all written
LONGEST_TICK = 8
MOST_CORNERS = 8000  # of all lines: each takes a while to draw
BASE, ON_FRONT, OTHER = "base", "front", "other"
Numbers = Mapping[tuple[int, ...], str]  # genes of those that have a name -> it


def names_of(found: Exploration) -> dict[tuple[int, ...], str]:
    """The base, and points of the front by their numbers in the table."""
    base = found.base.genes if found.base else ()
    others = [point.genes for point in found.front if point.genes != base]
    return {base: BASE} | {genes: str(number) for number, genes in enumerate(others, 1)}


def shown_of(found: Exploration, most: int) -> list[Point]:
    """Of too many those that have a name first; none without figures."""
    names, front = names_of(found), {point.genes for point in found.front}
    known = [
        point
        for point in found.points
        if all(math.isfinite(point.figures.get(name, math.nan)) for name in found.objectives)
    ]
    return sorted(known, key=lambda point: (point.genes not in names, point.genes not in front))[:most]


def _kind(found: Exploration, point: Point) -> str:
    if any(point.genes == one.genes for one in found.front):
        return ON_FRONT
    return BASE if found.base and point.genes == found.base.genes else OTHER


def scale_of(name: str) -> tuple[float, str]:
    """What a figure is multiplied with to be shown, and its title."""
    figure = REGRESS.get(name)
    unit = figure.unit if figure else ""
    factor, shown = {"share": (100.0, "%"), "bytes": (1 / 1024, "KiB")}.get(unit, (1.0, unit))
    return factor, heading(name) if figure and figure.heading else f"{heading(name)} {shown}".rstrip()


def scatter(found: Exploration, cost: str, score: str, most: int) -> str:
    """One objective against another: points, the base and the front, which is joined where there is no third."""
    names = names_of(found)
    (by, across), (factor, up) = scale_of(cost), scale_of(score)
    values = [
        {
            "cost": point.figures[cost] * by,
            "score": point.figures[score] * factor,
            "kind": _kind(found, point),
            "name": names.get(point.genes, ""),
        }
        for point in shown_of(found, most)
    ]
    wide: Spec = {"zero": False, "nice": True, "padding": 14}
    axes = {
        field: {"field": name, "type": "quantitative", "title": title, "scale": wide, "axis": {"tickCount": 5}}
        for field, name, title in (("x", "cost", across), ("y", "score", up))
    }
    marks: list[tuple[str, Spec]] = [
        (OTHER, {"type": "point", "color": MAIN, "opacity": 0.5, "size": 22}),
        (ON_FRONT, {"type": "point", "filled": True, "color": FIRST, "size": 60, "opacity": 1}),
        (BASE, {"type": "point", "shape": "diamond", "filled": True, "color": WRONG, "size": 90, "opacity": 1}),
    ]
    layers: list[Spec] = [{"transform": [_only(kind)], "mark": mark} for kind, mark in marks]
    if len(found.objectives) == 2:
        step = "step-after" if falls(cost) else "step-before"
        line = {"type": "line", "interpolate": step, "color": FIRST, "strokeWidth": 1.5}
        layers.insert(1, {"transform": [_only(ON_FRONT)], "mark": line})
    layers.append({"mark": {"type": "text", "dx": 9, "dy": -7}, "encoding": {"text": {"field": "name"}}})
    return drawn(values, {"width": WIDTH, "height": HEIGHT, "encoding": axes, "layer": layers})


def _only(kind: str) -> Spec:
    return {"filter": f"datum.kind === '{kind}'"}


def lines(found: Exploration, most: int, most_axes: int) -> str:
    """Parallel coordinates, downwards: axes from their first value to the last, then objectives from the least."""
    axes = list(found.axes.items())[:most_axes]
    points = shown_of(found, min(most, MOST_CORNERS // (len(axes) + len(found.objectives))))
    seen = {name: [point.figures[name] for point in points] or [0.0] for name in found.objectives}
    ends = {name: (min(values), max(values)) for name, values in seen.items()}
    order = {ON_FRONT: 2, BASE: 1, OTHER: 0}
    values: list[Spec] = []
    for number, point in enumerate(sorted(points, key=lambda point: order[_kind(found, point)])):
        across = [point.genes[place] / (len(there) - 1) for place, (_, there) in enumerate(axes)]
        across += [(point.figures[name] - low) / (high - low or 1) for name, (low, high) in ends.items()]
        kind = _kind(found, point)
        values += [{"of": number, "row": row, "at": at, "kind": kind} for row, at in enumerate(across)]
    titles = [*(label(name, 40) for name, _ in axes), *(scale_of(name)[1] for name in found.objectives)]
    values += [{"row": row, "at": 0, "title": title} for row, title in enumerate(titles)]
    ticks = [_ticks(there) for _, there in axes] + [_written(name, ends[name]) for name in found.objectives]
    values += [
        {"row": row, "at": at, "tick": tick, "kind": "tick"} for row, some in enumerate(ticks) for at, tick in some
    ]
    height = ROW * len(titles)
    scale: Spec = {"domain": [-0.5, len(titles) - 0.5], "reverse": True, "nice": False}
    encoding = {
        "y": {"field": "row", "type": "quantitative", "axis": None, "scale": scale},
        "x": {"field": "at", "type": "quantitative", "axis": None, "scale": {"domain": [-0.04, 1.04], "nice": False}},
    }
    looks = ((OTHER, MUTED, 0.25, 1.0), (BASE, WRONG, 1.0, 2.0), (ON_FRONT, FIRST, 0.9, 1.5))
    layers: list[Spec] = [
        {
            "transform": [_only("tick")],
            "mark": {"type": "rule", "color": RULE},
            "encoding": {"x": {"datum": 0}, "x2": {"datum": 1}},
        }
    ]
    for kind, colour, opacity, width in looks:
        mark = {"type": "line", "orient": "vertical", "color": colour, "opacity": opacity, "strokeWidth": width}
        encoding_of = {"detail": {"field": "of"}, "order": {"field": "row"}}
        layers.append({"transform": [_only(kind)], "mark": mark, "encoding": encoding_of})
    text: Spec = {"type": "text", "color": INK, "fontSize": 10}
    layers.append({"transform": [_only("tick")], "mark": {**text, "dy": 9}, "encoding": {"text": {"field": "tick"}}})
    title = {**text, "align": "left", "dy": -9, "dx": -4, "fontWeight": "bold"}
    layers.append(
        {"transform": [{"filter": "isValid(datum.title)"}], "mark": title, "encoding": {"text": {"field": "title"}}}
    )
    return drawn(values, {"width": WIDTH + 80, "height": height, "encoding": encoding, "layer": layers})


def _ticks(values: Sequence[object]) -> list[tuple[float, str]]:
    """Where on its row each value stands; of many the first and the last."""
    told = [(place / (len(values) - 1), label(value_of(value), LONGEST_TICK)) for place, value in enumerate(values)]
    return told if len(told) <= MOST_TICKS else [told[0], told[-1]]


def _written(name: str, ends: tuple[float, float]) -> list[tuple[float, str]]:
    factor, _ = scale_of(name)
    return [(float(place), f"{factor * value:.4g}") for place, value in enumerate(ends)]
