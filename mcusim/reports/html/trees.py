"""Nodes -> SVG, laid out by Vega: a treemap, where areas are sizes, or a flame graph, where widths are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mcusim.reports.html.drawing import INK, LETTER, PAPER, Spec, drawn_by_vega, label

ROW = 18  # of a flame graph: a frame with its name
_HEAD, _GAP, _HATCH = 14, 2, [1, 5]
_LONGEST_NAME, _LONGEST_TOLD = 60, 160
_FULL, _AROUND = 0.3, 0.1  # how opaque an area is; one with others inside
_NARROWEST = 24  # that has room for some letters
Hatch = Literal["", "across", "down", "grid"]


@dataclass(frozen=True)
class Node:
    """`size`: without that of the nodes which have it as `parent`, an index; None of the first one.

    `told`: where somebody points at it.
    """

    parent: int | None
    name: str
    size: float
    told: str
    colour: str
    hatch: Hatch = ""


def treemap(nodes: Sequence[Node], width: int, height: int) -> str:
    inside = {"paddingInner": _GAP, "paddingOuter": _GAP, "paddingTop": _HEAD, "ratio": 1.6, "round": True}
    layout: Spec = {"type": "treemap", "field": "size", "size": [width, height], **inside}
    layout["sort"] = {"field": "value", "order": "descending"}
    around = {node.parent for node in nodes}
    return _tree(nodes, (_AROUND if at in around else _FULL for at in range(len(nodes))), layout, width, height)


def flame_graph(nodes: Sequence[Node], width: int) -> str:
    """The first node at the bottom."""
    height = ROW * (1 + max(_depths(nodes)))
    layout = {"type": "partition", "field": "size", "size": [width, height], "round": True}
    upside_down = [
        {"type": "formula", "expr": f"{height} - datum.y1", "as": "y0"},
        {"type": "formula", "expr": f"datum.y0 + {ROW}", "as": "y1"},
    ]
    return _tree(nodes, [_FULL] * len(nodes), layout, width, height, *upside_down)


def _depths(nodes: Sequence[Node]) -> Sequence[int]:
    depths: list[int] = []
    for node in nodes:
        depths.append(0 if node.parent is None else depths[node.parent] + 1)
    return depths


def _tree(nodes: Sequence[Node], opacities: Iterable[float], layout: Spec, width: int, height: int, *then: Spec) -> str:
    values = [
        {
            "id": number,
            "parent": node.parent,
            "name": label(node.name, _LONGEST_NAME),
            "size": node.size,
            "told": label(node.told, _LONGEST_TOLD),
            "colour": node.colour,
            "hatch": node.hatch,
            "opacity": opacity,
        }
        for number, (node, opacity) in enumerate(zip(nodes, opacities, strict=True))
    ]
    visible = {"type": "filter", "expr": "datum.x1 - datum.x0 >= 1 && datum.y1 - datum.y0 >= 1"}
    hierarchy = {"type": "stratify", "key": "id", "parentKey": "parent"}
    data = [
        {"name": "all", "values": values, "transform": [hierarchy, layout, *then, visible]},
        _those("across", "datum.hatch == 'across' || datum.hatch == 'grid'"),
        _those("down", "datum.hatch == 'down' || datum.hatch == 'grid'"),
        _those("named", f"datum.x1 - datum.x0 >= {_NARROWEST} && datum.y1 - datum.y0 >= {_HEAD - 1}"),
    ]
    size = {"width": width, "height": height, "padding": 0, "autosize": "none"}
    return drawn_by_vega({**size, "data": data, "marks": _marks()})


def _those(name: str, test: str) -> Spec:
    return {"name": name, "source": "all", "transform": [{"type": "filter", "expr": test}]}


def _marks() -> list[Spec]:
    """A hatched one is crossed by one broad line, dashed."""
    width, height, x, y = "datum.x1 - datum.x0", "datum.y1 - datum.y0", {"field": "x0"}, {"field": "y0"}
    ends = {"x": x, "x2": {"field": "x1"}, "y": y, "y2": {"field": "y1"}}
    area = {"fill": {"field": "colour"}, "fillOpacity": {"field": "opacity"}, "stroke": {"value": PAPER}}
    dashes = {"stroke": {"field": "colour"}, "strokeDash": {"value": _HATCH}, "strokeOpacity": {"value": 0.5}}
    across = {"x": x, "x2": ends["x2"], "y": {"signal": f"datum.y0 + ({height}) / 2"}}
    down = {"y": y, "y2": ends["y2"], "x": {"signal": f"datum.x0 + ({width}) / 2"}}
    shown = f"truncate(datum.name, floor(({width} - 4) / {LETTER}))"
    words: Spec = {"text": {"signal": shown}, "fontSize": {"value": 11}, "fill": {"value": INK}}
    words |= {"baseline": {"value": "middle"}, "dx": {"value": 3}, "dy": {"value": _HEAD / 2 + 1}}
    marks = (
        ("rect", "all", True, {**ends, **area, "description": {"field": "told"}}),
        ("rule", "across", False, {**across, **dashes, "strokeWidth": {"signal": height}}),
        ("rule", "down", False, {**down, **dashes, "strokeWidth": {"signal": width}}),
        ("text", "named", False, {"x": x, "y": y, "font": {"value": "sans-serif"}, **words}),
    )
    return [
        {"type": kind, "from": {"data": data}, "aria": aria, "interactive": False, "encode": {"enter": enter}}
        for kind, data, aria, enter in marks
    ]
