"""Cycles of averages of windows: how often is what done, in code that the compiler makes for each of these layers."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

from mcusim.kernels.lanes.average_cycles import AVERAGES, CODE_BYTES
from mcusim.kernels.lanes.costs import BLOCK, UNROLLED, Counts, Storage, lanes_of, total
from mcusim.kernels.lanes.windows import Axis, axis_of
from mcusim.kernels.lanes.words import unaligned
from mcusim.kernels.memory import Memory
from mcusim.layers.planes import NO_PADDING, plane
from mcusim.layers.pooling import Pooling


class Way(NamedTuple):
    """How sums become means. `kind`: `shifted`, `pair`, ..; `limits`: how these are kept within limits."""

    storage: Storage | str
    kind: str
    limits: str


class _Run(NamedTuple):
    """Words of channels that have code of their own, which runs so many times for a window."""

    words: int
    times: int


def average_cycles(layer: Pooling, way: Way, memory: Memory) -> float:
    """`layer`: its windows have one row where they can (`flattened`)."""
    overhanging = layer.padding != NO_PADDING
    return total(average_counts(layer, way, memory), AVERAGES[way.storage, overhanging])


def average_counts(layer: Pooling, way: Way, memory: Memory) -> Counts:
    rows, columns = _axes(layer)
    runs, windows = _runs(layer), len(rows.taps) * len(columns.taps)
    code = sum(run.words for run in runs)
    counts: defaultdict[str, float] = defaultdict(float)
    counts["lines"] = len(rows.taps) if len(rows.taps) > 1 else 0
    counts["windows"] = windows
    counts["code words"] = code
    counts["code taps"] = code * layer.size[1] if layer.size[1] <= UNROLLED else 0
    counts["crowded words"] = _crowded(
        runs, windows, CODE_BYTES.get(way.kind, 0) + CODE_BYTES.get(way.limits, 0), memory
    )
    askew = unaligned(plane(layer.input_shape)[2] * layer.dtype.itemsize)
    for run in runs:
        words = run.words * run.times * windows
        counts[f"{way.limits} words"] += words
        counts["ceiling words"] += words * (layer.activation.ceiling is not None)
        counts["blocks"] += run.times * windows if run.times > 1 else 0
        for high, often in Counter(rows.taps).items():
            for wide, many in Counter(columns.taps).items():
                for name, count in _window(layer, way, run, high, wide).items():
                    counts[name] += count * often * many
                if high * wide < layer.size[0] * layer.size[1]:
                    counts[_edge(rows, columns)] += run.words * run.times * often * many
                counts["askew words"] += askew * run.words * run.times * high * wide * often * many
    return dict(counts)


def _window(layer: Pooling, way: Way, run: _Run, high: int, wide: int) -> Counts:
    """One run of a window, so many of whose taps are inside of the plane."""
    looped = layer.size[1] > UNROLLED or wide != layer.size[1]
    series, name = layer.size[0] == 1, "looped" if looped else "straight"
    taps, words = high * wide * run.times, run.words * run.times
    counts: Counts = {f"{name} pairs": taps * (run.words // 2), f"{name} singles": taps * (run.words % 2)}
    counts["looped taps"] = taps if looped else 0
    counts[f"{name} series" if series else f"{name} rows"] = high * run.times
    counts[f"{name} starts"] = 0 if series else run.times
    counts[f"{name} fours"] = high * run.times if run.words == BLOCK and not series else 0
    if high * wide == layer.size[0] * layer.size[1]:
        counts[f"{way.kind} words"] = words
        counts["lone words"] = words if run.words == 1 else 0
    return counts


def _edge(rows: Axis, columns: Axis) -> str:
    """What means of windows at edges are: the compiler knows their taps where these are always as many."""
    taps = {high * wide for high in rows.taps for wide in columns.taps} - {rows.size * columns.size}
    if len(taps) > 1 or rows.size > 1:
        return "edge words"
    return "copied edge words" if taps == {1} else "known edge words"


def _axes(layer: Pooling) -> tuple[Axis, Axis]:
    lengths, outputs = plane(layer.input_shape), layer.output_plane
    rows, columns = (
        axis_of(layer.size[axis], layer.strides[axis], layer.padding[axis][0], lengths[axis], outputs[axis])
        for axis in range(2)
    )
    return rows, columns


def _runs(layer: Pooling) -> list[_Run]:
    channels, lanes = plane(layer.input_shape)[2], lanes_of(layer)
    blocks, rest = divmod(channels, BLOCK * lanes)
    runs = [_Run(BLOCK, blocks), _Run(-(-rest // lanes), 1)]
    return [run for run in runs if run.words * run.times]


def _crowded(runs: list[_Run], windows: int, word_bytes: float, memory: Memory) -> float:
    """Words of code that is fetched anew, since the cache of code has no room for all of a loop."""
    whole = sum(run.words for run in runs)
    again = sum(run.words * (run.times - 1) * memory.crowding(run.words * word_bytes) for run in runs)
    return windows * again + (windows - 1) * whole * memory.crowding(whole * word_bytes)
