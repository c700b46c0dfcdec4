"""Run -> the samples that it answers worst, each with a small picture where the run's folder has kept it."""

import base64
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcusim.line.pictured import FILE, Part, kept
from mcusim.line.score import WorstSample
from mcusim.reports.html.drawing import FIRST, INK, MAIN, MUTED, WIDTH, WRONG, Spec, drawn
from mcusim.reports.report import Run
from mcusim.system.arrays import Array

HEIGHT = 70  # of a signal
PIXELS = 128  # of an image on the page
COLOURS = (MAIN, FIRST, WRONG, INK, MUTED)


@dataclass(frozen=True)
class Picture:
    """`svg`, or `png` in base64 and its size on the page."""

    told: str
    svg: str = ""
    png: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Worst:
    """Of an output by its name, "" of an only one. `told`: how many the report has, of which some are shown.

    `missing`: what is needed for more pictures.
    """

    output: str
    samples: Sequence[WorstSample]
    told: int
    pictures: Sequence[Picture]
    missing: str


def worst(run: Run, folder: Path | None, most: int) -> list[Worst]:
    """Of each output that has some; at most so many samples each."""
    every = {"": run.worst, **{output.name: output.worst for output in run.outputs}}
    every = {name: samples for name, samples in every.items() if samples}
    if not every:
        return []
    is_there = folder is not None and "/" not in run.id and (folder / run.id / FILE).is_file()
    parts = kept(folder / run.id) if folder is not None and is_there else {}
    return [_of_output(run, name, samples, most, parts, is_there) for name, samples in every.items()]


def _of_output(
    run: Run,
    output: str,
    every: Sequence[WorstSample],
    most: int,
    parts: Mapping[int, tuple[Part, ...]],
    is_there: bool,
) -> Worst:
    samples = every[:most]
    pictures = [_picture(one, part) for one in samples for part in parts.get(one.sample, ())]
    undrawn = sum(not parts.get(one.sample) for one in samples)
    missing = ""
    if not is_there:
        missing = f"No pictures: {run.id}/{FILE} is not beside the report, where `mcusim run` writes it."
    elif undrawn:
        missing = f"{undrawn} of them have no picture: {FILE} has none, or samples are neither images nor signals."
    return Worst(output, samples, len(every), pictures, missing)


def _picture(one: WorstSample, part: Part) -> Picture:
    of = f", {part.name}" if part.name else ""
    told = f"sample {one.sample}{of}: {one.label}, answered {one.answered}"
    if part.kind == "signal":
        return Picture(told, svg=_signal(part.values))
    height, width = part.values.shape[:2]
    scale = max(PIXELS // max(height, width), 1)
    return Picture(told, png=base64.b64encode(png(part.values)).decode(), width=width * scale, height=height * scale)


def _signal(values: Array) -> str:
    rows = [
        {"step": step, "value": float(value), "channel": channel}
        for (step, channel), value in np.ndenumerate(values)
        if np.isfinite(value)
    ]
    channels = list(range(values.shape[1]))
    axes = {
        "x": {"field": "step", "type": "quantitative", "title": None, "axis": {"tickCount": 4}},
        "y": {"field": "value", "type": "quantitative", "title": None, "axis": {"tickCount": 3}},
        "color": {
            "field": "channel",
            "scale": {"domain": channels, "range": [COLOURS[at % len(COLOURS)] for at in channels]},
            "legend": None,
        },
        "detail": {"field": "channel"},
    }
    line: Spec = {"type": "line", "strokeWidth": 1.2}
    return drawn(rows, {"width": WIDTH, "height": HEIGHT, "encoding": axes, "mark": line})


def png(pixels: Array) -> bytes:
    """(height, width, 1 or 3) uint8 -> a PNG (ISO/IEC 15948) of grey or of red, green and blue."""
    height, width, colours = pixels.shape
    lines = np.zeros((height, 1 + width * colours), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = pixels.reshape(height, -1)
    kind = {1: 0, 3: 2}[colours]
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunks(chunks))


def _chunks(chunks: Sequence[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for name, data in chunks:
        yield struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
