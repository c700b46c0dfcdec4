"""Numbers -> SVG, drawn by Vega or Vega-Lite on this machine: nothing is fetched, and nothing in it moves.

Colours are CSS variables of the page, so that one picture is right in light and in dark. Names are data of a picture,
never a part of its description. A mark that has `aria` tells its `description` where somebody points at it.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from mcusim.system.names import printable, shortened

Spec = dict[str, Any]
WIDTH, HEIGHT, STEP = 210, 170, 22  # fits a telephone
LONGEST_LABEL = 20
LETTER = 6.5  # how wide one of 11 points is, about
INK, MUTED, RULE, MAIN, FIRST, WRONG, KEPT, PAPER = (
    f"var(--{name})" for name in ("ink", "muted", "rule", "main", "first", "wrong", "kept", "paper")
)
_TEXT = {"labelColor": INK, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"}
_LINES = {"gridColor": RULE, "domainColor": MUTED, "tickColor": MUTED}
_CONFIG: Spec = {
    "aria": False,  # each picture is one image, told by its caption and by tables
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {**_TEXT, **_LINES, "labelLimit": 200},
    "text": {"color": INK, "fontSize": 11},
}
_VALUES = "values"
_SVG = "http://www.w3.org/2000/svg"
_FRACTION = re.compile(r"\d+\.\d+(?:e[-+]?\d+)?")
_INHERITED = {
    *("fill", "fill-opacity", "font-family", "font-size", "stroke", "stroke-dasharray", "stroke-opacity"),
    *("stroke-width", "text-anchor"),
}


def drawn(values: Sequence[Spec], spec: Spec) -> str:
    """By Vega-Lite, which takes most of the time: pictures that differ in their values alone are its work once."""
    vega = _described(json.dumps({"data": {"name": _VALUES}, "config": _CONFIG, **spec}))
    data = [{**one, "values": list(values)} if one["name"] == _VALUES else one for one in vega["data"]]
    return drawn_by_vega({**vega, "data": data})


@lru_cache(64)
def _described(spec: str) -> Spec:
    import vl_convert

    vega: Spec = vl_convert.vegalite_to_vega(spec)
    return vega


def drawn_by_vega(spec: Spec) -> str:
    import vl_convert

    return _one_image(vl_convert.vega_to_svg(spec, allowed_base_urls=[]))


def _one_image(svg: str) -> str:
    """Its caption tells what it is, and tables tell what is in it: the rest is for pointers."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    for element in list(root.iter()):
        told = element.attrib.pop("aria-label", "")
        for name in ("role", "aria-roledescription", "aria-hidden", "class"):
            element.attrib.pop(name, None)
        for name in ("d", "transform"):
            if name in element.attrib:
                element.attrib[name] = _FRACTION.sub(_tenth, element.attrib[name])
        if told:
            ElementTree.SubElement(element, f"{{{_SVG}}}title").text = told
    for group in root.iter(f"{{{_SVG}}}g"):
        _say_once(group)
    root.set("aria-hidden", "true")
    return ElementTree.tostring(root, encoding="unicode")


def _tenth(number: re.Match[str]) -> str:
    """Of a pixel: more digits of a line with many points are most of a page."""
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _say_once(group: ElementTree.Element) -> None:
    """What all marks of a group have alike is of the group: it is most of what a picture would be long of."""
    first = dict(group[0].attrib) if len(group) > 1 else {}
    for name in _INHERITED & first.keys() - group.attrib.keys():
        if all(one.get(name) == first[name] for one in group):
            group.set(name, first[name])
            for one in group:
                del one.attrib[name]


def label(name: str, most: int = LONGEST_LABEL) -> str:
    return shortened(printable(name), most)
