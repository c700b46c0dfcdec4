"""Stand-ins for boards -> what the protocols cost a sample, and how many samples a bad cable costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tools import board_bench as bench
from tools.bars.group import Group, Place

ROUNDS, SAMPLES, BAD = 5, 200, 10_000


def _beside(name: str, measure: Callable[[int, int, Path], bench.Beside], place: Place) -> Mapping[str, float]:
    return {f"{name}, a sample beside the model": measure(ROUNDS, SAMPLES, place.work).sample}


def _bad_cable(place: Place) -> Mapping[str, float]:
    """A board that counts a sample twice is told in a note, as is one that was left for another reason."""
    survived = bench.bad_cable(BAD, place.work)
    of_board = sum(note.startswith("board ") for note in survived.notes)
    return {"bad cable, samples lost or wrong": survived.wrong, "bad cable, boards in trouble": of_board}


GROUPS = (
    Group("probe", is_long=True, is_compiled=False, measure=partial(_beside, "GDB client on QEMU's stub", bench.probe)),
    Group("serial", is_long=True, is_compiled=False, measure=partial(_beside, "serial at 921600", bench.serial)),
    Group("bad cable", is_long=True, is_compiled=False, measure=_bad_cable),
)
