"""Run -> what its quantization does to each layer: ranges, saturation, signal to noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.line.measure import LayerRange
from mcusim.reports.html.drawing import FIRST, MAIN, STEP, WIDTH, Spec, drawn, label
from mcusim.reports.report import Run


@dataclass(frozen=True)
class Row:
    """Words of a layer: `order` is its number in the picture."""

    order: int
    name: str
    numbers: str
    needs: str
    holds: str
    beyond: str
    so_far_db: str


def rows(run: Run, most: int) -> list[Row]:
    numbers = {layer.name: layer.numbers for layer in run.layers}
    return [
        Row(
            order,
            one.name,
            numbers.get(one.name) or "",
            _from_to(one.low, one.high),
            _from_to(one.holds_low, one.holds_high),
            "" if one.beyond is None else f"{100 * one.beyond:.3g}",
            "" if one.so_far_db is None else f"{one.so_far_db:.1f}",
        )
        for order, one in enumerate(run.quantized[:most], 1)
    ]


def _from_to(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def noise_of(layers: Sequence[LayerRange]) -> str | None:
    """Signal to noise behind each layer, and the share that saturates behind the bars; None where nobody knows."""
    values = [
        {
            "order": order,
            "name": f"{order}  {label(one.name)}",
            "db": one.so_far_db,
            "told": f"{100 * one.beyond:.2g} % saturate" if one.beyond else "",
            "cut": bool(one.beyond),
        }
        for order, one in enumerate(layers, 1)
        if one.so_far_db is not None and math.isfinite(one.so_far_db)
    ]
    if not values:
        return None
    axes = {
        "x": {"field": "db", "type": "quantitative", "title": "signal to noise, dB", "axis": {"tickCount": 4}},
        "y": {"field": "name", "type": "nominal", "title": None, "sort": [one["name"] for one in values]},
    }
    bars: list[Spec] = [
        {"transform": [{"filter": test}], "mark": {"type": "bar", "color": colour, "height": {"band": 0.7}}}
        for test, colour in (("datum.cut", FIRST), ("!datum.cut", MAIN))
    ]
    behind = {"mark": {"type": "text", "align": "left", "dx": 5}, "encoding": {"text": {"field": "told"}}}
    return drawn(values, {"width": WIDTH, "height": {"step": STEP}, "encoding": axes, "layer": [*bars, behind]})
