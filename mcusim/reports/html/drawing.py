"""Numbers -> SVG, drawn by Vega or Vega-Lite on this machine: nothing is fetched, and nothing in it moves.

Colours are CSS variables of the page, so that one picture is right in light and in dark. Names are data of a picture,
never a part of its description. A mark that has `aria` tells its `description` where somebody points at it.
"""

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from mcusim.system.names import printable, shortened

Spec = dict[str, Any]
WIDTH, HEIGHT, STEP = 210, 170, 22  # fits a telephone
LONGEST_LABEL = 20
INK, MUTED, RULE, MAIN, FIRST, WRONG = (f"var(--{name})" for name in ("ink", "muted", "rule", "main", "first", "wrong"))
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
_SVG = "http://www.w3.org/2000/svg"


def drawn(values: Sequence[Spec], spec: Spec) -> str:
    """By Vega-Lite."""
    import vl_convert

    whole = {"data": {"values": list(values)}, "config": _CONFIG, **spec}
    return _one_image(vl_convert.vegalite_to_svg(whole, allowed_base_urls=[]))


def drawn_by_vega(values: Sequence[Spec], transform: Sequence[Spec], spec: Spec) -> str:
    """Marks take what comes out of the `transform` as data "found"."""
    import vl_convert

    data = [{"name": "found", "values": list(values), "transform": list(transform)}]
    return _one_image(vl_convert.vega_to_svg({"data": data, **spec}, allowed_base_urls=[]))


def _one_image(svg: str) -> str:
    """Its caption tells what it is, and tables tell what is in it: the rest is for pointers."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    for element in list(root.iter()):
        told = element.attrib.pop("aria-label", "")
        for name in ("role", "aria-roledescription", "aria-hidden", "class"):
            element.attrib.pop(name, None)
        if told:
            ElementTree.SubElement(element, f"{{{_SVG}}}title").text = told
    root.set("aria-hidden", "true")
    return ElementTree.tostring(root, encoding="unicode")


def label(name: str) -> str:
    return shortened(printable(name), LONGEST_LABEL)
