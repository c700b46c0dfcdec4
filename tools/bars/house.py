"""What the house promises of itself: how soon `mcusim --help` is there, beside NumPy, and what a comparison takes."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mcusim.line.measure import LayerFigures
from mcusim.reports.report import Report, Run
from mcusim.system import command
from mcusim.timing.timing import Cycles
from tools.bars.group import Group, Place

PAIRS = 9
RUNS, LAYERS, TRIES = 100, 12, 5


def _seconds(words: Sequence[str]) -> float:
    start = time.perf_counter()
    command.run(words)
    return time.perf_counter() - start


def _first_contact(_place: Place) -> Mapping[str, float]:
    """The best of some pairs, in turn: what else the machine does takes time of both."""
    ours, numpy = [sys.executable, "-m", "mcusim", "--help"], [sys.executable, "-c", "import numpy"]
    pairs = [(_seconds(ours), _seconds(numpy)) for _ in range(PAIRS)]
    return {"--help beside import numpy": min(first for first, _ in pairs) / min(second for _, second in pairs)}


def _comparison(_place: Place) -> Mapping[str, float]:
    """Two reports of which every run differs: the least of some tries, of the user's CPU."""
    with tempfile.TemporaryDirectory(prefix="mcusim-bars-") as folder:
        base, head = Path(folder, "base.json"), Path(folder, "head.json")
        _report(100).write(base)
        _report(101).write(head)
        words = [sys.executable, "-m", "mcusim", "compare", str(base), str(head)]
        return {"compare of 100 runs": min(_user_seconds(words) for _ in range(TRIES))}


def _report(cycles: int) -> Report:
    layers = tuple(LayerFigures(f"layer{number}", "Dense", 1000, cycles=1000.0 * number) for number in range(LAYERS))
    layers = (*layers[1:], replace(layers[0], cycles=cycles))
    timed = Cycles(66_000.0 + cycles, cycles, cycles, 50, "modelled")
    run = Run(id="", model="", data_type="int8", board="b", engine="qemu", complete=True, cycles=timed, layers=layers)
    runs = tuple(replace(run, id=f"r{number}", model=f"m{number}") for number in range(RUNS))
    return Report(1, "0", "bars", "2026-11-26T00:00:00+00:00", 0.0, True, runs)


def _user_seconds(words: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command.run(words)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


GROUPS = (
    Group("first contact", is_long=False, is_compiled=False, measure=_first_contact),
    Group("comparison", is_long=False, is_compiled=False, measure=_comparison),
)
