"""What the house promises of itself: how soon `mcusim --help` is there, beside Python and NumPy on the same machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

from mcusim.system import command
from tools.bars.group import Group, Place

PAIRS = 9


def _seconds(words: Sequence[str]) -> float:
    start = time.perf_counter()
    command.run(words)
    return time.perf_counter() - start


def _measure(_place: Place) -> Mapping[str, float]:
    """The best of some pairs, in turn: what else the machine does takes time of both."""
    ours, numpy = [sys.executable, "-m", "mcusim", "--help"], [sys.executable, "-c", "import numpy"]
    pairs = [(_seconds(ours), _seconds(numpy)) for _ in range(PAIRS)]
    return {"--help beside import numpy": min(first for first, _ in pairs) / min(second for _, second in pairs)}


GROUPS = (Group("first contact", is_long=False, is_compiled=False, measure=_measure),)
