"""Reports to compare, made of one good run, and changed in one thing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.comparison.compare import compare_sides
from mcusim.comparison.comparison import Comparison, RunComparison, Side
from mcusim.comparison.limits import read_limit
from mcusim.line.build import RomBytes
from mcusim.line.measure import LayerFigures
from mcusim.reports.report import Git, Report, Run, RunError
from tests.reports.reports import HOSTILE, good_run, timed

SAMPLES = 2947


def bits(*wrong: int, samples: int = SAMPLES) -> str:
    right = np.ones(samples, bool)
    right[[*wrong]] = False
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def run(**changes: Any) -> Run:
    """With cycles and bytes of its layers; `changes` of its keys."""
    layers = (
        LayerFigures("conv1", "Convolution", 300_000, "direct", None, cycles=1.5e6, code_bytes=900, weight_bytes=3000),
        LayerFigures("conv2", "Convolution", 20_000, "direct", "compact", cycles=4e5, code_bytes=700, weight_bytes=600),
        LayerFigures("logits", "Dense", 13_920, "plain", None, cycles=1e5, code_bytes=100, weight_bytes=400),
    )
    right = bits(*range(100, 314))
    own = {"layers": layers, "right": right, "accuracy": (SAMPLES - 214) / SAMPLES}
    return replace(timed(good_run()), **(own | changes))


def slower(found: Run, layer: int, cycles: float, **changes: Any) -> Run:
    """By so many cycles of a layer, whose other `changes` explain it."""
    assert found.cycles and found.clock_hz
    more = {key: getattr(found.cycles, key) + cycles for key in ("mean", "min", "max")}
    layers = [*found.layers]
    layers[layer] = replace(layers[layer], cycles=(layers[layer].cycles or 0) + cycles, **changes)
    latency_ms = more["mean"] / found.clock_hz * 1e3
    whole = {**more, "min": int(more["min"]), "max": int(more["max"])}
    return replace(found, cycles=replace(found.cycles, **whole), layers=tuple(layers), latency_ms=latency_ms)


def larger(found: Run, layer: int, size: int) -> Run:
    """By so many bytes of a layer's code."""
    assert found.rom_bytes
    rom = RomBytes(found.rom_bytes.code + size, found.rom_bytes.weights, found.rom_bytes.total + size)
    layers = [*found.layers]
    layers[layer] = replace(layers[layer], code_bytes=(layers[layer].code_bytes or 0) + size)
    return replace(found, rom_bytes=rom, layers=tuple(layers))


def report(*runs: Run, **changes: Any) -> Report:
    every = {"git": Git("ab" * 20, False), **changes}
    name, version, complete = (every.pop(key, default) for key, default in _TOP.items())
    return Report(1, version, name, "2026-11-26T22:00:00+00:00", 3.5, complete, tuple(runs), **every)


_TOP: dict[str, Any] = {"experiment": "gestures", "mcusim": "0.1.0", "complete": True}


def side(*reports: Report, name: str = "base") -> Side:
    files = tuple(Path(name) / str(number) / "report.json" for number in range(len(reports)))
    return Side(Path(name), files, reports)


def compared(base: Report | Sequence[Run], head: Report | Sequence[Run], **limits: object) -> Comparison:
    """Limits of options by name."""
    one, other = (found if isinstance(found, Report) else report(*found) for found in (base, head))
    asked = {name: read_limit(name, text) for name, text in limits.items()}
    return compare_sides(side(one), side(other, name="head"), asked)


def only(base: Run, head: Run, **limits: object) -> RunComparison:
    [found] = compared([base], [head], **limits).runs
    return found


def full() -> Comparison:
    """One of each: a slower run, a larger and less accurate one, an equal one, a failed, a new and a vanished one."""
    names = ("a", "b", "c", "d")
    base = [run(id=name, model=name) for name in (*names, "gone")]
    head = [run(id=name, model=name) for name in (*names, "fresh")]
    head[0] = slower(head[0], 1, 62_000, kernel="plain", variant=None)
    wrong = bits(*range(109, 314), *range(400, 412))
    head[1] = larger(replace(head[1], right=wrong, accuracy=(SAMPLES - 217) / SAMPLES, compiler="gcc 14"), 2, 1)
    head[3] = replace(head[3], error=RunError("EngineError", "no answer", None, None), complete=False)
    after = report(*head, git=Git("cd" * 20, True), regress={"latency_ms": "2%", "accuracy": "0.2pt"})
    after = replace(after, file="nets/gestures.toml", regress_lines={"latency_ms": 31, "accuracy": 32})
    return compared(report(*base), after, rom_bytes=0)


def hostile(name: str = HOSTILE) -> Comparison:
    """Names that mean something to terminals, Markdown, XML and HTML."""
    base = run(id="h", model=name, board=name, compiler=name, engine=name)
    layers = (replace(base.layers[0], name=name, kernel=name), *base.layers[1:])
    base = replace(base, layers=layers)
    changed = slower(base, 0, 5, kernel=f"{name}2", numbers=name)
    changed = replace(changed, compiler=f"{name}2", right=bits(3))
    failed = replace(run(id="f", model=name), error=RunError(name, name, name, name))
    head = report(changed, failed, experiment=name, mcusim=name, git=Git(name, True), regress={"cycles": "0"})
    head = replace(head, file=name, regress_lines={"cycles": 2**62})
    return compared(report(base, run(id="f", model=name), experiment=name), head)
