"""Numbers -> SVG, drawn by Vega-Lite on this machine: nothing is fetched, and nothing in it moves.

Colours are CSS variables of the page, so that one picture is right in light and in dark. Names are data of a picture,
never a part of its description.
"""

from collections.abc import Sequence
from typing import Any

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


def drawn(values: Sequence[Spec], spec: Spec) -> str:
    import vl_convert

    whole = {"data": {"values": list(values)}, "config": _CONFIG, **spec}
    svg: str = vl_convert.vegalite_to_svg(whole, allowed_base_urls=[])
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1)  # its caption tells what it is


def label(name: str) -> str:
    return shortened(printable(name), LONGEST_LABEL)
