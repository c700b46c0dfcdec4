"""The plan of the arena -> a map: each tensor where it lies, from the layer that writes it to the last reader."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.program import Buffer
from mcusim.reports.html.drawing import FIRST, INK, LETTER, MAIN, PAPER, Spec, drawn
from mcusim.reports.report import Run
from mcusim.system.names import printable

WIDTH, HEIGHT, WIDEST_STEP = 1000, 260, 60
MOST_LAYERS = 120  # about the peak
FEWEST_LETTERS = 6  # of a name that is cut
MOST_NUMBERS = 40  # below the picture


@dataclass(frozen=True)
class Map:
    """`peak`: the layer, by its index, during which most bytes are alive. `missing`: why there is none."""

    svg: str = ""
    peak: int = 0
    peak_bytes: int = 0
    shown: int = 0
    missing: str = ""


def map_of(run: Run) -> Map:
    if not run.buffers:
        empty = run.arena_bytes == 0 and run.layers
        return Map(missing="nothing lies in it" if empty else "the report does not tell where what lies")
    count = len(run.layers)
    lies = all(one.offset_bytes >= 0 and one.size_bytes > 0 for one in run.buffers)
    if not lies or not all(0 <= one.first <= one.last < count for one in run.buffers):
        return Map(missing="the report tells of bytes or layers that it does not have")
    alive = _alive(run.buffers, count)
    peak = alive.index(max(alive))
    shown = min(count, MOST_LAYERS)
    begin = max(0, min(peak - shown // 2, count - shown))
    return Map(_drawn(run.buffers, range(begin, begin + shown), peak), peak, alive[peak], shown)


def _alive(buffers: Sequence[Buffer], count: int) -> list[int]:
    """Bytes while each layer runs."""
    more = [0] * (count + 1)
    for one in buffers:
        more[one.first] += one.size_bytes
        more[one.last + 1] -= one.size_bytes
    sums = [0]
    for size in more[:count]:
        sums.append(sums[-1] + size)
    return sums[1:]


def _drawn(buffers: Sequence[Buffer], layers: range, peak: int) -> str:
    step = min(WIDEST_STEP, WIDTH // len(layers))
    seen = [one for one in buffers if one.first < layers.stop and one.last >= layers.start]
    end = max(one.offset_bytes + one.size_bytes for one in seen)
    places = [(max(one.first, layers.start), min(one.last + 1, layers.stop)) for one in seen]
    values = [
        {
            "from": begin,
            "to": last,
            "low": one.offset_bytes,
            "high": one.offset_bytes + one.size_bytes,
            "middle": one.offset_bytes + one.size_bytes / 2,
            "name": _fitting(one, (last - begin) * step) if one.size_bytes * HEIGHT > 12 * end else "",
            "scratch": one.scratch,
            "told": _told(one),
        }
        for one, (begin, last) in zip(seen, places, strict=True)
    ]
    every = -(-len(layers) // MOST_NUMBERS)
    axis = {"values": [number + 0.5 for number in layers[::every]], "labelExpr": "ceil(datum.value)", "grid": False}
    x = {"field": "from", "type": "quantitative", "title": "layer", "axis": axis}
    x["scale"] = {"domain": [layers.start, layers.stop], "nice": False}
    bytes_axis = {"tickCount": 6, "format": "~s"}
    y = {"field": "low", "type": "quantitative", "title": "bytes of the arena", "axis": bytes_axis}
    y["scale"] = {"domain": [0, end], "nice": False}
    size = {"width": step * len(layers), "height": HEIGHT}
    return drawn(values, {**size, "layer": _marks(x, y, [{"peak": peak, "after": peak + 1, "low": 0, "end": end}])})


def _marks(x: Spec, y: Spec, peak: list[Spec]) -> list[Spec]:
    area = {"type": "rect", "aria": True, "fillOpacity": 0.35, "stroke": PAPER, "strokeOpacity": 1}
    told = {"description": {"field": "told", "type": "nominal"}}
    ends = {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": "high"}, **told}
    colour = {"condition": {"test": "datum.scratch", "value": FIRST}, "value": MAIN}
    column = {"type": "rect", "fill": None, "stroke": INK, "strokeDash": [4, 3]}
    around = {"x": {**x, "field": "peak"}, "x2": {"field": "after"}, "y": y, "y2": {"field": "end"}}
    words = {"x": x, "y": {**y, "field": "middle"}, "text": {"field": "name"}}
    return [
        {"mark": area, "encoding": {**ends, "fill": colour}},
        {"data": {"values": peak}, "mark": column, "encoding": around},
        {"mark": {"type": "text", "align": "left", "dx": 3}, "encoding": words},
    ]


def _fitting(one: Buffer, width: int) -> str:
    """Its name; where too little of that has room, the number of its layer."""
    letters = int((width - 6) / LETTER)
    name, number = printable(one.name), str(one.first + 1)
    if letters >= min(len(name), FEWEST_LETTERS):
        return name if len(name) <= letters else f"{name[: letters - 1]}…"
    return number if letters >= len(number) else ""


def _told(one: Buffer) -> str:
    what = f"{printable(one.name)}{', scratch memory' if one.scratch else ''}"
    when = f"layers {one.first + 1} to {one.last + 1}" if one.first < one.last else f"layer {one.first + 1}"
    return f"{what[:100]}: {one.size_bytes:,} bytes at {one.offset_bytes:,}, {when}"
